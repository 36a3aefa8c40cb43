"""The denoising loop around a program's calls, in integers: from noise to a picture.

Between two calls of the UNet a scheduler adds up the noisy picture (the state), what the UNet says, noise,
and some of those of earlier calls. Noise, latents and the finished picture are int16 in 2^-12; states are
int32, in a unit of each call's own that its proved range allows. The loop is the reference that emitted loops
agree with, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

import torch

from .arithmetic.fixed_point import round_shift, saturate16, saturate32
from .drawing import GUIDANCE_BITS, Drawing, Watcher, ignore
from .errors import DgqcError
from .sampler import CLEAN, KEPT, NOISE, OUTPUT, STATE

OUTPUT_BITS = 8
"""What the UNet says, guided, counts in 2^-8 of its codes."""
OUTPUT_LIMIT = 2**26 - 1
"""Of that: eight times what codes reach; guidance beyond it saturates."""
MOST_TERMS = 64
"""Of a sum."""


@dataclass(frozen=True)
class Labels:
    """What stands for each class label in the place of one input. codes: int16 (labels, *input shape)."""

    input: str
    codes: torch.Tensor


@dataclass(frozen=True)
class DenoisingLoop:
    """A sampler's tables for one program of T calls, int32; shifts are 1 .. 62.

    sample_*: (T,), from the state to the codes that the UNet takes; factors below 2^30.
    begin_*: (T,), what a clean latent and noise are multiplied by to begin at a call; a shift of 0 says that
        no picture can begin there.
    first_*: what noise is multiplied by to begin at the first call without a latent.
    noise_of: (T,), which picture of noise the call draws, from 1; 0 for none.
    ways: (T, W), the row of the tables below that follows a call, where it is the first, second ... of its
        picture; the last stands for all more.
    next, clean, kept: (R, K) factors of the K terms; clean and kept are (0, K) where nothing is clipped, or
        kept. next_shift, clean_shift, kept_shift: (R,) or (0,).
    states, outputs, noises, kepts, cleans: how many of each are terms, the latest first. The only kept term
        is that of the call before; the first state, output, noise and clean picture are the call's own.
    limit: of the clean picture, in its own unit.
    last_*: from the last state to the picture.
    """

    sample_factor: torch.Tensor
    sample_shift: torch.Tensor
    begin_latent: torch.Tensor
    begin_noise: torch.Tensor
    begin_shift: torch.Tensor
    noise_of: torch.Tensor
    ways: torch.Tensor
    next: torch.Tensor
    next_shift: torch.Tensor
    clean: torch.Tensor
    clean_shift: torch.Tensor
    kept: torch.Tensor
    kept_shift: torch.Tensor
    first_factor: int
    first_shift: int
    last_factor: int
    last_shift: int
    states: int
    outputs: int
    noises: int
    kepts: int
    cleans: int
    limit: int
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.sample_factor)

    @property
    def tables(self) -> dict[str, torch.Tensor]:
        """The tables by name."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    @property
    def depths(self) -> dict[str, int]:
        """How many terms there are of each kind, in their order."""
        counts = (self.states, self.outputs, self.noises, self.kepts, self.cleans)
        return dict(zip((STATE, OUTPUT, NOISE, KEPT, CLEAN), counts, strict=True))

    @property
    def terms(self) -> int:
        """K."""
        return sum(self.depths.values())

    @property
    def noise_pictures(self) -> int:
        """How many pictures of noise a drawing takes, the first among them."""
        return 1 + int(self.noise_of.max())

    def begin(self, noise: torch.Tensor, latent: torch.Tensor | None = None, start: int = 0) -> torch.Tensor:
        """The state before call `start`, int32, from int16 noise and a clean latent, if any.

        Raises DgqcError as `check_begin` does.
        """
        self.check_begin(latent is not None, start)
        if latent is None:
            return saturate32(round_shift(noise.to(torch.int64) * self.first_factor, self.first_shift))
        mixed = latent.to(torch.int64) * self.begin_latent[start]
        return saturate32(
            round_shift(mixed + noise.to(torch.int64) * self.begin_noise[start], self.begin_shift[start])
        )

    def check_begin(self, changes: bool, start: int) -> None:
        """Raises DgqcError for a call that no picture can begin with, and for a late one without a latent.

        changes: whether there is a clean latent to begin from.
        """
        if not changes and start == 0:
            return
        if not changes:
            raise DgqcError(
                f"A picture that begins with call {start} needs a latent to begin from; give one."
            )
        if not 0 <= start < len(self) or not int(self.begin_shift[start]):
            where = [call for call in range(len(self)) if int(self.begin_shift[call])]
            raise DgqcError(f"No picture can begin with call {start}; choose one of {where}.")

    def sample(self, state: torch.Tensor, step: int) -> torch.Tensor:
        """The UNet's int16 input: `saturate16(round_shift(state * factor, shift))`."""
        return saturate16(
            round_shift(state.to(torch.int64) * self.sample_factor[step], self.sample_shift[step])
        )

    def guided(self, given: torch.Tensor, without: torch.Tensor | None, guidance: int) -> torch.Tensor:
        """What the UNet says, int32 in 2^-8 codes: away from what it says without the prompt.

        given, without: int16. guidance: int32 in 2^-16.
        """
        y = given.to(torch.int64)
        if without is None:
            return (y << OUTPUT_BITS).to(torch.int32)
        u = without.to(torch.int64)
        wide = (u << GUIDANCE_BITS) + guidance * (y - u)
        return (
            round_shift(wide, GUIDANCE_BITS - OUTPUT_BITS).clamp(-OUTPUT_LIMIT, OUTPUT_LIMIT).to(torch.int32)
        )

    def end(self, state: torch.Tensor) -> torch.Tensor:
        """The picture, int16, from the last state."""
        return saturate16(round_shift(state.to(torch.int64) * self.last_factor, self.last_shift))

    def run(
        self,
        call: Callable[[torch.Tensor, Mapping[str, torch.Tensor], int], torch.Tensor],
        drawing: Drawing,
        progress: Watcher = ignore,
    ) -> torch.Tensor:
        """A whole drawing. call(sample, conditions, step): one UNet call, int16 to int16.

        progress: told how many calls are done, and of how many. Returns the int16 picture in Q12.
        Raises DgqcError as `begin` does.
        """
        *_, last = self.steps(call, drawing, progress)
        return self.end(last)

    def steps(
        self,
        call: Callable[[torch.Tensor, Mapping[str, torch.Tensor], int], torch.Tensor],
        drawing: Drawing,
        progress: Watcher = ignore,
    ) -> Iterator[torch.Tensor]:
        """All states of a drawing, int32, one after another, each in its own unit; as `run`."""
        if drawing.guides and drawing.negative.keys() != drawing.conditions.keys():
            raise DgqcError("Guidance leads away from a negative prompt; give its inputs, or leave it at 1.")
        shape = (1, *drawing.noise.shape[1:])
        state = self.begin(drawing.noise[0].reshape(shape), drawing.latent, drawing.start)
        yield state
        known = _Known(self, shape)
        for step in range(drawing.start, len(self)):
            sample = self.sample(state, step)
            without = call(sample, drawing.negative, step) if drawing.guides else None
            output = self.guided(call(sample, drawing.conditions, step), without, drawing.guidance)
            noise = drawing.noise[int(self.noise_of[step])].reshape(shape)
            state = known.follow(step, step - drawing.start, state, output, noise)
            progress(step + 1 - drawing.start, len(self) - drawing.start)
            yield state


class _Known:
    """What earlier calls of a picture left."""

    def __init__(self, loop: DenoisingLoop, shape: tuple[int, ...]) -> None:
        self._loop = loop
        self._terms = {
            kind: [torch.zeros(shape, dtype=torch.int64)] * depth for kind, depth in loop.depths.items()
        }

    def follow(
        self, step: int, made: int, state: torch.Tensor, output: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """The next state. made: calls of this picture before this one. Each sum is rounded once."""
        loop = self._loop
        row = int(loop.ways[step, min(made, loop.ways.shape[1] - 1)])
        for kind, value in ((STATE, state), (OUTPUT, output), (NOISE, noise)):
            self._push(kind, value)
        if loop.cleans:
            clean = self._sum(loop.clean[row], loop.clean_shift[row], skip_latest_clean=True)
            self._push(CLEAN, clean.clamp(-loop.limit, loop.limit))
        following = self._sum(loop.next[row], loop.next_shift[row])
        if loop.kepts:
            self._push(KEPT, self._sum(loop.kept[row], loop.kept_shift[row]))
        return following

    def _push(self, kind: str, value: torch.Tensor) -> None:
        self._terms[kind] = [value.to(torch.int64), *self._terms[kind]][: self._loop.depths[kind]]

    def _sum(
        self, factors: torch.Tensor, shift: torch.Tensor, skip_latest_clean: bool = False
    ) -> torch.Tensor:
        terms = {kind: list(values) for kind, values in self._terms.items()}
        if skip_latest_clean:
            # Of the clean picture that is just being made, there is none yet.
            terms[CLEAN] = [torch.zeros_like(terms[CLEAN][0]), *terms[CLEAN]][: self._loop.cleans]
        values = [value for kind in terms for value in terms[kind]]
        total = torch.zeros_like(values[0])
        for factor, value in zip(factors, values, strict=True):
            total = total + factor.to(torch.int64) * value
        return saturate32(round_shift(total, shift))
