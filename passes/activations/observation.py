"""What samples showed of each call, how what others showed joins it, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from ...ir.calibration import Answers
from ...ir.plans import CodingLoss
from .by_picture import furthest

Statistics = tuple[torch.Tensor, ...]
"""Of a site at one call: (channel low, channel high, pixel low, pixel high, lowest, highest, pictures), or
(largest,).

The first four are (2, n): of each index, the two pictures' extremes that go furthest; (1, n) of one picture.
The next two have a value for each sample, the last says of how many pictures these are, (1,). The largest is
that of each channel of a 16-bit value, or of all probabilities."""
LOWEST, HIGHEST, PICTURES = 4, 5, 6
"""Places in it."""


@dataclass(frozen=True)
class Observation:
    """What was seen of each call: statistics by the name of the site.

    samples: how many were run, of all calls. origin, synthetic: of the calibration.
    answers: what the network made of the first and last sample of each call. lost: what each way to code
    probabilities would change, by site; empty where nobody listened.
    """

    calls: Sequence[Mapping[str, Statistics]]
    samples: int
    origin: str
    synthetic: bool
    answers: Sequence[Answers]
    lost: Mapping[str, CodingLoss] = field(default_factory=dict)

    def joined(self, other: Observation) -> Observation:
        """This and what other samples of the same program showed; the origin stays."""
        calls = [
            {name: merged(values, there[name]) for name, values in here.items()}
            for here, there in zip(self.calls, other.calls, strict=True)
        ]
        ends = zip(self.answers, other.answers, strict=True)
        answers = [Answers(here.first, there.last) for here, there in ends]
        return replace(self, calls=calls, samples=self.samples + other.samples, answers=answers)


def growth(seen: Observation) -> float:
    """By what share of its width the second half of a call's samples extended an operand's range, on the mean
    of operands and calls; 1 where a call has a single sample."""
    shares = []
    for call in seen.calls:
        for values in call.values():
            if len(values) > 1:
                low, high = values[LOWEST], values[HIGHEST]
                half = len(low) // 2
                if not half:
                    return 1.0
                whole = float(high.max() - low.min())
                shares.append(1 - float(high[:half].max() - low[:half].min()) / whole if whole else 0.0)
    return sum(shares) / len(shares) if shares else 0.0


def growths(seen: Observation, wider: Observation) -> Mapping[str, float]:
    """By what share of its width the range of each operand has grown, on the mean of the calls.

    wider: `seen`, joined by what other samples showed.
    """
    operands = [name for name, values in seen.calls[0].items() if len(values) > 1]
    each = list(zip(seen.calls, wider.calls, strict=True))
    return {
        name: sum(_share(before[name], after[name]) for before, after in each) / len(each)
        for name in operands
    }


def _share(before: Statistics, after: Statistics) -> float:
    """Of one operand at one call: how much of the width that it has now is new."""
    was, now = (float(values[HIGHEST].max() - values[LOWEST].min()) for values in (before, after))
    return 1 - was / now if now else 0.0


def merged(old: Statistics, new: Statistics) -> Statistics:
    """Of a site, with those of other pictures after them."""
    if len(new) == 1:
        return (torch.maximum(old[0], new[0]),)
    joined = [torch.cat(pair) for pair in zip(old, new, strict=True)]
    owners = torch.arange(len(joined[0]))[:, None]
    ends = [furthest(one, owners, up=place % 2 == 1)[0] for place, one in enumerate(joined[:LOWEST])]
    return *ends, joined[LOWEST], joined[HIGHEST], old[PICTURES] + new[PICTURES]
