"""The C backend: integer programs as C99 without libc, allocation or floating point (docs/c-backend.md)."""

from ...ir.vector import DrawingVector, Vector
from .build import build, find_compiler
from .emit import emit
from .project import Signature
from .run import CProgram
from .storage import Storage

__all__ = ["CProgram", "DrawingVector", "Signature", "Storage", "Vector", "build", "emit", "find_compiler"]
