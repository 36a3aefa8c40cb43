"""What stands behind `-O`: a preset is a name for a pipeline's text."""

from __future__ import annotations

import re
from string import Template

from ..ir.errors import PipelineError

PRESETS = ("w8a8", "w8a6", "w8a4", "w4a8", "w4a6", "w4a4")
"""Bits of weights, bits of activations. `w4a6` means 8 groups, `w4a6g16` 16, `w4a6g1` none."""

DEFAULT_PRESET = "w4a6"

PIPELINE = Template(
    "fold-time-embedding,split-prologue,split-start-token,"
    "insert-sites{bits=$activations,edges=$edges},merge-quantizers,"
    "quantize-weights{bits=$weights,edges=$edges},observe-ranges,"
    "outlier-dims,kmeans-groups{groups=$groups},$probabilities{scale=$scale},"
    "timestep-tables,measure-error,lower-integer,permute-channels,$streams,plan-memory"
)
"""The one pipeline of all presets. For a model without text, split-start-token does nothing."""

_DEFAULTS = {"edges": "8", "scale": "row", "probabilities": "log2"}
_CHOICES = {
    "edges": (*(str(bits) for bits in range(2, 9)), "16"),
    "scale": ("row", "tensor", "static"),
    "probabilities": ("log2", "uniform"),
    "tile": ("2", "4", "8", "16", "32", "64", "128", "256"),
}
_PRESET = re.compile(r"w(?P<weights>\d)a(?P<activations>\d)(g(?P<groups>[1-9]\d{0,2}))?")


def pipeline_for(opt: str) -> str:
    """The pipeline of an -O string: `w4a6`, `w4a6g16`, `w8a8,edges=8,scale=tensor,probabilities=uniform`.

    edges: bits of the first and the last convolution, 16 to leave them unquantized. scale: what shares a
    scale of attention probabilities; static is one per call, for uniform ones. probabilities: how they are
    coded. tile: KiB of a thread's own memory, little for a microcontroller; half a core's cache if not said.
    Raises PipelineError for an unknown preset, an unknown key or a value out of place.
    """
    preset, *settings = (part.strip() for part in opt.split(","))
    found = _PRESET.fullmatch(preset)
    if not found or preset.partition("g")[0] not in PRESETS or int(found["groups"] or 8) > 256:
        raise PipelineError(
            f"There is no preset {preset!r} for -O: choose one of {', '.join(PRESETS)}, each with g1 to g256 "
            "for the number of groups (w4a6g16; 8 where it is left out)."
        )
    chosen = {**_DEFAULTS, **dict(_setting(opt, setting) for setting in settings)}
    if (chosen["probabilities"], chosen["scale"]) == ("log2", "static"):
        raise PipelineError(
            f"-O {opt} asks for a static scale, which only uniform probabilities have: add "
            "probabilities=uniform, or take scale=row or scale=tensor."
        )
    return PIPELINE.substitute(
        weights=found["weights"],
        activations=found["activations"],
        groups=found["groups"] or "8",
        edges=chosen["edges"],
        probabilities={"log2": "log-quant", "uniform": "uniform-quant"}[chosen["probabilities"]],
        scale=chosen["scale"],
        streams=f"stream-rows{{tile={chosen['tile']} rows=1}}" if "tile" in chosen else "stream-rows",
    )


def _setting(opt: str, text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if key not in _CHOICES:
        raise PipelineError(
            f"-O {opt} has {text!r} behind the preset, where only {', '.join(f'{k}=' for k in _CHOICES)} may "
            "stand."
        )
    if value not in _CHOICES[key]:
        raise PipelineError(f"-O {opt} has {text!r}, but {key} is one of {', '.join(_CHOICES[key])}.")
    return key, value
