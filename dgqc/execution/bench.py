"""Times one UNet call: the C program, and the float model in PyTorch beside it."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..backends.registry import known_targets
from ..bundle.vectors import random_inputs
from ..frontends.loading.arguments import call_arguments
from ..frontends.loading.exported_unet import ExportedUNet
from ..frontends.loading.load import load_model
from ..frontends.loading.model_inputs import sample_channels
from ..ir.caching import FeatureCache, kinds_of
from ..ir.errors import DgqcError
from .compiled_program import CompiledProgram
from .one_call import random_floats

log = logging.getLogger("dgqc")


def bench(compiled: CompiledProgram, model: Path | None, repeats: int) -> dict[str, Any]:
    """Median milliseconds of one call for one sample, after one call to warm up.

    Returns JSON with `c_ms`, `threads` and, where a model is given, `pytorch_ms` and `speedup`; of a program
    with shallow calls `shallow_ms`, and `mean_ms` of the schedule's calls, which the speed-up is of then.
    """
    beside = None if model is None else _float_call(compiled, model)
    inputs = random_inputs(compiled.program, seed=0)
    log.info(
        "Timing %d calls%s, after one of each; the first also builds the C.",
        repeats,
        "" if beside is None else " and as many of the float model",
    )
    found: dict[str, Any] = {
        "c_ms": median_ms(lambda: compiled.run_integers(inputs, 0, backend="c"), repeats),
        "repeats": repeats,
        "threads": torch.get_num_threads(),
    }
    kinds = kinds_of(compiled.program.graph)
    sources = kinds.sources
    shallow = [step for step, source in enumerate(sources) if source != step]
    mean = found["c_ms"]
    if shallow:
        found["shallow_ms"] = median_ms(_shallow_call(compiled, inputs, shallow[0], sources), repeats)
        full = len(sources) - len(shallow)
        times = len(shallow) + sum(one != 0 for one in kinds.amends)
        mean = (full * found["c_ms"] + times * found["shallow_ms"]) / len(sources)
        found["mean_ms"] = mean
    if beside is not None:
        found["pytorch_ms"] = median_ms(beside, repeats)
        found["speedup"] = found["pytorch_ms"] / mean
    return found


def _shallow_call(
    compiled: CompiledProgram, inputs: Mapping[str, torch.Tensor], step: int, sources: tuple[int, ...]
) -> Callable[[], object]:
    """A shallow call, again and again: what it reads stays."""
    cache = FeatureCache()
    compiled.run_integers(inputs, sources[step], backend="c", cache=cache)
    return lambda: compiled.run_integers(inputs, step, backend="c", cache=cache)


def time_by_module(compiled: CompiledProgram, repeats: int = 5) -> dict[str, float]:
    """Median seconds of a call on one thread, by the place in the model, by the favoured target.

    Raises DgqcError where none can tell.
    """
    log.info("Timing %d calls on one thread, after building them.", repeats)
    for target in known_targets():
        if target.favoured:
            inputs = random_inputs(compiled.program, seed=0)
            found = target().seconds_by_module(compiled.program, inputs, repeats)
            if found:
                return dict(found)
    raise DgqcError("No target can say here where time goes; install dgqc with its C backend.")


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of a call, after one to warm up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _float_call(compiled: CompiledProgram, path: Path) -> Callable[[], object]:
    model = load_model(path).model
    inputs = random_floats(compiled, seed=0)
    compiled_for = inputs["sample"].shape[1]
    config: Any = getattr(model, "config", {"in_channels": compiled_for})
    if (channels := sample_channels(config)) != compiled_for:
        raise DgqcError(
            f"{path} takes {channels} channels, but the bundle was compiled from a model with "
            f"{compiled_for}; give that model."
        )
    timestep = torch.tensor([compiled.program.schedule.timesteps[0]])
    arguments = {**inputs, "timestep": timestep}

    def call() -> object:
        with torch.no_grad():
            if isinstance(model, ExportedUNet):
                return model(**arguments)
            return model(**call_arguments(arguments, model), return_dict=False)

    return call
