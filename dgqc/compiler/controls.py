"""ControlNets and T2I-Adapters as models to compile: calls say how large inputs are, how loud results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from ..frontends.calibrating.calibration_file import load_calibration
from ..frontends.loading.conditionings import CONTROLS, of_calls
from ..frontends.loading.controls import ExportedControl, class_in
from ..frontends.loading.live_models import check_live
from ..ir.errors import DgqcError
from .request import Request


def with_one_result(request: Request) -> Request:
    """The request with a control network made a model of one result; as it is where the model is another.

    Raises DgqcError for such a network without recorded calls.
    """
    model, recorded = request.model, request.calibration
    kind = class_in(Path(model)) if isinstance(model, str | Path) else type(model).__name__
    if kind is None or kind not in CONTROLS:
        return request
    if recorded is None:
        raise DgqcError(of_calls(kind))
    if isinstance(model, str | Path):
        loaded = request.loaded()
        request, model = replace(request, variant=None, lora=()), loaded.model
    assert isinstance(model, nn.Module)
    check_live(model)
    if isinstance(recorded, str | Path):
        recorded = load_calibration(Path(recorded))
    return replace(request, model=ExportedControl(model, recorded), calibration=recorded)
