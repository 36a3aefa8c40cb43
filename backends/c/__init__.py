"""The C backend: integer programs as C99 without libc, allocation or floating point (docs/c-backend.md)."""

from ...ir.vector import Vector
from .build import build, find_compiler
from .emit import emit
from .loop import Drawing
from .project import Signature
from .run import CProgram
from .storage import Storage

__all__ = ["CProgram", "Drawing", "Signature", "Storage", "Vector", "build", "emit", "find_compiler"]
