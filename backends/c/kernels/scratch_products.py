"""What linear and convolutions cut off their memory (see `scratch.py`)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .product_sums import QUAD, arithmetic, combination, groups_channels, has_image

dgqc = torch.ops.dgqc

PANEL = 16
"""Columns of a panel of weights."""
BLOCK_ROWS = 64
"""Rows that a kernel multiplies at once, however many it is given."""
PRODUCT_BYTES, GENERAL_BYTES = 192, 64
"""What a kernel notes about a call at the beginning of its shared memory."""
SPAN_BYTES, RUN_BYTES, STRETCH_BYTES = 20, 16, 32
ROWS, COLUMNS = 32, 4
"""Rows and columns that a general kernel computes at once (dgqc_internal.h)."""


def shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """What `begin` prepares."""
    weight, found = value_of(a["weight"]), combination(node)
    columns = weight.shape[0]
    if found is None:
        count = weight.shape[-1] if groups_channels(node) else value_of(a["group"]).numel()
        return (GENERAL_BYTES, 8 * columns, 8 * columns, 4 * count, 4 * count)
    columns = -(-columns // PANEL) * PANEL
    sums = () if groups_channels(node) else (4 * columns,)
    spans, taps = len(found.spans), math.prod(weight.shape[1:-1])
    runs = (RUN_BYTES * spans * taps, STRETCH_BYTES * len(found.ends))
    tables = (SPAN_BYTES * spans, 4 * spans, 4 * spans, found.row_bytes, *runs)
    image = (_image_bytes(a, found.row_bytes),) if has_image(node) else ()
    return (PRODUCT_BYTES, 4 * columns, 8 * columns, *sums, *tables, *image)


def scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """What `rows` needs for blocks of so many rows."""
    found = combination(node)
    if found is None:
        return _general(node, a, min(rows, ROWS))
    if has_image(node):
        return ()
    if node.target is dgqc.conv2d_pixel.default:
        return (min(rows, BLOCK_ROWS) * found.row_bytes * math.prod(value_of(a["weight"]).shape[1:-1]),)
    # A kernel takes scratch memory always or never.
    return (1 if found.is_spread else min(rows, BLOCK_ROWS) * found.row_bytes,)


def _general(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    weight, value = value_of(a["weight"]), 2 if arithmetic(node).narrow else 4
    depth = math.prod(weight.shape[1:-1]) * -(-weight.shape[-1] // QUAD) * QUAD
    codes = (depth,) if node.target is dgqc.conv2d_pixel.default else ()
    return (rows * depth * value, *codes, COLUMNS * depth * value)


def _image_bytes(a: dict[str, Any], pixel: int) -> int:
    _, height, width, _ = shape_of(a["x"])
    vertical, horizontal = a["padding"]
    return int((height + 2 * vertical) * (width + 2 * horizontal)) * pixel
