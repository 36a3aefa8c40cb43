"""Runs an emitted module by IREE on this machine's cores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....ir.caching import CachingCalls, FeatureCache
from ....ir.errors import DgqcError
from ..emission.flags import FLAGS, TILED
from ..emission.interface import MODULE, SHALLOW, read_interface
from ..emission.parameters import SCOPE

log = logging.getLogger("dgqc")


class IreeProgram:
    """An emitted folder, compiled and loaded."""

    def __init__(self, directory: Path) -> None:
        """Compiles the folder's modules, which takes seconds to minutes. Raises DgqcError as that does."""
        self._interface = read_interface(directory)
        name = self._interface.parameters
        module = loaded(compiled(directory / MODULE), directory / name if name else None)
        self._function = module[self._interface.function]
        self._shallow = IreeProgram(directory / SHALLOW) if self._interface.kept else None
        self._caching = CachingCalls(self._interface.calls, self._full_call, self._shallow_call)

    def run(
        self, inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None
    ) -> torch.Tensor:
        """One UNet call. inputs: int16 by name. cache: of the drawing. Returns int16.

        Raises DgqcError for a missing or wrong input, or a step outside the schedule.
        """
        given = self._interface.arranged(inputs, step)
        if self._interface.kept:
            return self._caching.run(cache or FeatureCache(), step, *given)
        (result,) = self._called(*given, torch.tensor(step))
        return result

    def _called(self, *given: torch.Tensor) -> list[torch.Tensor]:
        found = self._function(*(value.numpy() for value in given))
        results = found if isinstance(found, tuple | list) else (found,)
        return [torch.from_numpy(np.array(one.to_host(), dtype=np.int16)) for one in results]

    def _full_call(self, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output, kept = self._called(*given)
        return output, kept

    def _shallow_call(self, *given: torch.Tensor) -> torch.Tensor:
        assert self._shallow is not None
        (output,) = self._shallow._called(*given)
        return output


def compiled(module: Path) -> bytes:
    """A module as a program for this machine, with tiles where IREE can; else without, and the log says so.

    Raises DgqcError with the compiler's first complaint.
    """
    from iree.compiler import tools

    try:
        return _compiled(module, (*FLAGS, TILED))
    except tools.CompilerToolError as error:
        log.info("IREE compiles %s without data tiling: %s", module, _complaint(error))
    try:
        return _compiled(module, FLAGS)
    except tools.CompilerToolError as error:
        raise DgqcError(f"iree-compile refused {module}: {_complaint(error)}") from error


def _compiled(module: Path, flags: Sequence[str]) -> bytes:
    from iree.compiler import tools

    found = tools.compile_file(str(module), extra_args=[*flags])
    assert isinstance(found, bytes)
    return found


def _complaint(error: Exception) -> str:
    lines = str(error).splitlines()
    return next((line for line in lines if "error:" in line), lines[0]).strip()


def loaded(program: bytes, parameters: Path | None = None) -> Any:
    """The functions of a compiled module by name, from arrays to device arrays. parameters: their file."""
    from iree import runtime

    config = runtime.Config("local-task")
    modules = []
    if parameters is not None:
        index = runtime.ParameterIndex()
        index.load(str(parameters))
        provider = index.create_provider(scope=SCOPE)
        modules.append(runtime.create_io_parameters_module(config.vm_instance, provider))
    modules.append(runtime.VmModule.copy_buffer(config.vm_instance, program))
    return runtime.SystemContext(vm_modules=modules, config=config).modules.module
