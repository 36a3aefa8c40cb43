"""What an emitted program is called with: tensors that are checked, and a drawing as C lays it out."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....ir.drawing import Drawing, Watcher
from ...checked_input import checked_input
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
    noise = checked_input({"noise": drawing.noise}, "noise", (signature.noise_pictures, *shape[1:]))
    held: list[object] = [noise]
    latent = None
    if drawing.latent is not None:
        latent = checked_input({sample: drawing.latent}, sample, shape)
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
                tensor = checked_input(conditions, name, wanted)
                held.append(tensor)
                setattr(getattr(structure, part), name, tensor.data_ptr())
    return WrittenDrawing(structure, (told, *held))


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
