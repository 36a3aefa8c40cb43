"""Backends of one program, each made ready when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..backends.target import Drawer, Runner
from ..ir.program import Program
from ..ir.reading import explained
from .backends import default_backend, open_backend, open_drawer

_Ready = TypeVar("_Ready")


class ReadyBackends:
    """What runs a program, by the backend's name. Any thread may ask; none is made ready twice."""

    def __init__(self, program: Program, bundle: Path | None) -> None:
        """bundle: the folder that the program was loaded from, if any."""
        self._program = replace(program, sizes={})  # They are programs of their own.
        self._bundle = bundle
        self._runners: dict[str, Runner] = {}
        self._drawers: dict[str, Drawer] = {}
        self._lock = threading.Lock()

    def runner(self, name: str | None) -> Runner:
        """Runs one call. name: None for the fastest that can run here. Raises DgqcError as `open_backend`."""
        return self._ready(self._runners, name or default_backend(), open_backend)

    def drawer(self, name: str | None) -> Drawer:
        """Draws with the denoising loop; as `runner`."""
        return self._ready(self._drawers, name or default_backend(), open_drawer)

    def _ready(
        self, found: dict[str, _Ready], name: str, make: Callable[[str, Program, Path | None], _Ready]
    ) -> _Ready:
        with self._lock:
            if name not in found:
                found[name] = self._made(name, make)
            return found[name]

    def _made(self, name: str, make: Callable[[str, Program, Path | None], _Ready]) -> _Ready:
        with explained(f"The program can't be made ready for the backend {name}", "compile the model again"):
            return make(name, self._program, self._bundle)
