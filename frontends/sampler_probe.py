"""What a diffusers scheduler does between two calls, found by asking it: unit inputs in, coefficients out.

A scheduler treats every element of a picture alike, so one picture holds many experiments: each element is
one for a symbol of its own, a state, an output, a draw of noise, a clipped clean picture. What comes back is
the list of coefficients of all symbols.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..ir.errors import DgqcError
from ..ir.reading import explained
from ..ir.sampler import CLEAN, KEPT, NOISE, OUTPUT, STATE, Combination, Term

SMALLEST = 1e-9
"""Of the largest coefficient: what is smaller is what float rounding left of a zero."""
NEAR = 1e-5
"""Relative difference of noise levels that are one but for rounding."""
DRAWS = (torch.randn, torch.randn_like)
CLAMPS = (torch.clamp, torch.clip, torch.Tensor.clamp, torch.Tensor.clip)
INSTEAD = "compile without a loop, or name another scheduler"


@dataclass(frozen=True)
class AskedCalls:
    """What a scheduler answered from one call on.

    inputs: what the state is multiplied by for the model, call by call. combinations: likewise.
    limits: of clean pictures, wherever one is clipped.
    """

    inputs: tuple[float, ...]
    combinations: tuple[Combination, ...]
    limits: frozenset[float]


def ask(scheduler: Any, start: int, calls: int) -> AskedCalls:
    """The coefficients of `calls` calls from `start` on, the scheduler as it is after `set_timesteps`.

    The scheduler is copied, not changed. Raises DgqcError where it does anything but sums, and one clip a
    call.
    """
    name = type(scheduler).__name__
    probe = _Probe(name, 5 * calls + 1)
    own, options = begun(scheduler, start, lambda: probe.unit(NOISE))
    inputs: list[float] = []
    found: list[Combination] = []
    with explained(f"The loop of a {name} can't be asked for", INSTEAD), probe:
        for timestep in own.timesteps[start : start + calls]:
            state = probe.call()
            scaled = scaled_input(own, state, timestep)
            inputs.append(probe.only(scaled, STATE))
            output = probe.unit(OUTPUT)
            following = own.step(output, timestep, state, return_dict=False, **options)[0]
            found.append(Combination(probe.terms(following), probe.clean, probe.keep(own)))
    return AskedCalls(tuple(inputs), tuple(found), frozenset(probe.limits))


def begun(scheduler: Any, start: int, draw: Callable[[], torch.Tensor]) -> tuple[Any, dict[str, Any]]:
    """A copy that is about to make call `start`, and what its `step` takes beside the usual.

    draw: a picture of noise, for schedulers that draw it from a path of their own. As pipelines do, no more
    noise is added than a scheduler always adds (eta = 0).
    """
    own = copy.deepcopy(scheduler)
    if hasattr(own, "noise_sampler"):
        own.noise_sampler = _Motion(draw)
    if start and hasattr(own, "set_begin_index"):
        own.set_begin_index(start)
    taken = inspect.signature(own.step).parameters
    return own, {"eta": 0.0} if "eta" in taken else {}


def scaled_input(scheduler: Any, state: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """What the model is given; schedulers for flow matching give it the state itself."""
    scale = getattr(scheduler, "scale_model_input", None)
    scaled: torch.Tensor = state if scale is None else scale(state, timestep)
    return scaled


def noised(scheduler: Any, start: int) -> tuple[float, float] | None:
    """What a clean latent and noise are multiplied by to begin with call `start`; None for schedulers that
    don't say."""
    latent, noise = torch.eye(2, dtype=torch.float64).reshape(2, 1, 1, 1, 2)
    own, _ = begun(scheduler, start, lambda: noise)
    timestep = own.timesteps[start : start + 1]
    try:
        if hasattr(own, "add_noise"):
            mixed = own.add_noise(latent, noise, timestep)
        else:
            mixed = own.scale_noise(latent, timestep, noise)
    except Exception:  # Whatever a scheduler raises where it can't begin late.
        return None
    first, second = mixed.flatten().tolist()
    return first, second


class _Motion:
    """Brownian motion along noise levels, for schedulers that take the halves of a step from one path."""

    def __init__(self, draw: Callable[[], torch.Tensor]) -> None:
        self._draw = draw
        self._path: list[tuple[float, torch.Tensor]] = []

    def __call__(self, level: Any, following: Any) -> torch.Tensor:
        """What the motion gains between two levels, as standard normal noise."""
        begin, end = float(level), float(following)
        before = self._at(begin)
        gained: torch.Tensor = (self._at(end) - before) / math.sqrt(abs(end - begin))
        return gained

    def _at(self, level: float) -> torch.Tensor:
        for known, value in self._path:
            if abs(known - level) <= NEAR * abs(level):
                return value
        if not self._path:
            value = torch.zeros(())
        else:
            last, value = self._path[-1]
            value = value + math.sqrt(abs(level - last)) * self._draw()
        self._path.append((level, value))
        return value


class _Probe(TorchFunctionMode):
    """Hands out symbols, also where the scheduler draws noise or clips, and reads coefficients."""

    def __init__(self, name: str, size: int) -> None:
        """size: the most symbols, one of which stays unused."""
        super().__init__()
        self._name, self._shape = name, (1, 1, 1, size)
        self._symbols: list[tuple[str, int]] = []
        self._call = -1
        self._kept: set[str] = set()
        self.clean: Mapping[Term, float] = {}
        self.limits: set[float] = set()

    def call(self) -> torch.Tensor:
        """Begins another call, with the symbol of its state."""
        self._call, self.clean = self._call + 1, {}
        return self.unit(STATE)

    def unit(self, kind: str) -> torch.Tensor:
        """A new symbol of this call."""
        if (kind, self._call) in self._symbols[-5:]:
            what = "draws noise" if kind == NOISE else "clips"
            raise DgqcError(f"A {self._name} {what} twice in a call, but a loop does so once; {INSTEAD}.")
        self._symbols.append((kind, self._call))
        unit = torch.zeros(self._shape, dtype=torch.float64)
        unit[..., len(self._symbols) - 1] = 1
        return unit

    def terms(self, value: torch.Tensor) -> dict[Term, float]:
        """The coefficients of a value of this call, those that are not zero."""
        if tuple(value.shape) != self._shape or not bool(torch.isfinite(value).all()):
            raise self._no_sum("makes a picture of another form")
        numbers = value.flatten().double()
        if bool(numbers[len(self._symbols) :].any()):
            raise self._no_sum("adds a constant")
        large = numbers.abs() > SMALLEST * numbers.abs().max()
        places = large.nonzero().flatten().tolist()
        symbols = [self._symbols[place] for place in places]
        return {
            Term(kind, self._call - call): float(numbers[place])
            for place, (kind, call) in zip(places, symbols, strict=True)
        }

    def only(self, value: torch.Tensor, kind: str) -> float:
        """The one coefficient of a value that is a multiple of this call's symbol."""
        terms = self.terms(value)
        if set(terms) != {Term(kind, 0)}:
            raise self._no_sum("gives its model a mixture")
        return terms[Term(kind, 0)]

    def keep(self, scheduler: Any) -> dict[Term, float]:
        """What the scheduler keeps of more than this call, which becomes a symbol: else every call would look
        back at all before it."""
        kept: dict[Term, float] = {}
        for name, value in vars(scheduler).items():
            if not isinstance(value, torch.Tensor) or tuple(value.shape) != self._shape:
                continue
            terms = self.terms(value)
            if len(terms) > 1 and max(term.age for term in terms):
                kept = terms
                self._kept.add(name)
                setattr(scheduler, name, self.unit(KEPT))
        if len(self._kept) > 1:
            several = " and ".join(sorted(self._kept))
            raise DgqcError(f"A {self._name} keeps {several}, but a loop keeps one picture; {INSTEAD}.")
        return kept

    def _no_sum(self, what: str) -> DgqcError:
        return DgqcError(f"A {self._name} {what}, which is no fixed sum of what it is given; {INSTEAD}.")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in DRAWS and tuple(getattr(args[0], "shape", args[0])) == self._shape:
            return self.unit(NOISE)
        if func in CLAMPS and tuple(args[0].shape) == self._shape:
            return self._clipped(args[0], *args[1:], **given)
        return func(*args, **given)

    def _clipped(self, value: torch.Tensor, min: Any = None, max: Any = None) -> torch.Tensor:
        """A clip's result is a symbol of its own, for what comes after it."""
        if min is None or max is None or float(min) != -float(max) or float(max) <= 0:
            raise DgqcError(f"A {self._name} clips to {min} .. {max}, but a loop clips evenly; {INSTEAD}.")
        self.limits.add(float(max))
        self.clean = self.terms(value)
        return self.unit(CLEAN)
