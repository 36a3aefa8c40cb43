"""The joined project of a pipeline's programs, compiled and called: from words to bytes in C alone."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from ....ir.drawing import Wish
from ....ir.errors import DgqcError
from ....ir.program import Program
from ....ir.storage.leftovers import temporary_folder
from ..emission.joined import emit_joined
from ..emission.storage import weights_file
from .arenas import ARENA_ALIGNMENT, Handle
from .build import built_of_all
from .run import STATUS

NAME = "model"
OWN = f"{NAME}_parts"


class _Drawing(ctypes.Structure):
    """`NAME_parts_drawing`, as its header has it."""

    _fields_: ClassVar = [
        ("prompt", ctypes.c_char_p),
        ("negative", ctypes.c_char_p),
        ("guidance", ctypes.c_int32),
        ("seed", ctypes.c_uint32),
        ("noise", ctypes.c_void_p),
        ("latent", ctypes.c_void_p),
        ("start", ctypes.c_int32),
        ("progress", ctypes.c_void_p),
        ("argument", ctypes.c_void_p),
    ]


class CPainter:
    """Draws as the emitted program does that users build."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        """programs: laid out for C, the UNet first, that can draw from prompts.

        Raises DgqcError as `build` does.
        """
        with temporary_folder("joined") as place:
            folder = place / "project"
            emit_joined(programs, folder, NAME)
            self._library: Any = ctypes.CDLL(str(built_of_all(folder, place)))
            # Read before the folder goes.
            self._weights = _aligned((folder / weights_file(OWN)).read_bytes())
        self._arena = _aligned(bytes(self._size(f"{OWN}_arena_bytes")))
        self._programs = (Handle * len(programs))()
        init = self._library[f"{OWN}_init"]
        init.argtypes = [ctypes.c_void_p] + [ctypes.c_void_p, ctypes.c_size_t] * 2
        memory = [
            self._weights.data_ptr(),
            self._weights.numel(),
            self._arena.data_ptr(),
            self._arena.numel(),
        ]
        _refuse(init(self._programs, *memory))

    def draw(self, wish: Wish, size: int) -> torch.Tensor:
        """uint8 (size,), the bytes of a picture that has so many."""
        prompt, negative = wish.prompt.encode(), wish.negative.encode()
        latent = None if wish.latent is None else wish.latent.contiguous()
        drawing = _Drawing(
            prompt=prompt,
            negative=negative,
            guidance=wish.guidance,
            seed=wish.seed & 0xFFFFFFFF,
            latent=None if latent is None else latent.data_ptr(),
            start=wish.start,
        )
        memory = _aligned(bytes(self._size(f"{OWN}_draw_bytes", max(len(prompt), len(negative)))))
        rgb = torch.zeros(size, dtype=torch.uint8)
        function = self._library[f"{OWN}_draw"]
        function.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        given = (memory.data_ptr(), memory.numel(), ctypes.addressof(drawing), rgb.data_ptr())
        _refuse(function(self._programs, *given))
        return rgb

    def _size(self, name: str, *arguments: int) -> int:
        function = self._library[name]
        function.restype = ctypes.c_size_t
        function.argtypes = [ctypes.c_size_t] * len(arguments)
        return int(function(*arguments))


def _refuse(status: int) -> None:
    if status:
        raise DgqcError(f"The joined C project refused to draw: {STATUS[status]}.")


def _aligned(content: bytes) -> torch.Tensor:
    """The bytes at a multiple of what programs want."""
    room = torch.zeros(len(content) + ARENA_ALIGNMENT, dtype=torch.uint8)
    found = room[-room.data_ptr() % ARENA_ALIGNMENT :][: len(content)]
    found.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    return found
