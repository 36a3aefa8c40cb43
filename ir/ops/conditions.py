"""What only the timestep and the added conditions go through, beside pointwise ops (`function.py`)."""

from __future__ import annotations

import torch

from .captured import CapturedOp, register_captured

aten = torch.ops.aten

OF_CONDITIONS = (
    aten.any.default,
    aten.any.dim,
    aten.any.dims,
    aten.argmax.default,
    aten.argmin.default,
    aten.cumsum.default,
    aten.diagonal.default,
    aten.gather.default,
    aten.index_put.default,
    aten.masked_scatter.default,
    aten.prod.default,
    aten.prod.dim_int,
    aten.scatter.src,
    aten.scatter.value,
    aten.scatter_add.default,
    aten.scatter_reduce.two,
    aten.one_hot.default,
    aten.bucketize.Tensor,
)
"""They pick, sort or add up in ways that have no integer form."""

register_captured(
    *(
        CapturedOp(target, conditioning=True)
        for target in (*OF_CONDITIONS, aten.embedding.default, aten.expand.default, aten.to.dtype)
    )
)
