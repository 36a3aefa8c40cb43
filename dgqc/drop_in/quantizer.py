"""What diffusers calls while `from_pretrained` loads a UNet whose config says `quant_method: dgqc`.

A UNet that was compiled before lies in a bundle, which is loaded in the place of its weights. Any other is
compiled as soon as its weights are there. Either way the model that diffusers made becomes a `CompiledUNet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel, T2IAdapter
from diffusers.quantizers.base import DiffusersQuantizer

from ..compiler.driver import compile as compile_model
from ..execution.compiled_program import CompiledProgram, load
from ..execution.diffusers_unet import CompiledUNet
from ..ir.errors import DgqcError
from .config import DgqcConfig

OTHERS = {ControlNetModel: "as_diffusers_controlnet", T2IAdapter: "as_diffusers_adapter"}
"""What is compiled as well, with the method that makes a drop-in of it."""
TELLS_FILES = "maybe_update_loaded_keys"
"""The hook by which diffusers says where a model's files are, since version 0.39."""


class DgqcQuantizer(DiffusersQuantizer):  # type: ignore[misc]
    """Lives as long as one `from_pretrained`, and stays with its model as `hf_quantizer`."""

    quantization_config: DgqcConfig
    pre_quantized: bool

    def __init__(self, quantization_config: DgqcConfig, **options: Any) -> None:
        super().__init__(quantization_config, **options)
        self._folder: Path | None = None
        self._dtype: torch.dtype | None = None

    def validate_environment(
        self, *_: Any, device_map: Mapping[str, Any] | str | None = None, **__: Any
    ) -> None:
        """Raises DgqcError where diffusers can't load quantized models, a map spreads one over devices, or a
        model is to be compiled with options that there aren't."""
        if find_spec("accelerate") is None:
            raise DgqcError("diffusers loads no quantized model without accelerate; pip install accelerate.")
        if self.pre_quantized and not hasattr(DiffusersQuantizer, TELLS_FILES):
            raise DgqcError(
                f"diffusers {diffusers.__version__} doesn't tell where a model's files are, as 0.39 does; "
                "update it, or call dgqc.load(DIR).as_diffusers_unet()."
            )
        if isinstance(device_map, str) or len(device_map or {}) > 1:
            raise DgqcError(
                f"device_map={device_map!r} spreads a model over devices, and a compiled UNet has one place; "
                "leave it out."
            )
        if not self.pre_quantized:
            self.quantization_config.check()

    def update_torch_dtype(self, torch_dtype: torch.dtype | None) -> torch.dtype | None:
        """Answers have this type; a model that is yet to be compiled is loaded as float32."""
        self._dtype = torch_dtype
        return torch.float32 if torch_dtype is not None and not self.pre_quantized else torch_dtype

    def update_device_map(self, device_map: Any) -> None:
        """None: programs run on the CPU, wherever a pipeline has its inputs."""

    def maybe_update_loaded_keys(self, loaded_keys: list[str], checkpoint_files: Sequence[str]) -> list[str]:
        """Notes the folder that the model's files lie in."""
        self._folder = Path(checkpoint_files[0]).parent
        return loaded_keys

    def update_missing_keys(self, model: Any, missing_keys: list[str], prefix: str) -> list[str]:
        """None is missed in a bundle: the program has the weights."""
        return [] if self.pre_quantized else missing_keys

    def _process_model_before_weight_loading(self, model: Any, **_: Any) -> None:
        """A bundle's program has the weights, so that diffusers has none to look for."""
        refuse_others(model)
        model.is_quantized = False
        if self.pre_quantized:
            become_compiled(model, load(self._bundle()), self._dtype)

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> None:
        if not self.pre_quantized:
            wanted = self.quantization_config
            become_compiled(model, compile_model(model.eval(), wanted.opt, **wanted.options), self._dtype)

    def _bundle(self) -> Path:
        if self._folder is None:
            raise DgqcError("diffusers didn't say where the bundle lies; call dgqc.load(DIR) instead.")
        return self._folder

    @property
    def is_serializable(self) -> bool:
        """A bundle is what it is saved as."""
        return True

    @property
    def is_trainable(self) -> bool:
        """Integers have no gradients."""
        return False


def refuse_others(model: Any) -> None:
    """Raises DgqcError for what is compiled as well, but is no UNet."""
    for kind, door in OTHERS.items():
        if isinstance(model, kind):
            raise DgqcError(
                f"from_pretrained takes compiled UNets, and this is a {kind.__name__}; load the float one, "
                f"and put dgqc.load(DIR).{door}(original) in its place."
            )


def become_compiled(model: Any, program: CompiledProgram, dtype: torch.dtype | None) -> None:
    """Makes a UNet a `CompiledUNet` in its place, since whoever loads it holds it already.

    Its weights are let go. Raises DgqcError where the program is another UNet's.
    """
    compiled = CompiledUNet(program, model, dtype=dtype)
    model.__class__ = type(compiled)
    model.__dict__.clear()
    model.__dict__.update(compiled.__dict__)
