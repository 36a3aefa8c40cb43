"""Makes dgqc known to diffusers: at once where diffusers is imported, and else as soon as it is.

Importing diffusers takes seconds, and not everybody who imports dgqc wants it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

NAME = "dgqc"


def register_quantizer() -> None:
    """From now on `from_pretrained` knows `quant_method: dgqc`. Calling it again changes nothing."""
    for module, tell in AWAITED.items():
        if module in sys.modules:
            tell(sys.modules[module])
        elif not any(isinstance(one, _Awaiting) and one.module == module for one in sys.meta_path):
            sys.meta_path.insert(0, _Awaiting(module))


class _Awaiting(MetaPathFinder):
    """Finds the one module that is awaited as others would, and has it told to dgqc once it has run."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if fullname != self.module:
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
        AWAITED[module.__name__](module)


def _add_to(module: ModuleType) -> None:
    from .config import DgqcConfig

    module.AUTO_QUANTIZATION_CONFIG_MAPPING[NAME] = DgqcConfig
    module.AUTO_QUANTIZER_MAPPING[NAME] = _quantizer


def _quantizer(config: Any, **options: Any) -> Any:
    # Diffusers itself is only half imported when it is told.
    from .quantizer import DgqcQuantizer

    return DgqcQuantizer(config, **options)


def _take_variants(module: ModuleType) -> None:
    from .variants import pass_bundles_by

    pass_bundles_by(module)


AWAITED: dict[str, Callable[[ModuleType], None]] = {
    "diffusers.quantizers.auto": _add_to,
    "diffusers.pipelines.pipeline_utils": _take_variants,
}
"""What is done with a module of diffusers once it is there: that with the lists of quantizers, and that which
looks for the files of pipelines."""
