"""A ControlNet as a model to compile: its calls say how large its inputs are, and how loud its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diffusers import ControlNetModel

from ..frontends.calibrating.calibration_file import load_calibration
from ..frontends.loading.conditionings import CONTROLNETS
from ..frontends.loading.controlnets import ExportedControlNet, is_controlnet
from ..frontends.loading.live_models import check_live
from ..ir.errors import DgqcError
from .request import Request


def with_one_result(request: Request) -> Request:
    """The request with a ControlNet made a model of one result; as it is where the model is another.

    Raises DgqcError for a ControlNet without recorded calls.
    """
    model = request.model
    if isinstance(model, str | Path) and is_controlnet(Path(model)):
        _needs_calls(request)
        loaded = request.loaded()
        request, model = replace(request, variant=None, lora=()), loaded.model
    if not isinstance(model, ControlNetModel):
        return request
    _needs_calls(request)
    check_live(model)
    recorded = request.calibration
    assert recorded is not None
    if isinstance(recorded, str | Path):
        recorded = load_calibration(Path(recorded))
    return replace(request, model=ExportedControlNet(model, recorded), calibration=recorded)


def _needs_calls(request: Request) -> None:
    if request.calibration is None:
        raise DgqcError(CONTROLNETS)
