"""Trained models of every family, through every preset, published method and backend: the long way.

    pytest -m slow tests/models -k "digits and w4a6"

Each is compiled as a user would who gives nothing but the model: it draws its own samples, and is checked on
a picture that did not calibrate. Two calls and four pictures, so that a preset takes seconds on the small
models and a minute or two on the demo model.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from digits.model import PIPELINE as DIGITS
from digits.model import load_unet
from families.model import Family

import dgqc
from dgqc.demo_model import pipeline_dir
from dgqc.demo_model.massive import with_massive_channels
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.verify import verify
from dgqc.passes.manager.methods import METHODS
from dgqc.passes.manager.presets import PRESETS

pytestmark = pytest.mark.slow
LEARNING = {name for name, method in METHODS.items() if "iterations" in method.settings}
PUBLISHED = [
    f"{name}-{bits}{',iterations=2' if name in LEARNING else ''}"
    for name in METHODS
    if name != "dgq-exact"  # ends at the simulated level
    for bits in ("w8a8", "w4a6")
]
"""What counts is that methods pass through, not how long they learn."""


def family(name: Family) -> dict[str, Any]:
    return {"model": name.folder / "unet", "scheduler": name.folder / "scheduler"}


MODELS: dict[str, Callable[[], dict[str, Any]]] = {
    "demo": lambda: {"model": pipeline_dir()},
    "digits": lambda: {"model": DIGITS},
    "guided": lambda: family(Family.GUIDED),
    "edm": lambda: family(Family.EDM),
    "massive": lambda: {
        "model": with_massive_channels(load_unet(), 2.0**20),
        "scheduler": DIGITS / "scheduler",
    },
}
"""Prompts, classes, scales and shifts of norms, noise levels, channels a million times the others; all
but the first have classes."""


def compiled(name: str, opt: str) -> CompiledProgram:
    return dgqc.compile(opt=opt, steps=2, samples=4, parts="unet", **MODELS[name]())


def agrees(program: CompiledProgram, backends: list[str]) -> None:
    found = verify(program, steps_sampled=1, backends=backends)
    assert found.backends == ("reference", *backends)
    assert found.bit_exact, found.difference


@pytest.mark.parametrize("opt", [*PRESETS, *PUBLISHED])
@pytest.mark.parametrize("name", MODELS)
def test_every_preset(name: str, opt: str) -> None:
    """In C, and in MLIR by LLVM where that is installed."""
    program = compiled(name, opt)
    agrees(program, ["c", "llvm"] if find_spec("torch_mlir") else ["c"])
    quality = program.report["quality"]
    assert quality["unseen"]
    if opt in PRESETS:
        # Of calls, not of the drawing: from noise alone, two steps multiply a call's error by 1 / alpha.
        assert min(quality["calls"].values()) > quality["bound"], quality["sentence"]


def on_iree() -> list[Any]:
    """All on digits, whose programs are small; ours on the others too, since IREE compiles for minutes."""
    return [
        pytest.param(name, opt, id=f"{name}-{opt}")
        for name in sorted(MODELS, key=lambda name: name != "digits")
        for opt in [*PRESETS, *(PUBLISHED if name == "digits" else ())]
    ]


@pytest.mark.parametrize(("name", "opt"), on_iree())
def test_presets_on_iree(name: str, opt: str) -> None:
    pytest.importorskip("torch_mlir")
    pytest.importorskip("iree.compiler")
    agrees(compiled(name, opt), ["iree"])
