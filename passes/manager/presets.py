"""What stands behind `-O`: a preset is a name for a pipeline's text.

    preset = [ method "-" ] "w" bits "a" bits [ "g" groups ] { "," key "=" value }
           | "auto,size=" megabytes "MB" { "," key "=" value }

All methods run on one graph through the same passes; a method is a choice of passes and options.
"""

from __future__ import annotations

import re

from ...ir.errors import PipelineError
from .methods import METHODS, OURS, Method

PRESETS = (
    *("w8a8", "w8a6", "w8a4", "w4a8", "w4a6", "w4a4"),
    *("w3a8", "w3a6", "w3a4", "w2a8", "w2a6", "w2a4"),
)
"""Bits of weights, bits of activations. `w4a6` means 8 groups, `w4a6g16` 16, `w4a6g1` none."""

_ROUNDING = {
    "auto": "gptq,",
    "nearest": "",
    "gptq": "gptq,",
    "brecq": "brecq{iterations=1000,rate=0.01},",
    "fbr": "fbr{iterations=1000,rate=0.03},",
}
NIBBLE = 4
"""Bits of weights that can take up multiples."""
_FEWER = "keep-wide{poor=16,enough=30},"
_WIDE = {"w8a8": "keep-wide{poor=28,enough=38,few=16},", "w8a6": _FEWER, "w4a8": _FEWER, "w4a6": _FEWER}
"""Of 4-bit activations nothing is expected, nor of weights below 4 bits."""
_BRANCHES = {bits: "low-rank{share=10,large=leave}," for bits in ("w4a6", "w4a4")}
"""Where they were measured: 5 dB of calls for a fifth of their time."""
_RANGES = {"minmax": "", "searched": "search-ranges{candidates=9,samples=16},"}
AUTO, AUTO_BITS = "auto", "w4a8"
"""What a size alone stands for: fewer bits of activations would spare no byte, and weights begin as the
middle ones of those that are tried."""
MOVED = {"tile": "c"}
"""Keys of former releases that are options of a target now."""
_CHOICES = {
    "edges": (*(str(bits) for bits in range(2, 9)), "16"),
    "grouping": ("error", "kmeans"),
    "scale": ("row", "tensor", "static"),
    "probabilities": ("auto", "log2", "uniform"),
    "ranges": tuple(_RANGES),
    "rounding": tuple(_ROUNDING),
}
_FORMS = {
    "keep": (r"auto|none|\d{1,2}(\.\d+)?", "auto, none, or the decibels that the output is to have"),
    "branches": (
        r"auto|none|[1-9]\d{0,2}(\.\d+)?",
        "auto, none, or the percent of multiply-adds that they may add",
    ),
    "interval": (r"[1-9]\d?", "a number of calls from 1 to 99"),
    "iterations": (r"[1-9]\d{0,6}", "a number above 0"),
    "size": (r"\d{1,6}(\.\d+)?MB", "megabytes of all weights, as in 300MB"),
    "rank": (r"[1-9]\d{0,3}", "a number above 0"),
    "rate": (r"\d*\.?\d+(e-?\d+)?", "a number above 0"),
    "w8": (r"[\w.-]+(\+[\w.-]+)*", "names of layers, joined by +"),
}
"""What values look like that aren't choices, and how a message says so."""
_PRESET = re.compile(
    r"((?P<method>[a-z-]+)-)?w(?P<weights>\d)a(?P<activations>\d)(g(?P<groups>[1-9]\d{0,2}))?"
)


def pipeline_for(opt: str) -> str:
    """The pipeline of an -O string: `w4a6`, `w4a6g16`, `w8a8,scale=tensor`, `eda-w4a6,iterations=200`.

    edges: bits of the first and the last convolution, 16 to leave them unquantized. w8: layers whose weights
    have 8 bits, by their place in the model, joined by +. grouping: by the error
    that sharing a quantizer costs, or by K-means. ranges: of groups, as seen or searched; searched for 4
    bits where nothing is said. scale: what shares a scale of attention probabilities; static is one per call,
    for uniform ones. probabilities: how they are coded; auto chooses for each attention, and holds where
    scale=row and nothing else is said. rounding: of weights; auto is gptq, nearest
    the quickest, brecq and fbr take hours. keep: none leaves every layer at the preset's
    bits, however much that loses; a number is what the output is to have, in dB. branches: of low rank and
    16 bits beside layers, for so many percent of multiply-adds; auto is 10 at w4a6 and w4a4, in
    networks of up to 100 million weights. interval: how many calls one full call
    stands for, the others taking a feature of it (`cache-schedule`); 1 is none. size: of all weights' codes
    in megabytes, within which each has the width that serves the output most (`assign-bits`), and is learned
    then; `auto` is w4a8 with a size.
    iterations, rate: of methods that learn. rank: of svdquant's branches, at most.
    The text ends with the integer graph; what a target appends to it is the target's business.
    Raises PipelineError for an unknown preset, an unknown key or a value out of place.
    """
    preset, *settings = _parts(opt)
    found = _PRESET.fullmatch(preset)
    bits = f"w{found['weights']}a{found['activations']}" if found else ""
    if not found or bits not in PRESETS or int(found["groups"] or 8) > 256:
        raise PipelineError(
            f"There is no preset {preset!r} for -O: choose one of {', '.join(PRESETS)}, each with g1 to g256 "
            "for the number of groups (w4a6g16; 8 where it is left out), each after a method's name "
            f"({', '.join(f'{name}-w4a6' for name in METHODS)}) or without, or auto,size=300MB."
        )
    method = _method(preset, found["method"])
    chosen = {**method.settings, **dict(_setting(opt, method, setting) for setting in settings)}
    if found["groups"] and "$groups" not in method.pipeline.template:
        raise PipelineError(f"-O {opt} asks for groups, but {found['method']} has none; leave out the g.")
    searched = "searched" if found["activations"] == "4" else "minmax"
    chosen["ranges"] = _RANGES[chosen.get("ranges") or searched]
    chosen["wide"] = f",wide={chosen['w8']}" if chosen["w8"] else ""
    chosen["branches"] = _unless(chosen.get("branches"), _BRANCHES.get(bits, ""), "low-rank{share=%},")
    size = chosen.get("size", "").removesuffix("MB")
    chosen["assigned"] = f"assign-bits{{budget={size}}}," if size else ""
    usual = "" if size else _WIDE.get(bits, "")
    chosen["kept"] = _unless(chosen.get("keep"), usual, "keep-wide{poor=%,enough=%},")
    interval = chosen.get("interval", "1")
    for name, options in (("cached", ""), ("published", ",weigh=false,extrapolate=false,amend=false")):
        chosen[name] = "" if interval == "1" else f"cache-schedule{{interval={interval}{options}}},"
    chosen["rounding"] = _ROUNDING[chosen.get("rounding", "nearest")]
    chosen["probabilities"] = _probabilities(opt, chosen.get("probabilities", ""), chosen.get("scale", "row"))
    chosen["heard"] = "{attentions=5}" if chosen["probabilities"] == "choose-probabilities" else ""
    return method.pipeline.substitute(
        chosen,
        absorbed="absorb-multiples," if int(found["weights"]) <= NIBBLE else "",
        weights=found["weights"],
        activations=found["activations"],
        groups=found["groups"] or "8",
        method=",method=minmax" if found["method"] == "naive" else "",
    )


def changed_preset(
    opt: str,
    *,
    weights: str | None = None,
    activations: str | None = None,
    groups: str | None = None,
    **settings: str,
) -> str:
    """An -O string with other bits, groups or settings; what already is at least as wide stays.

    Raises PipelineError where the preset's method has no groups or no such setting.
    """
    preset, *given = _parts(opt)
    pipeline_for(opt)  # refuses what is no preset
    found = _PRESET.fullmatch(preset)
    assert found is not None
    wide = {"weights": weights, "activations": activations, "groups": groups}
    parts = {name: found[name] for name in wide}
    for name, value in wide.items():
        if value is not None and int(value) > int(parts[name] or 8):
            parts[name] = value
    if parts["weights"] == "8":
        settings.pop("w8", None)
    own = dict(one.split("=", 1) for one in given) | settings
    method = f"{found['method']}-" if found["method"] else ""
    count = f"g{parts['groups']}" if parts["groups"] else ""
    head = f"{method}w{parts['weights']}a{parts['activations']}{count}"
    changed = ",".join([head, *(f"{key}={value}" for key, value in own.items())])
    pipeline_for(changed)
    return changed


def _parts(opt: str) -> list[str]:
    """The preset and its settings."""
    preset, *settings = (part.strip() for part in opt.split(","))
    if preset != AUTO:
        return [preset, *settings]
    if not any(one.startswith("size=") for one in settings):
        raise PipelineError(f"-O {opt} takes a size: write auto,size=300MB, megabytes for all weights.")
    return [AUTO_BITS, *settings]


def _probabilities(opt: str, coding: str, scale: str) -> str:
    """The pass that decides on attention probabilities."""
    coding = coding or ("auto" if scale == "row" else "log2")
    if scale == "static" and coding != "uniform":
        raise PipelineError(
            f"-O {opt} asks for a static scale, which only uniform probabilities have: add "
            "probabilities=uniform, or take scale=row or scale=tensor."
        )
    if coding == "auto":
        if scale != "row":
            raise PipelineError(f"-O {opt} has probabilities=auto, which goes with scale=row alone.")
        return "choose-probabilities"
    return f"{'log-quant' if coding == 'log2' else 'uniform-quant'}{{scale={scale}}}"


def _unless(said: str | None, auto: str, passes: str) -> str:
    """Passes with what is said in the place of %, or what the default has, or nothing."""
    return {None: "", "none": "", "auto": auto}.get(said, passes.replace("%", str(said)))


def _method(preset: str, name: str | None) -> Method:
    if name is None:
        return OURS
    if name not in METHODS:
        raise PipelineError(
            f"There is no method {name!r} in the preset {preset}: choose one of {', '.join(METHODS)}, or "
            "leave it out."
        )
    return METHODS[name]


def _setting(opt: str, method: Method, text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if key in MOVED:
        target = MOVED[key]
        raise PipelineError(
            f"-O {opt} has {text!r}, an option of the target {target} now: write "
            f"--target '{target}{{{text}}}'."
        )
    if key not in method.settings:
        raise PipelineError(
            f"-O {opt} has {text!r} after the preset, where only "
            f"{', '.join(f'{k}=' for k in method.settings)} may stand."
        )
    if key in _CHOICES and value not in _CHOICES[key]:
        raise PipelineError(f"-O {opt} has {text!r}, but {key} is one of {', '.join(_CHOICES[key])}.")
    if key in _FORMS and not re.fullmatch(_FORMS[key][0], value):
        raise PipelineError(f"-O {opt} has {text!r}, but {key} is {_FORMS[key][1]}.")
    return key, value
