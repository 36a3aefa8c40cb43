"""How a UNet is to be compiled while diffusers loads it, or was compiled when a bundle was written."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from diffusers.quantizers.quantization_config import QuantizationConfigMixin
from torch import nn

from ..bundle.diffusers_files import METHOD, METHOD_NAME
from ..compiler.request import Request
from ..compiler.signature import asked
from ..compiler.written import as_json
from ..ir.typed import typed


class MethodName(StrEnum):
    """Diffusers asks for the name of a method as a member of an enumeration."""

    DGQC = METHOD_NAME


class DgqcConfig(QuantizationConfigMixin):  # type: ignore[misc]
    """What stands under `quantization_config` in a UNet's config.

    opt: the preset, such as "w4a6". options: what else `dgqc.compile` takes, by name; diffusers writes a
    config as JSON, so files are given by their paths.
    """

    @typed
    def __init__(self, opt: str = "w4a6", **options: Any) -> None:
        options.pop(METHOD, None)
        self.quant_method = MethodName.DGQC
        self.opt = opt
        self.options = dict(options.pop("options", {}), **options)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        written = {key: as_json(value) for key, value in self.options.items() if value is not None}
        return {METHOD: METHOD_NAME, "opt": self.opt, **written}

    def to_diff_dict(self) -> dict[str, Any]:
        """What differs from the defaults: all of it."""
        return self.to_dict()

    def check(self) -> None:
        """Raises DgqcError for what `dgqc.compile` would refuse, before a model's weights are read."""
        _ = asked(Request, (nn.Module(), self.opt), self.options).passes
