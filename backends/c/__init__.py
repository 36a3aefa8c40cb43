"""The C backend: integer programs as C99 without libc, allocation or floating point (docs/c-backend.md)."""

from ...ir.vector import DrawingVector, Vector
from .emission.emit import emit
from .emission.project import Signature
from .emission.storage import Storage
from .execution.build import build
from .execution.run import CProgram
from .execution.toolchain import find_compiler

__all__ = ["CProgram", "DrawingVector", "Signature", "Storage", "Vector", "build", "emit", "find_compiler"]
