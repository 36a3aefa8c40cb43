"""Methods to quantize: ours and published ones, each a choice of passes and options on one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

_FRONT = "fold-time-embedding,split-prologue,"
_START = "split-start-token,"
_SITES = (
    "insert-sites{bits=$activations,edges=$edges},merge-quantizers,"
    "quantize-weights{bits=$weights,edges=$edges$method$wide},"
)
_GROUPS = "observe-ranges,outlier-dims,kmeans-groups{groups=$groups},"
_OUR_GROUPS = (
    "observe-ranges$heard,balance-channels,outlier-dims,"
    "$grouping-groups{groups=$groups},${ranges}widen-ranges,"
)
_STATIC = "observe-ranges,static-ranges,"
_LAYERWISE = "outlier-dims,kmeans-groups{groups=1},"
_SCALES = "choose-exponents,timestep-tables,"
_OUR_SCALES = "choose-exponents,${absorbed}timestep-tables,"
_TABLES = "uniform-quant," + _SCALES
_BRECQ = "brecq{iterations=$iterations,rate=$rate},"
_REST = "measure-error,lower-integer"

_EDA = (
    _FRONT
    + _SITES
    + _STATIC
    + "split-shortcuts,"
    + _LAYERWISE
    + "search-ranges{samples=16},"
    + _TABLES
    + "fbr{iterations=$iterations,rate=$rate},"
    + _REST
)

PIPELINE = Template(
    _FRONT
    + "balance-queries,"
    + _START
    + _SITES.replace("quantize-weights", "${branches}quantize-weights")
    + _OUR_GROUPS
    + "$probabilities,"
    + _OUR_SCALES
    + "${assigned}${rounding}${kept}${cached}"
    + _REST
)
"""Our own. For a model without text, split-start-token does nothing."""


@dataclass(frozen=True)
class Method:
    """A published way to quantize. about: one line. settings: keys that it takes, with their defaults."""

    about: str
    pipeline: Template
    settings: Mapping[str, str]


_WIDTHS = {"edges": "8", "w8": ""}
_DGQ = {**_WIDTHS, "scale": "tensor", "probabilities": "log2"}
_LEARNED = {"iterations": "1000", "rate": "0.01"}
"""Published are 20000 iterations at a rate of 0.001, which take a GPU."""

OURS = Method(
    "groups shared by all calls, attention coded as fits each, weights rounded with compensation",
    PIPELINE,
    {
        **_WIDTHS,
        "grouping": "error",
        "scale": "row",
        "probabilities": "",
        "ranges": "",
        "rounding": "auto",
        "keep": "auto",
        "branches": "auto",
        "interval": "1",
        "size": "",
    },
)

METHODS: Mapping[str, Method] = {
    "naive": Method(
        "per layer, one range for all calls, minimum to maximum",
        Template(_FRONT + _SITES + _STATIC + _LAYERWISE + _TABLES + _REST),
        _WIDTHS,
    ),
    "q-diffusion": Method(
        "per layer, one searched and learned range for all calls, split shortcuts, BRECQ",
        Template(
            _FRONT
            + _SITES
            + _STATIC
            + "split-shortcuts,"
            + _LAYERWISE
            + "search-ranges{samples=16},"
            + _TABLES
            + _BRECQ
            + "learn-scales{iterations=$iterations},"
            + _REST
        ),
        {**_WIDTHS, **_LEARNED},
    ),
    "tfmq": Method(
        "per layer and call, BRECQ; the time embedding, which TFMQ-DM repairs, is folded exactly",
        Template(_FRONT + _SITES + "observe-ranges," + _LAYERWISE + _TABLES + _BRECQ + _REST),
        {**_WIDTHS, **_LEARNED},
    ),
    "eda": Method(
        "EDA-DM: per layer, one searched range for all calls, fine-grained block reconstruction",
        Template(_EDA),
        {**_WIDTHS, "iterations": "1000", "rate": "0.03"},
    ),
    "dgq": Method(
        "the paper in integers, with its scale per tensor of scores and BRECQ weights",
        Template(_FRONT + _START + _SITES + _GROUPS + "$probabilities," + _SCALES + _BRECQ + _REST),
        {**_DGQ, **_LEARNED},
    ),
    "svdquant": Method(
        "SVDQuant: branches of low rank in 16 bits beside all layers but the first and last, GPTQ",
        Template(
            _FRONT
            + _START
            + _SITES.replace("quantize-weights", "low-rank{rank=$rank,share=1000},quantize-weights")
            + "observe-ranges,balance-channels{gain=1},outlier-dims,kmeans-groups{groups=$groups},"
            + "uniform-quant{scale=row},"
            + _SCALES
            + "gptq,"
            + _REST
        ),
        {**_WIDTHS, "rank": "32"},
    ),
    "dilatequant": Method(
        "DilateQuant: weights dilated within their rows' scales, a range per layer and call, BRECQ",
        Template(
            _FRONT
            + _SITES
            + "observe-ranges,balance-channels{method=dilate,gain=0.01},"
            + _LAYERWISE
            + _TABLES
            + _BRECQ
            + _REST
        ),
        {**_WIDTHS, **_LEARNED},
    ),
    "cachequant": Method(
        "CacheQuant: EDA-DM, and calls that take a corrected feature of an earlier one, on average so many",
        Template(_EDA.replace("measure-error", "${published}measure-error")),
        {**_WIDTHS, "iterations": "1000", "rate": "0.03", "interval": "5"},
    ),
    "mixdq": Method(
        "MixDQ: the start token folded, a range per layer for all calls, widths mixed to means",
        Template(
            _FRONT
            + "fold-start-token{missing=leave},"
            + _START
            + _SITES
            + _STATIC
            + _LAYERWISE
            + _TABLES
            + "assign-bits{weights=$weights,activations=$activations},"
            + _REST
        ),
        _WIDTHS,
    ),
    "dgq-exact": Method(
        "the paper's own quantizer, grouped anew at each call over im2col matrices; simulated level only",
        Template(
            _FRONT
            + _START
            + _SITES
            + "step-groups{groups=$groups},log-quant{scale=$scale},"
            + _BRECQ
            + "simulate"
        ),
        {"edges": "16", "w8": "", "scale": "tensor", **_LEARNED},
    ),
}
