"""Integers written as MLIR: arithmetic on numbers, loops over tensors."""
