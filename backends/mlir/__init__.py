"""The MLIR backend: integer programs as linalg on tensors, run by IREE or LLVM (docs/mlir.md).

Only what runs imports torch-mlir or IREE: `missing` says what isn't installed.
"""

from .execution.packages import missing

__all__ = ["missing"]
