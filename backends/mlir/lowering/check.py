"""What a finished module may hold: integers alone, and dialects that every MLIR toolchain knows."""

from __future__ import annotations

import re

from torch_mlir import ir

from ....ir.errors import DgqcError

DIALECTS = frozenset({"builtin", "func", "linalg", "tensor", "arith"})
FLOAT = re.compile(r"f\d")
"""In no name of an integer type: f32, bf16, f8E5M2, tensor<2xf64>."""


def check(module: ir.Module) -> None:
    """Raises DgqcError for the first op of another dialect or with a floating-point type."""
    module.operation.verify()

    ops: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        ops.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    for op in ops:
        if op.name.partition(".")[0] not in DIALECTS:
            raise DgqcError(
                f"The op {op.name} is left in the MLIR module ({op.location}), which may hold "
                f"{', '.join(sorted(DIALECTS))} alone; give the op a lowering (docs/mlir.md)."
            )
        blocks = (block for region in op.regions for block in region.blocks)
        values = (*op.results, *(argument for block in blocks for argument in block.arguments))
        floating = next((value.type for value in values if FLOAT.search(str(value.type))), None)
        if floating is not None:
            raise DgqcError(
                f"The op {op.name} in the MLIR module has the type {floating}, but nothing may float."
            )
