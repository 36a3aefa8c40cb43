"""Convolutions of tiles of 4x4 pixels, by Winograd's F(2x2, 3x3): which these are, and what they need."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import operand_codes, shape_of, value_of
from ....ir.nodes import arguments
from .product_sums import combination, has_image
from .runtime_header import defined

dgqc = torch.ops.dgqc

TILES, PLACES = defined("DGQC_WINOGRAD_TILES"), defined("DGQC_WINOGRAD_PLACES")
SEGMENTS, APART = defined("DGQC_WINOGRAD_SEGMENTS"), defined("DGQC_WINOGRAD_APART")
MOST_CODE = 63
"""Sums and differences of four codes up to this fit a byte."""
FEWEST_CHANNELS, FEWEST_COLUMNS, FEWEST_POSITIONS = 128, 128, 64
"""Below these, to change pixels and weights takes more than it spares."""
LEAST_WEIGHT, TAPS = 8, 9
LIMIT = 2.0**29
"""A tile's sums are four times the results."""


def takes_tiles(node: fx.Node) -> bool:
    """Whether a convolution can be multiplied by tiles: 3x3 taps on every pixel of an image with even sides,
    codes of up to 6 bits, weights of up to 4 whose groups' multiples are small."""
    a, found = arguments(node), combination(node)
    if found is None or not has_image(node) or not found.absorbs or len(found.segments) > SEGMENTS:
        return False
    columns, *taps, channels = value_of(a["weight"]).shape
    _, height, width, _ = shape_of(a["x"])
    window = (*taps, *a["stride"], *a["padding"])
    if window != (3, 3, 1, 1, 1, 1) or height % 2 or width % 2:
        return False
    zero, largest = value_of(a["zero"]), int(value_of(a["multiple"]).max())
    codes = operand_codes(node)[1] <= MOST_CODE and int(zero.min()) >= 0 and int(zero.max()) <= MOST_CODE
    fits = TAPS * channels * MOST_CODE * LEAST_WEIGHT * largest < LIMIT
    large = channels >= FEWEST_CHANNELS and columns >= FEWEST_COLUMNS
    return codes and fits and large and math.prod(shape_of(node)[:-1]) >= FEWEST_POSITIONS


def doubles_pixels(node: fx.Node) -> bool:
    """Whether the image was made twice as high and wide from the nearest pixels, channel by channel since."""
    x = arguments(node)["x"]
    while _keeps_pixels(x):
        x = arguments(x)["x"]
    if x.target is not dgqc.upsample_nearest.default:
        return False
    (_, height, width, _), (_, out_height, out_width, _) = shape_of(arguments(x)["x"]), shape_of(x)
    return (out_height, out_width) == (2 * height, 2 * width)


def _keeps_pixels(node: fx.Node) -> bool:
    """Whether equal pixels stay equal, wherever they lie."""
    if node.target not in (dgqc.quantize.default, dgqc.gather.default):
        return False
    a = arguments(node)
    by_channel = a["axis"] % len(shape_of(node)) == len(shape_of(node)) - 1
    return by_channel or (node.target is dgqc.quantize.default and not bool(value_of(a["group"]).any()))


def offset_bytes(node: fx.Node) -> int:
    """What each column's four results of a tile have too much, for whole tiles of any machine."""
    widest = 2 * defined("DGQC_PANEL_COLUMNS")
    return 4 * 4 * -(-shape_of(node)[-1] // widest) * widest


def tile_scratch(node: fx.Node, row_bytes: int) -> tuple[int, ...]:
    """Weights, sums and pixels of the tiles that are multiplied at once. row_bytes: of a pixel."""
    tiles = min(TILES, math.prod(shape_of(node)[:-1]) // 4)
    return (
        defined("DGQC_WINOGRAD_WEIGHTS"),
        defined("DGQC_WINOGRAD_SUMS"),
        PLACES * (tiles * row_bytes + APART),
    )


def tiled_rows(node: fx.Node, a: dict[str, Any]) -> tuple[int, int]:
    """Rows that stay together, two lines of the image; and as many of these as make up all tiles at once."""
    if not has_image(node) or not takes_tiles(node):
        return 1, 1
    together, rows = 2 * shape_of(node)[2], math.prod(shape_of(node)[:-1])
    return together, min(rows, -(-4 * TILES // together) * together)
