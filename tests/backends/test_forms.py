"""Public architectures written from their papers, in 8 bits: the same bits everywhere, and close to float.

All forms of `tests/forms.py` go through C too, the long way: `pytest -m slow tests/backends/test_forms.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import forms
import public_transformers
import pytest
import torch

from dgqc.backends import reference
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.frontends.loading.exported_unet import ExportedUNet
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.program import Program
from dgqc.ir.schedule import Schedule

from .kernels import Builds, check

SCHEDULE = Schedule("DDIMScheduler", (500.0, 20.0))
SAMPLES = 8
FLOOR = 28.0
"""Decibels of a form's 8-bit products on samples that calibrated: 30 to 50 are seen."""
FLOORS = {"guided": 30.0}
"""Of a public architecture: 30.1 are seen of guided diffusion's, with norms scaled at random."""
OTHERS = 35.0
"""Of all other public architectures: 35.5 to 40.6 are seen."""


def compiled(unet: ExportedUNet, inputs: Callable[[int, int], Inputs]) -> Program:
    def read(step: int) -> Iterator[Inputs]:
        yield inputs(step, SAMPLES)

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="random numbers")
    return lower(Request(unet, "w8a8", calibration=calibration, batch_size=1))[0]


def integers_of(program: Program, inputs: Inputs, step: int) -> Inputs:
    """A program's inputs from the model's."""
    if program.prologue is not None:
        values = dict(zip([item.name for item in program.inputs], program.prologue(**inputs), strict=True))
    else:
        values = inputs
    codes = {}
    for item in program.inputs:
        assert item.scale is not None
        real = values[item.name].double() / item.scale[step]
        codes[item.name] = torch.round(real).clamp(-32768, 32767).to(torch.int16)
    return codes


def decibels(unet: ExportedUNet, program: Program, inputs: Callable[[int, int], Inputs], step: int) -> float:
    given = inputs(step, 1)
    assert program.output_scale is not None
    y = reference.run(program, integers_of(program, given, step), step).double() * program.output_scale[step]
    with torch.no_grad():
        wanted = unet(**given, timestep=torch.tensor([SCHEDULE.timesteps[step]])).double()
    return float(10 * torch.log10(wanted.square().sum() / (wanted - y).square().sum()))


def check_all(
    kernels: Builds, unet: ExportedUNet, inputs: Callable[[int, int], Inputs], floor: float = FLOOR
) -> Program:
    program = compiled(unet, inputs)
    assert min(decibels(unet, program, inputs, step) for step in range(2)) > floor
    check(kernels, program, integers_of(program, inputs(0, 1), 0))
    return program


@pytest.mark.parametrize("name", public_transformers.PUBLIC)
def test_a_public_architecture_in_c(kernels: Builds, name: str) -> None:
    check_all(
        kernels,
        public_transformers.public(name),
        lambda step, count: public_transformers.inputs_of(name, step, count),
        FLOORS.get(name, OTHERS),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", public_transformers.PUBLIC)
def test_a_public_architecture_by_llvm(name: str) -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    def inputs(step: int, count: int) -> Inputs:
        return public_transformers.inputs_of(name, step, count)

    program = compiled(public_transformers.public(name), inputs)
    check_llvm(program, integers_of(program, inputs(0, 1), 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", forms.MODULES)
def test_a_form_in_c(kernels: Builds, name: str) -> None:
    check_all(kernels, forms.exported(forms.MODULES[name]()), public_transformers.sample_of)


@pytest.mark.slow
@pytest.mark.parametrize("name", forms.MODULES)
def test_a_form_by_llvm(name: str) -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    program = compiled(forms.exported(forms.MODULES[name]()), public_transformers.sample_of)
    check_llvm(program, integers_of(program, public_transformers.sample_of(0, 1), 0))
