"""Packages that can't be imported, or aren't there: which one it is, and what mends it."""

from __future__ import annotations

import importlib.metadata
import re
import traceback
from collections.abc import Iterator

from ..ir.errors import one_line

OURS = ("dgqc", "__main__", "runpy")


def broken_neighbour(error: BaseException) -> str | None:
    """What to tell the user where another package failed while it was imported; None for any other error.

    The package is the innermost one that was being imported when the first error was raised.
    """
    chain = list(_chain(error))[::-1]
    first = chain[0]
    if isinstance(first, ModuleNotFoundError) and first.name and _package(first.name) in _needed():
        missing = _package(first.name)
        return f"{missing} isn't installed, and dgqc needs it; {_install(missing)}."
    imported = next((name for one in chain if (name := _blamed(one))), None)
    if imported is None:
        return None
    name = _package(imported)
    reason = one_line(str(first).strip().partition("\n")[0] or type(first).__name__, 200)
    mend = (
        f"install it again: {_install(name)}"
        if name in _needed()
        else f"dgqc needs none, so remove it with python -m pip uninstall {name}, or install the one that "
        "was built for this torch"
    )
    beside = "" if name == "torch" else f" beside torch {_version('torch')}"
    return f"{name} {_version(name)} can't be imported{beside} ({reason}); {mend}."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on to the first one."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _blamed(error: BaseException) -> str | None:
    """The top-level module whose code, the innermost that is a module's own, raised an error; else the one
    that lacks a name that we import."""
    names = [
        str(frame.f_globals.get("__name__", "")).partition(".")[0]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    if names and names[-1] not in OURS:
        return names[-1]
    lacks = isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError)
    name = getattr(error, "name", None) if lacks else None
    return name if name and _package(name) not in OURS else None


def _package(module: str) -> str:
    """The package that brings a module, as pip calls it."""
    top = module.partition(".")[0]
    return {"sklearn": "scikit-learn", "PIL": "pillow"}.get(top, top)


def _needed() -> dict[str, str]:
    """Packages that dgqc asks for, each with the versions that it takes."""
    wanted = {}
    for text in importlib.metadata.requires("dgqc") or ():
        if "extra ==" not in text and (found := re.match(r"([\w.-]+)\s*(.*)", text)):
            wanted[found[1]] = found[2]
    return wanted


def _install(name: str) -> str:
    """The command, which leaves torch as it is where a package asks for one: PyPI's brings CUDA."""
    try:
        asked = importlib.metadata.requires(name) or ()
        asks = any(re.match(r"torch\b", one) for one in asked if "extra ==" not in one)
        again = f"--force-reinstall {'--no-deps ' if asks else ''}"
    except importlib.metadata.PackageNotFoundError:
        again = ""
    return f"python -m pip install {again}'{name}{_needed()[name]}'"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"
