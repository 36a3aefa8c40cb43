"""The C backend: integer programs as C99 without libc, allocation or floating point (docs/c-backend.md)."""

from .emit import emit
from .loop import Drawing
from .project import Signature, Vector
from .run import CProgram, build, find_compiler

__all__ = ["CProgram", "Drawing", "Signature", "Vector", "build", "emit", "find_compiler"]
