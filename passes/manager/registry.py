"""Where passes are found by name: the built-in ones, those of other packages, those registered by hand."""

from __future__ import annotations

import difflib
import re
import warnings
from dataclasses import is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TypeVar

from ...ir import ops  # noqa: F401  (passes name the dgqc ops when they are imported)
from ...ir.entry_points import loaded, offered, package_of
from ...ir.errors import PipelineError
from ...ir.level import Level
from ..base import Pass
from ..sources import brought

ENTRY_POINT_GROUP = "dgqc.passes"

BUILT_IN = {
    "fold-time-embedding": "graph.fold_time_embedding",
    "split-prologue": "graph.split_prologue",
    "balance-queries": "graph.balance_queries",
    "fold-start-token": "graph.fold_start_token",
    "split-start-token": "graph.split_start_token",
    "insert-sites": "graph.insert_sites",
    "merge-quantizers": "graph.merge_quantizers",
    "dynamic-rows": "activations.dynamic_rows",
    "rotate": "activations.rotate",
    "low-rank": "widths.low_rank",
    "quantize-weights": "weights.quantize_weights",
    "observe-ranges": "activations.observe_ranges",
    "balance-channels": "weights.balance_channels",
    "add-headroom": "activations.add_headroom",
    "static-ranges": "activations.static_ranges",
    "split-shortcuts": "graph.split_shortcuts",
    "outlier-dims": "activations.outlier_dims",
    "kmeans-groups": "activations.kmeans_groups",
    "error-groups": "activations.error_groups",
    "step-groups": "activations.step_groups",
    "search-ranges": "activations.search_ranges",
    "widen-ranges": "activations.widen_ranges",
    "log-quant": "activations.log_quant",
    "uniform-quant": "activations.uniform_quant",
    "choose-probabilities": "activations.choose_probabilities",
    "choose-exponents": "activations.choose_exponents",
    "absorb-multiples": "activations.absorb_multiples",
    "timestep-tables": "activations.timestep_tables",
    "gptq": "weights.gptq",
    "adaround": "weights.adaround",
    "brecq": "weights.brecq",
    "fbr": "weights.fbr",
    "learn-scales": "activations.learn_scales",
    "keep-wide": "widths.keep_wide",
    "assign-bits": "widths.assign_bits",
    "cache-schedule": "caching.cache_schedule",
    "correct-output": "correction.correct_output",
    "correct-schedule": "correction.correct_schedule",
    "correct-input": "correction.correct_input",
    "simulate": "simulation.simulate",
    "measure-error": "simulation.measure_error",
    "lower-integer": "lowering.lower_integer",
}
"""The passes of this package and the modules that define them, in the order in which they usually run.

A module is imported when its pass is first asked for, so that start-up stays flat."""

ALIASES = {"stream-rows": "fuse-rows"}
"""Former names of passes, and what they are called now. Each is accepted wherever a pass is named, with a
DeprecationWarning, until the release after the one that renamed it."""

FORMER_FACTS = {"streams": "fusion-groups"}
"""The same for facts: a pass that is registered with a former one has it replaced."""

_registered: dict[str, type[Pass]] = {}
_PassType = TypeVar("_PassType", bound=type[Pass])


def register_pass(pass_class: _PassType) -> _PassType:
    """Class decorator that makes a pass known by its name; it stands above `@dataclass(frozen=True)`.

    Raises PipelineError when the class isn't a complete pass, or when its name is taken by another class.
    """
    _check_complete(pass_class)
    _replace_former_facts(pass_class)
    present = _registered.get(pass_class.name)
    if present is not None and _path(present) != _path(pass_class):
        raise _duplicate(pass_class.name, [_path(present), _path(pass_class)])
    _registered[pass_class.name] = pass_class
    return pass_class


def find_pass(name: str) -> type[Pass]:
    """The pass with this name. Imports the module that defines it, and no other.

    Raises PipelineError when no pass or more than one has the name, or when its module can't be imported.
    """
    name = current_name(name)
    points = [point for point in offered(ENTRY_POINT_GROUP) if point.name == name]
    # Asking the sources takes longer, and what is built in is none of theirs.
    modules = [] if name in BUILT_IN else brought().get(name, [])
    _check_unique(name, points, modules)
    if name in BUILT_IN:
        import_module(f"..{BUILT_IN[name]}", __package__)
    elif modules:
        _import(name, modules[0])
    elif points:
        _load(points[0])
    if name not in _registered:
        raise _unknown(name)
    return _registered[name]


def current_name(name: str) -> str:
    """What a pass is called now; warns where the name is a former one."""
    if name not in ALIASES:
        return name
    warnings.warn(f"The pass {name} is called {ALIASES[name]} now.", DeprecationWarning, stacklevel=3)
    return ALIASES[name]


def pass_names() -> tuple[str, ...]:
    """All names that `find_pass` knows: built-in passes in their usual order, then the others by name.

    Raises PipelineError when two packages define the same name.
    """
    points, others = offered(ENTRY_POINT_GROUP), brought()
    for name in {*(point.name for point in points), *others}:
        _check_unique(name, [point for point in points if point.name == name], others.get(name, []))
    ours = dict.fromkeys((*BUILT_IN, *others))
    rest = {point.name for point in points} | set(_registered)
    return (*ours, *sorted(rest - set(ours)))


def known_passes() -> tuple[type[Pass], ...]:
    """Every pass that can be imported; a broken third-party package doesn't hide the others."""
    found = []
    for name in pass_names():
        try:
            found.append(find_pass(name))
        except (PipelineError, ImportError):
            continue
    return tuple(found)


def origin(pass_class: type[Pass]) -> str:
    """The package that a pass comes from."""
    return _package(pass_class.__module__)


def _import(name: str, module: str) -> None:
    try:
        import_module(module)
    except ImportError as error:
        raise PipelineError(
            f"Pass {name} can't be loaded from {module} ({error}); repair or reinstall its package."
        ) from error


def _load(point: EntryPoint) -> None:
    package = package_of(point)
    found = loaded(point, "Pass", PipelineError)
    if not (isinstance(found, type) and issubclass(found, Pass) and found.name == point.name):
        raise PipelineError(
            f"Entry point {point.name} of the package {package} names {point.value}, which is not a pass "
            f"called {point.name}; it must be a subclass of dgqc.passes.base.Pass with this name."
        )
    register_pass(found)


def _check_unique(name: str, points: list[EntryPoint], modules: list[str]) -> None:
    origins = sorted({package_of(point) for point in points} | {_package(module) for module in modules})
    if name in BUILT_IN:
        origins.insert(0, "dgqc")
    if len(origins) > 1:
        raise _duplicate(name, origins)


def _check_complete(pass_class: type[Pass]) -> None:
    where = _path(pass_class)
    name = getattr(pass_class, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise PipelineError(f"{where} has the name {name!r}; a pass needs a kebab-case `name`.")
    if not is_dataclass(pass_class) or not pass_class.__dataclass_params__.frozen:
        raise PipelineError(f"Pass {name} ({where}) must be a frozen dataclass, under @register_pass.")
    for level in ("takes", "leaves"):
        if not isinstance(getattr(pass_class, level, None), Level):
            raise PipelineError(f"Pass {name} ({where}) must say which level it {level}, as a Level.")


def _replace_former_facts(pass_class: type[Pass]) -> None:
    for names in ("requires", "provides", "invalidates"):
        facts = getattr(pass_class, names)
        for former in sorted(facts & set(FORMER_FACTS)):
            text = f"Pass {pass_class.name} {names} {former}, which is called {FORMER_FACTS[former]} now."
            warnings.warn(text, DeprecationWarning, stacklevel=3)
        setattr(pass_class, names, frozenset(FORMER_FACTS.get(fact, fact) for fact in facts))


def _duplicate(name: str, origins: list[str]) -> PipelineError:
    return PipelineError(
        f"Pass {name} is defined by {' and by '.join(origins)}; rename one of them or uninstall its package."
    )


def _unknown(name: str) -> PipelineError:
    close = difflib.get_close_matches(name, pass_names(), n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return PipelineError(f"There is no pass {name!r}: {hint}`dgqc passes` lists them all.")


def _package(module: str) -> str:
    return module.partition(".")[0]


def _path(pass_class: type[Pass]) -> str:
    return f"{pass_class.__module__}.{pass_class.__qualname__}"
