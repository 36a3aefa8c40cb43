"""The quantizers of DGQ's authors, out of a checkout of their repository; none of their code is in ours."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dgqc.ir.errors import DgqcError

NEEDED = ("quant_layer.py", "quant_layer_text.py")
WEIGHT_BITS = 8
"""They make a weight's quantizer with each layer's; it isn't run."""


@dataclass(frozen=True)
class Authors:
    """Their two modules: layers and uniform quantizers, the logarithmic quantizer."""

    layers: Any
    logarithmic: Any

    def of_layer(self, module: nn.Module, batches: Sequence[torch.Tensor], bits: int, groups: int) -> Any:
        """Their quantizer of a linear's or convolution's input, calibrated on batches at one call."""
        layer = self.layers.QuantLayer(module, {"bits": WEIGHT_BITS}, self._parameters(bits))
        layer.set_quant_state(use_wq=False, use_aq=True)
        _calibrate(layer, batches, lambda: layer.set_group_num(groups))
        _quietly(lambda: layer.done_group_num(groups, "minmax"))
        return layer.aqtizer

    def of_operand(self, batches: Sequence[torch.Tensor], bits: int, groups: int) -> Any:
        """Their quantizer of queries, keys or values (B, heads, tokens, features), likewise."""
        one = self.layers.UniformAffineQuantizer(**self._parameters(bits))
        _calibrate(one, batches, lambda: setattr(one, "group_num", groups))
        _quietly(lambda: one.done_group_num(groups, "minmax"))
        return one

    def of_probabilities(self, bits: int) -> Any:
        """Their logarithmic quantizer, its scale taken at run time."""
        return self.logarithmic.T2ILogQuantizer(bits=bits, real_time=True)

    def _parameters(self, bits: int) -> dict[str, Any]:
        return {"bits": bits, "scaler": self.layers.Scaler.MINMAX, "leaf_param": True}


def load(checkout: Path) -> Authors:
    """Imports their two files, none of which needs the rest. Raises DgqcError where they aren't there."""
    for name in NEEDED:
        if not (checkout / "quant" / name).is_file():
            raise DgqcError(
                f"{checkout} has no quant/{name}; give the folder of a checkout of github.com/ugonfor/DGQ."
            )
    sys.path.insert(0, str(checkout))
    return Authors(*(importlib.import_module(f"quant.{Path(name).stem}") for name in NEEDED))


def _calibrate(module: Any, batches: Sequence[torch.Tensor], start: Callable[[], None]) -> None:
    """As their loop does at each call: a first batch for a preliminary range, then all of them for groups."""
    with torch.no_grad(), _silence():
        module(batches[0])
        start()
        for x in batches:
            module(x)


def _quietly(call: Callable[[], Any]) -> None:
    with _silence():
        call()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Their shapes on standard output, and torch's advice to them."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
