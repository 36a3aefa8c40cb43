"""Images in bands: how each op computes some lines of its result, from which lines of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from ....ir.nodes import arguments
from ....ir.ops.integer import integer_op
from ....passes.graph.edit import add_constant, aten, call, constant, dgqc, shape
from ..kernels.product_sums import share_memory_of

LINES = 1
"""The axis of an image along which it is cut: its lines, one below the other."""


@dataclass(frozen=True)
class Band:
    """The lines first .. end - 1 of an image."""

    first: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.first


@dataclass
class Bands:
    """The bands of a graph's images, as they are made; new nodes go to the graph's insertion point.

    heights: lines of a band, for each size (H, W) that is cut. parts: the bands of each image that is cut, in
    order. sums: of an image's channels. made: lines that were put together.
    """

    module: fx.GraphModule
    heights: Mapping[tuple[int, int], int]
    parts: dict[fx.Node, list[tuple[Band, fx.Node]]] = field(default_factory=dict)
    sums: dict[fx.Node, fx.Node] = field(default_factory=dict)
    made: dict[tuple[fx.Node, Band], fx.Node] = field(default_factory=dict)

    @property
    def graph(self) -> fx.Graph:
        return self.module.graph

    def of(self, size: tuple[int, int]) -> list[Band]:
        """The bands of images of this size."""
        height = self.heights[size]
        return [Band(first, min(first + height, size[0])) for first in range(0, size[0], height)]

    def lines(self, image: fx.Node, band: Band) -> fx.Node:
        """Some lines of an image: a view where one band, or an image in one piece, has them all."""
        key = (image, band)
        if key not in self.made:
            self.made[key] = self._lines(image, band)
        return self.made[key]

    def whole(self, image: fx.Node) -> fx.Node:
        """An image in one piece."""
        return self.lines(image, Band(0, shape(image)[LINES]))

    def add(
        self, target: Any, args: tuple[Any, ...], like: fx.Node, size: tuple[int, ...], name: str = "band"
    ) -> fx.Node:
        """A new node, with a value of this size and the type of the node that it is a part of."""
        made = call(self.graph, target, args, like, f"{like.name}_{name}")
        made.meta["val"] = like.meta["val"].new_empty(size)
        share_memory_of(made, like)
        return made

    def positions(self, group: fx.Node, band: Band, width: int) -> fx.Node:
        """The groups of a band's pixels. group: a constant, (H * W,)."""
        own = constant(self.module, group)[band.first * width : band.end * width]
        return add_constant(self.module, f"{group.target}_band", own.clone())

    def cut(self, image: fx.Node, first: int, end: int) -> fx.Node:
        """A view of lines of a node."""
        old = shape(image)
        if (first, end) == (0, old[LINES]):
            return image
        size = (old[0], end - first, *old[2:])
        return self.add(aten.slice.Tensor, (image, LINES, first, end, 1), image, size, "lines")

    def _lines(self, image: fx.Node, band: Band) -> fx.Node:
        if image in self.parts:
            pieces = [
                self.cut(part, max(band.first - own.first, 0), min(band.end, own.end) - own.first)
                for own, part in self.parts[image]
                if own.first < band.end and band.first < own.end
            ]
            size = (1, band.count, *shape(image)[2:])
            if len(pieces) == 1:
                return pieces[0]
            return self.add(aten.cat.default, (pieces, LINES), image, size, "lines")
        if enlarges(image) and shape(image)[1:3] in self.heights:
            return self._enlarged(image, band)
        return self.cut(image, band.first, band.end)

    def _enlarged(self, image: fx.Node, band: Band) -> fx.Node:
        """Lines of an enlarged image, from those that they repeat: where it is read it is made."""
        a = arguments(image)
        times = a["height"] // shape(a["x"])[LINES]
        source = Band(band.first // times, -(-band.end // times))
        size = (1, source.count * times, *shape(image)[2:])
        x = self.lines(a["x"], source)
        made = self.add(dgqc.upsample_nearest.default, (x, size[1], a["width"]), image, size, "lines")
        return self.cut(made, band.first - source.first * times, band.end - source.first * times)


Rule = Callable[[fx.Node, Band, Bands], fx.Node]
"""rule(node, band, bands): these lines of the node's result."""


def enlarges(node: fx.Node) -> bool:
    """Whether a node repeats lines a whole number of times."""
    if node.target is not dgqc.upsample_nearest.default or not is_image(node):
        return False
    a = arguments(node)
    return bool(a["height"] % shape(a["x"])[LINES] == 0)


def is_image(node: Any) -> bool:
    """Whether a value is one image (1, H, W, C)."""
    if not isinstance(node, fx.Node) or not hasattr(node.meta.get("val"), "shape"):
        return False
    return len(shape(node)) == 4 and shape(node)[0] == 1


def rule_of(node: fx.Node) -> Rule | None:
    """How an image is computed in bands; None where it can only be computed whole."""
    if node.op != "call_function" or not is_image(node):
        return None
    a = arguments(node)
    if node.target is dgqc.conv2d.default:
        return _convolved if a["stride"] == [1, 1] and shape(a["x"])[:3] == shape(node)[:3] else None
    if node.target is dgqc.conv2d_pixel.default:
        lines, above = shape(a["weight"])[1], a["padding"][0]
        same = a["stride"] == [1, 1] and shape(a["x"])[:3] == shape(node)[:3] and lines == 2 * above + 1
        return _convolved if same else None
    if node.target is dgqc.group_norm.default:
        # Wide values have no sums of channels.
        narrow = all(one.meta["val"].itemsize == 2 for one in (node, a["x"]))
        return _normalized if narrow else None
    return _pixel_by_pixel if _keeps_pixels(node, a) else None


def _keeps_pixels(node: fx.Node, a: dict[str, Any]) -> bool:
    """Whether each pixel of the result depends on that pixel of its arguments alone."""
    known = integer_op(node)
    alone = node.target in (dgqc.quantize.default, dgqc.gather.default)
    if known is None or not (known.elementwise or alone):
        return False
    if "axis" in a and a["axis"] % 4 != 3:
        return False
    return all(_fits(one, node) for one in node.args[: known.elementwise or 1])


def _fits(one: Any, node: fx.Node) -> bool:
    """Whether an argument has this node's pixels, or the same for all of them."""
    if not isinstance(one, fx.Node):
        return True
    return shape(one)[:3] == shape(node)[:3] or set(shape(one)[:-1]) <= {1}


def _pixel_by_pixel(node: fx.Node, band: Band, bands: Bands) -> fx.Node:
    size = (1, band.count, *shape(node)[2:])
    args = tuple(
        bands.lines(one, band) if isinstance(one, fx.Node) and _has_pixels(one, node) else one
        for one in node.args
    )
    return bands.add(node.target, args, node, size)


def _has_pixels(one: Any, node: fx.Node) -> bool:
    return is_image(one) and shape(one)[:3] == shape(node)[:3]


def _convolved(node: fx.Node, band: Band, bands: Bands) -> fx.Node:
    """Lines above and below are read, too. At the image's ends a line that isn't wanted is computed as well,
    since padding is the same above and below."""
    a, height = arguments(node), shape(node)[LINES]
    above = a["padding"][0]
    below = shape(a["weight"])[1] - 1 - above
    first, end = max(band.first - above, 0), min(band.end + below, height)
    inside = (first, end) == (band.first - above, band.end + below)
    x = bands.lines(a["x"], Band(first, end))
    padding = [0 if inside else above, a["padding"][1]]
    lines = end - first + 2 * padding[0] - above - below
    values = {**a, "x": x, "padding": padding}
    if node.target is dgqc.conv2d_pixel.default:
        begin = band.first if inside else first
        values["group"] = bands.positions(a["group"], Band(begin, begin + lines), shape(node)[2])
    made = bands.add(node.target, tuple(values.values()), node, (1, lines, *shape(node)[2:]))
    begin = 0 if inside else band.first - first
    return bands.cut(made, begin, begin + band.count)


def _normalized(node: fx.Node, band: Band, bands: Bands) -> fx.Node:
    a, size = arguments(node), (1, band.count, *shape(node)[2:])
    if node not in bands.sums:
        bands.sums[node] = _sums(a["x"], node, bands)
    positions = shape(node)[1] * shape(node)[2]
    rest = tuple(value for name, value in a.items() if name not in ("x", "step", "width"))
    args = (bands.lines(a["x"], band), bands.sums[node], positions, a["step"], *rest)
    return bands.add(dgqc.normalize.default, args, node, size)


def _sums(x: fx.Node, node: fx.Node, bands: Bands) -> fx.Node:
    """Of all bands, one after another."""
    sums = None
    for band in bands.of(shape(node)[1:3]):  # type: ignore[arg-type]
        part = bands.lines(x, band)
        sums = call(bands.graph, dgqc.channel_sums.default, (sums, part), node, f"{node.name}_sums")
    assert sums is not None
    return sums
