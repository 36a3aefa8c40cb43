"""Where targets are found by name: those of this package, those of others, those registered by hand.

Imports nothing but what it is asked for, so that the command line can name targets without loading any.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from ..ir.entry_points import loaded, offered, package_of
from ..ir.errors import DgqcError

if TYPE_CHECKING:
    from .target import Target

ENTRY_POINT_GROUP = "dgqc.backends"
BUILT_IN = {
    "reference": "reference.target:ReferenceTarget",
    "c": "c.target:CTarget",
    "mlir": "mlir.target:MlirTarget",
}
"""The targets of this package and where they are below it. A folder that was taken out isn't missed."""
REFERENCE = "reference"
"""The runner that defines what is right."""

_registered: dict[str, type[Target]] = {}
_TargetType = TypeVar("_TargetType", bound="type[Target]")


def register_target(target: _TargetType) -> _TargetType:
    """Class decorator that makes a target known by its name; it stands above `@dataclass(frozen=True)`.

    Raises DgqcError when the class isn't a complete target, or when its name is taken by another class.
    """
    where, name = _path(target), getattr(target, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise DgqcError(f"{where} has the name {name!r}; a target needs a kebab-case `name`.")
    if not is_dataclass(target) or not target.__dataclass_params__.frozen:
        raise DgqcError(f"Target {name} ({where}) must be a frozen dataclass.")
    if not isinstance(getattr(target, "about", None), str):
        raise DgqcError(f"Target {name} ({where}) must say what it is `about`, in one line.")
    present = _registered.get(name)
    if present is not None and _path(present) != where:
        raise _duplicate(name, [_path(present), where])
    _registered[name] = target
    return target


def target_names() -> tuple[str, ...]:
    """All names that `find_target` knows: those of this package first. Loads none of them."""
    others = {point.name for point in offered(ENTRY_POINT_GROUP)} | set(_registered)
    ours = tuple(name for name in BUILT_IN if _is_here(name))
    return (*ours, *sorted(others - set(ours)))


def find_target(name: str) -> type[Target]:
    """The target with this name. Imports the module that defines it, and no other target's.

    Raises DgqcError when none or more than one has the name, or when its package can't be loaded.
    """
    points = [point for point in offered(ENTRY_POINT_GROUP) if point.name == name]
    here = name in BUILT_IN and _is_here(name)
    origins = [*(["dgqc"] if here else []), *sorted({package_of(point) for point in points})]
    if len(origins) > 1:
        raise _duplicate(name, origins)
    if here and name not in _registered:
        module, _, attribute = BUILT_IN[name].partition(":")
        register_target(getattr(import_module(f".{module}", __package__), attribute))
    elif points:
        _load(points[0])
    if name not in _registered:
        raise _unknown("target", name, target_names())
    return _registered[name]


def known_targets() -> tuple[type[Target], ...]:
    """Every target that can be loaded; a broken package doesn't hide the others."""
    found = []
    for name in target_names():
        try:
            found.append(find_target(name))
        except DgqcError:
            continue
    return tuple(found)


def runner_names() -> tuple[str, ...]:
    """All ways to run a program, by name; those of this package first."""
    return tuple(runner for target in known_targets() for runner in target.runners)


def find_runner(name: str) -> type[Target]:
    """The target that has a runner of this name. Raises DgqcError when none or more than one has."""
    found = [target for target in known_targets() if name in target.runners]
    if not found:
        raise _unknown("backend", name, runner_names())
    if len(found) > 1:
        raise DgqcError(f"Backend {name} is a runner of the targets {' and '.join(t.name for t in found)}.")
    return found[0]


def pass_modules() -> Iterator[tuple[str, str]]:
    """Each pass that a target brings: its name, and the module that defines it."""
    for target in known_targets():
        yield from target.pass_modules.items()


def import_layouts() -> None:
    """Imports what is needed to load programs that a target has laid out."""
    for target in known_targets():
        if target.layout_module is not None:
            import_module(target.layout_module)


def _is_here(name: str) -> bool:
    return find_spec(f".{BUILT_IN[name].partition('.')[0]}", __package__) is not None


def _load(point: EntryPoint) -> None:
    from .target import Target

    package = package_of(point)
    found = loaded(point, "Target")
    if not (isinstance(found, type) and issubclass(found, Target) and found.name == point.name):
        raise DgqcError(
            f"Entry point {point.name} of the package {package} names {point.value}, which is not a target "
            f"called {point.name}; it must be a subclass of dgqc.backends.target.Target with this name."
        )
    register_target(found)


def _duplicate(name: str, origins: list[str]) -> DgqcError:
    return DgqcError(
        f"Target {name} is defined by {' and by '.join(origins)}; rename one or uninstall its package."
    )


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> DgqcError:
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return DgqcError(f"There is no {kind} {name!r}: {hint}choose one of {', '.join(known)}.")


def _path(target: type[Target]) -> str:
    return f"{target.__module__}.{target.__qualname__}"
