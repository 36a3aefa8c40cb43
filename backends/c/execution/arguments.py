"""What an emitted program is called with: tensors that are checked, and a drawing as C lays it out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ....ir.drawing import Drawing, Watcher
from ....ir.errors import DgqcError
from ..emission.project import Signature

NamedShapes = Sequence[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class WrittenDrawing:
    """A `NAME_drawing`, and what it points at for as long as it lives."""

    structure: ctypes.Structure
    held: tuple[object, ...]


def written(drawing: Drawing, signature: Signature, progress: Watcher) -> WrittenDrawing:
    """A drawing as the emitted `NAME_denoise` takes it.

    Raises DgqcError for a missing input, a wrong type or shape, and for guidance without a negative.
    """
    (sample, shape), *others = signature.inputs
    noise = checked_tensor({"noise": drawing.noise}, "noise", (signature.noise_pictures, *shape[1:]))
    held: list[object] = [noise]
    latent = None
    if drawing.latent is not None:
        latent = checked_tensor({sample: drawing.latent}, sample, shape)
        held.append(latent)
    told = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)(
        lambda _, done, calls: progress(done, calls)
    )
    structure = _structure(others)()
    structure.noise = noise.data_ptr()
    structure.latent = None if latent is None else latent.data_ptr()
    structure.start = drawing.start
    structure.progress = told
    if others:
        structure.guidance = drawing.guidance
        parts = {"given": drawing.conditions} | ({"negative": drawing.negative} if drawing.guides else {})
        for part, conditions in parts.items():
            for name, wanted in others:
                tensor = checked_tensor(conditions, name, wanted)
                held.append(tensor)
                setattr(getattr(structure, part), name, tensor.data_ptr())
    return WrittenDrawing(structure, (told, *held))


def checked_tensor(inputs: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """An int16 tensor of a shape, contiguous. Raises DgqcError where it is missing or another one."""
    tensor = inputs.get(name)
    if tensor is None:
        raise DgqcError(f"The input {name} is missing; the program takes it as int16 of shape {shape}.")
    if tensor.dtype != torch.int16 or tuple(tensor.shape) != shape:
        raise DgqcError(
            f"The input {name} must be int16 of shape {shape} but is {tensor.dtype} of {tuple(tensor.shape)}."
        )
    return tensor.contiguous()


def _structure(conditions: NamedShapes) -> Any:
    """The type that `NAME_loop.h` declares."""
    pointer = ctypes.c_void_p
    parts: list[tuple[str, Any]] = []
    if conditions:
        fields = [(name, pointer) for name, _ in conditions]
        inner = type("Conditions", (ctypes.Structure,), {"_fields_": fields})
        parts = [("given", inner), ("negative", inner), ("guidance", ctypes.c_int32)]
    told = ctypes.CFUNCTYPE(None, pointer, ctypes.c_int32, ctypes.c_int32)
    whole: list[tuple[str, Any]] = [
        ("seed", ctypes.c_uint32),
        ("noise", pointer),
        ("latent", pointer),
        ("start", ctypes.c_int32),
        *parts,
        ("progress", told),
        ("argument", pointer),
    ]
    return type("DrawingStructure", (ctypes.Structure,), {"_fields_": whole})
