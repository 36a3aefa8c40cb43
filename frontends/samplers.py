"""A diffusers scheduler as a sampler: asked, never rewritten, and compared with itself afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..ir.errors import DgqcError
from ..ir.reading import explained
from ..ir.sampler import Combination, Sampler, Walk
from ..ir.schedule import Schedule
from .sampler_probe import DRAWS, INSTEAD, ask, begun, noised
from .schedulers import scheduler_config
from .schedules import schedule_for

OWN, AUTO = "own", "auto"
"""The loop of whatever scheduler makes the program's calls; the second where there can be one."""
MOST_LATE = 256
"""Calls, up to which a picture may begin with any of them."""
ALIKE = 1e-6
"""Relative difference of coefficients that are the same but for rounding."""
EXACT = 1e-5
"""Of a state's largest value: how far a sampler may be from its scheduler, which computes in float32."""
MOST_SEARCHED = 250
"""Numbers of steps that are tried to find the scheduler that makes a list of calls."""


def sampler_for(name: str, config: Mapping[str, Any] | None, schedule: Schedule) -> Sampler:
    """The sampler of a program's calls.

    name: "own" or "auto", or the scheduler that it must be, as `scheduler_config` takes names ("ddim").
    config: a pipeline's scheduler_config.json; None stands for DDIM with Stable Diffusion's betas.
    schedule: the calls of the program.
    Raises DgqcError for another scheduler than the one that is named, for one whose step isn't a fixed sum,
    and where its calls are not the schedule's.
    """
    if name not in (OWN, AUTO):
        wanted = str((scheduler_config(name) or {})["_class_name"])
        if wanted != schedule.scheduler:
            raise DgqcError(
                f"The denoising loop {name} takes a {wanted}, but the program is called by a "
                f"{schedule.scheduler}; name that one with --scheduler, or give --loop {OWN}."
            )
    scheduler, first = _scheduler_of(config, schedule)
    return sampler_of(scheduler, first, len(schedule))


def sampler_of(scheduler: Any, first: int = 0, calls: int | None = None) -> Sampler:
    """The sampler of a scheduler after `set_timesteps`, from its call `first` on.

    Raises DgqcError for a scheduler whose step is not a fixed sum of state, outputs and noise.
    """
    name = type(scheduler).__name__
    count = len(scheduler.timesteps) - first if calls is None else calls
    if getattr(scheduler.config, "thresholding", False):
        raise DgqcError(
            "The denoising loop can't threshold dynamically, since that sorts the picture at every call; set "
            "the scheduler's thresholding to false, or compile without a loop."
        )
    whole = ask(scheduler, first, count)
    if len(whole.limits) > 1:
        raise DgqcError(f"A {name} clips to several limits, but a loop clips to one; {INSTEAD}.")
    warm = 1 + max(
        (term.age for one in whole.combinations for terms in one.sums for term in terms), default=0
    )
    starts: list[tuple[float, float] | None] = [noised(scheduler, first)]
    begins: list[Sequence[Combination]] = [whole.combinations]
    for start in range(1, count):
        late = _late(scheduler, first, start, warm, whole.combinations) if count <= MOST_LATE else None
        starts.append(None if late is None else noised(scheduler, first + start))
        begins.append(late or whole.combinations[start:])
    ways = tuple(
        _few([*(begins[at - age][age] for age in range(min(at, warm))), whole.combinations[at]])
        for at in range(count)
    )
    noise = _first_noise(scheduler) if first == 0 else (starts[0] or (0.0, 0.0))[1]
    sampler = Sampler(whole.inputs, noise, tuple(starts), ways, next(iter(whole.limits), None))
    _compare(sampler, scheduler, first)
    return sampler


def _first_noise(scheduler: Any) -> float:
    """What noise is multiplied by first; those for flow matching don't say, and begin with noise itself."""
    return float(getattr(scheduler, "init_noise_sigma", 1.0))


def _late(
    scheduler: Any, first: int, start: int, warm: int, whole: Sequence[Combination]
) -> Sequence[Combination] | None:
    """The first calls of a picture that begins with call `start`; None where that can't be.

    After `warm` calls nothing must be left of the beginning.
    """
    try:
        found = ask(scheduler, first + start, min(warm + 1, len(whole) - start)).combinations
    except DgqcError:
        return None
    settled = len(found) <= warm or _alike(found[warm], whole[start + warm])
    return found if settled else None


def _few(ways: Sequence[Combination]) -> tuple[Combination, ...]:
    """Without what is like the last at the end."""
    count = len(ways)
    while count > 1 and _alike(ways[count - 2], ways[-1]):
        count -= 1
    return (*ways[: count - 1], ways[-1])


def _alike(one: Combination, other: Combination) -> bool:
    return all(
        a.keys() == b.keys() and all(abs(a[k] - b[k]) <= ALIKE * max(map(abs, a.values())) for k in a)
        for a, b in zip(one.sums, other.sums, strict=True)
    )


def _scheduler_of(config: Mapping[str, Any] | None, schedule: Schedule) -> tuple[Any, int]:
    """The scheduler that makes a program's calls, and which of its calls is the first of them.

    A number of steps is not one of calls (PNDM evaluates one timestep twice), and who changes a picture
    leaves the first calls out, so numbers are tried, the likeliest first.
    """
    calls = len(schedule)
    likely = (calls, calls - 1, calls // 2 + 1, (calls + 1) // 2)
    for steps in chain(likely, range(max(1, calls // 3), calls + MOST_SEARCHED)):
        if steps < 1:
            continue
        try:
            scheduler, found = schedule_for(config, steps)
        except DgqcError:
            continue
        if found.scheduler != schedule.scheduler:
            break
        if len(found) >= calls and found.timesteps[len(found) - calls :] == schedule.timesteps:
            return scheduler, len(found) - calls
    try:
        scheduler, found = schedule_for(config, calls, schedule.timesteps)
        if found.scheduler == schedule.scheduler:
            return scheduler, 0
    except DgqcError:
        pass
    raise DgqcError(
        "The denoising loop's calls are not those that the program is compiled for; record the "
        f"calibration with the pipeline's own {schedule.scheduler}, or compile without a loop."
    )


class _Given(TorchFunctionMode):
    """Draws of noise are what is given, one after another."""

    def __init__(self, draws: Iterator[torch.Tensor]) -> None:
        super().__init__()
        self._draws = draws

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return next(self._draws) if func in DRAWS else func(*args, **(kwargs or {}))


def trajectory(
    scheduler: Any, first: int, state: torch.Tensor, outputs: Sequence[torch.Tensor], noise: torch.Tensor
) -> list[torch.Tensor]:
    """What the scheduler itself makes of a state and outputs from call `first` on: all states.

    noise: one picture for each call, taken where it draws any.
    """
    drawn: Iterator[torch.Tensor] = iter(())
    own, options = begun(scheduler, first, lambda: next(drawn))
    states = [state]
    for number, output in enumerate(outputs):
        timestep = own.timesteps[first + number]
        if hasattr(own, "scale_model_input"):
            own.scale_model_input(states[-1], timestep)
        drawn = iter([noise[number]])
        with _Given(drawn):
            states.append(own.step(output, timestep, states[-1], return_dict=False, **options)[0])
    return states


def combined(
    sampler: Sampler, state: torch.Tensor, outputs: Sequence[torch.Tensor], noise: torch.Tensor
) -> list[torch.Tensor]:
    """What the sampler makes of them, in real numbers."""
    walk = Walk(sampler, state)
    for output, drawn in zip(outputs, noise, strict=True):
        walk.follow(output, drawn)
    return walk.states


def _compare(sampler: Sampler, scheduler: Any, first: int) -> None:
    """Raises DgqcError where the sampler is not what the scheduler does with random outputs."""
    random = torch.Generator().manual_seed(0)
    count, name = len(sampler), type(scheduler).__name__
    drawn = torch.randn(2 * count + 1, 1, 1, 8, 8, generator=random, dtype=torch.float64)
    outputs, noise, state = list(drawn[:count]), drawn[count : 2 * count], drawn[-1] * sampler.noise
    with explained(f"A {name} can't be followed", INSTEAD):
        wanted = torch.stack(trajectory(scheduler, first, state, outputs, noise)).double()
    found = torch.stack(combined(sampler, state, outputs, noise))
    error = float((found - wanted).abs().max()) / max(1.0, float(wanted.abs().max()))
    if not error < EXACT:
        raise DgqcError(
            f"A {name}'s step is not a fixed sum of the picture, what the model says of it, and noise: the "
            f"sum differs by {error:.1g}; {INSTEAD}."
        )
