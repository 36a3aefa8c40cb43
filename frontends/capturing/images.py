"""Pixels that a model holds in a row: sums and norms of them are computed on the image that they are of.

Attention of the guided-diffusion kind computes `x.reshape(b, c, -1)` and adds to that. A value of three axes
has its channels last, as tokens do; on the image they are where everybody looks for them.
"""

from __future__ import annotations

from torch import fx

from ...ir.ops.captured import captured_op, is_view, product_kind
from .graph_builder import aten
from .rewriter import Rewriter


def image_of(value: object) -> fx.Node | None:
    """The image (B, C, H, W) whose pixels a value (B, C, H * W) holds in a row; None where it holds none."""
    if not isinstance(value, fx.Node) or value.target is not aten.reshape.default:
        return None
    source = value.args[0]
    assert isinstance(source, fx.Node)
    before, after = (tuple(one.meta["val"].shape) for one in (source, value))
    in_a_row = len(before) == 4 and len(after) == 3 and before[:2] == after[:2]
    return source if in_a_row and _is_image(source) else None


def sum_on_image(rewriter: Rewriter, left: fx.Node, right: fx.Node) -> fx.Node | None:
    """The sum of two values of one shape, of which one is an image's; None where neither is."""
    image = image_of(left) or image_of(right)
    shape = list(left.meta["val"].shape)
    if image is None or shape != list(right.meta["val"].shape):
        return None
    sides = [rewriter.reshape(one, list(image.meta["val"].shape)) for one in (left, right)]
    return rewriter.reshape(rewriter.emit(aten.add.Tensor, *sides), shape)


def _is_image(value: fx.Node) -> bool:
    """Whether axis 1 of four holds channels, not heads or tokens: convolutions and group norms say so."""
    if value.meta["val"].dim() != 4:
        return False
    if value.target in (aten.conv2d.default, aten.group_norm.default):
        return True
    other = captured_op(value) is None or is_view(value) or product_kind(value) is not None
    return not other and any(_is_image(one) for one in value.all_input_nodes)
