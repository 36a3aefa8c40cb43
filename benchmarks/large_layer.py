"""One convolution in a size of Stable Diffusion's, rounded with compensation: time, memory, what it gains.

    python benchmarks/large_layer.py --channels 1280 640 --size 16 --spans 2560 11520

Channels in and out of a kernel of 3 x 3; smooth random images of mixed channels stand for activations, of
which the quantized network has those in 6 bits. Gains are on rounding to nearest, on images that were looked
at and on others. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import fx
from torch.nn.functional import interpolate, silu, unfold

from dgqc.ir.parallel import single_threaded
from dgqc.ir.peak_memory import peak_memory
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest
from dgqc.passes.weights.reconstruction import compensate
from dgqc.passes.weights.reconstruction.compensated_rounding import factors_of, rounded
from dgqc.passes.weights.reconstruction.layer_rows import LayerRows, Span
from dgqc.passes.weights.reconstruction.row_means import means

DAMPING, RIDGE, BITS = 0.03, 0.3, 4


class Convolution(LayerRows):
    """Rows of images in the place of a program's. images: (B, C, H, W), one a chunk."""

    def __init__(self, weight: torch.Tensor, images: torch.Tensor, seen: torch.Tensor) -> None:
        """images, seen: as the float and the quantized network have them."""
        self.__dict__.update(weight=weight, images=images, seen=seen)

    @property
    def chunks(self) -> int:
        return len(self.images)

    @property
    def site(self) -> fx.Node:
        return fx.Graph().placeholder("x")

    def inputs(self, chunk: int, span: Span) -> torch.Tensor:
        return unfold(self.seen[chunk : chunk + 1, span.channels], 3, padding=1)[0].T.contiguous()

    def targets(self, chunk: int) -> torch.Tensor:
        return unfold(self.images[chunk : chunk + 1], 3, padding=1)[0].T @ self.matrix.T


def images(count: int, channels: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Activations: a quarter as many smooth fields, mixed, with a little noise of each channel's own."""
    fields = torch.randn(count, channels // 4, size // 4, size // 4, generator=generator)
    smooth = interpolate(fields, scale_factor=4, mode="bicubic")
    mix = torch.randn(channels, channels // 4, generator=torch.Generator().manual_seed(1))
    mixed = torch.einsum("cf,bfhw->bchw", mix, smooth) / math.sqrt(channels // 4)
    return silu(mixed + 0.2 * torch.randn(mixed.shape, generator=generator))


def quantized(x: torch.Tensor) -> torch.Tensor:
    """In 6 bits, one scale for all."""
    step = (x.max() - x.min()) / 63
    return torch.round(x / step) * step


def error(rows: Convolution, codes: torch.Tensor, scale: torch.Tensor) -> float:
    """The mean of |x w^ - y|^2."""
    weight = (codes.double() * scale[:, None]).float()
    (whole,) = rows.spans(10**9)
    each = [(rows.inputs(c, whole) @ weight.T - rows.targets(c)).square().mean() for c in range(rows.chunks)]
    return float(torch.stack(each).mean())


def apart(rows: Convolution, scale: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """Codes of spans that know nothing of each other, and whose weights don't move."""
    found = []
    for span in spans:
        weight = rows.matrix[:, span.columns].double()
        matrix, _ = means(rows.chunks, partial(_inputs, rows, span), weight.shape[1], [], moments=True)
        assert matrix is not None
        found.append(rounded(weight / scale[:, None], *factors_of(matrix, [DAMPING]), 2 ** (BITS - 1)))
    return torch.cat(found, dim=1)


def _inputs(rows: Convolution, span: Span, chunk: int) -> torch.Tensor:
    return rows.inputs(chunk, span)


def measured(rows: Convolution, others: Convolution, size: int, together: bool) -> dict[str, float]:
    """One way to round it. together: whether spans make up for each other."""
    plan = round_to_nearest(rows.weight, BITS, RangeMethod.MSE)
    codes, spans, begun = plan.codes.reshape(rows.matrix.shape), rows.spans(size), time.process_time()
    layer = compensate.GivenLayer(rows, codes, plan.scale, 2 ** (BITS - 1))
    how = compensate.Compensation(DAMPING, RIDGE, 10**9)
    if not together:
        found, scale = apart(rows, plan.scale, spans), plan.scale
    else:
        outcome = how._at_once(layer, spans[0], {}) if len(spans) == 1 else how._by_spans(layer, spans)
        found, scale = outcome.codes, outcome.found.best_scale(plan.scale)
    seconds = time.process_time() - begun
    gains = [error(one, codes, plan.scale) / error(one, found, scale) for one in (rows, others)]
    return {
        "spans": len(spans),
        "seconds of a processor": round(seconds, 1),
        "peak of memory so far, MB": round(peak_memory() / 1e6),
        "gain, dB": round(10 * math.log10(gains[0]), 2),
        "gain on other images, dB": round(10 * math.log10(gains[1]), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--channels", type=int, nargs=2, default=[1280, 640])
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--spans", type=int, nargs="+", default=[2560, 11520])
    given = parser.parse_args()
    inner, outer = given.channels
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outer, inner, 3, 3, generator=generator) / math.sqrt(9 * inner)
    seen, other = (images(count, inner, given.size, generator) for count in (given.images, 4))
    rows, others = (Convolution(weight, one, quantized(one)) for one in (seen, other))
    with single_threaded(), torch.no_grad():
        found = {f"{size} together": measured(rows, others, size, together=True) for size in given.spans}
        least = min(given.spans)
        found[f"{least} apart"] = measured(rows, others, least, together=False)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
