"""Makes dgqc known to diffusers: at once where diffusers is imported, and else as soon as it is.

Importing diffusers takes seconds, and not everybody who imports dgqc wants it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

AWAITED = "diffusers.quantizers.auto"
"""The module that has the lists of quantizers."""
NAME = "dgqc"


def register_quantizer() -> None:
    """From now on `from_pretrained` knows `quant_method: dgqc`. Calling it again changes nothing."""
    if AWAITED in sys.modules:
        _add_to(sys.modules[AWAITED])
    elif not any(isinstance(one, _Awaiting) for one in sys.meta_path):
        sys.meta_path.insert(0, _Awaiting())


class _Awaiting(MetaPathFinder):
    """Finds the one module that is awaited as others would, and has it told to dgqc once it has run."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if fullname != AWAITED:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader)
        return spec


class _Telling(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Whoever asks the module for its source asks the loader that it came from.
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        _add_to(module)


def _add_to(module: ModuleType) -> None:
    from .config import DgqcConfig

    module.AUTO_QUANTIZATION_CONFIG_MAPPING[NAME] = DgqcConfig
    module.AUTO_QUANTIZER_MAPPING[NAME] = _quantizer


def _quantizer(config: Any, **options: Any) -> Any:
    # Diffusers itself is only half imported when it is told.
    from .quantizer import DgqcQuantizer

    return DgqcQuantizer(config, **options)
