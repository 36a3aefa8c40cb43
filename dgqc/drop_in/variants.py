"""`variant=` of a pipeline one of whose folders is a bundle.

Diffusers looks for the variant behind the first dot of each name in a component's folder, and fails at names
without one, as a bundle's folders have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from ..bundle.manifest import NAME

LOOKS = "_identify_model_variants"
"""The function of diffusers that looks."""


def pass_bundles_by(module: ModuleType) -> None:
    """The module's own name of that function looks at no bundle: one has no variants. Once is enough."""
    looks = getattr(module, LOOKS, None)
    if looks is not None and not hasattr(looks, "__wrapped__"):
        setattr(module, LOOKS, _without_bundles(looks))


def _without_bundles(looks: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(looks)
    def identified(folder: str, variant: str | None, config: Mapping[str, Any]) -> Any:
        own = {name: what for name, what in config.items() if not (Path(folder) / name / NAME).is_file()}
        return looks(folder=folder, variant=variant, config=own)

    return identified
