"""Runs MLIR programs: by IREE, by LLVM in this process."""
