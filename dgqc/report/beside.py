"""Calls that passes make of the network beside those of the samples: to measure it, to ask its gradients."""

from __future__ import annotations

from collections.abc import Sequence

from ..passes.activations.choose_exponents import ROUNDS as EXPONENT_ROUNDS
from ..passes.activations.choose_exponents import ChooseExponents
from ..passes.activations.choose_probabilities import ChooseProbabilities
from ..passes.activations.observe_ranges import HEARD, ObserveRanges
from ..passes.base import Pass
from ..passes.caching.amends import calls_to_amend
from ..passes.caching.cache_schedule import CacheSchedule
from ..passes.caching.runs import PICTURES as MEASURED
from ..passes.caching.runs import calls_to_measure
from ..passes.simulation.measure_error import MeasureError
from ..passes.widths.assign_bits import AssignBits
from ..passes.widths.keep_wide import ROUNDS as KEEP_ROUNDS
from ..passes.widths.keep_wide import KeepWide
from ..passes.widths.low_rank import LowRank

SIMULATED, BACK, INTEGERS = 3.0, 5.0, 5.0
"""A call of the simulated network, a pass back through the float one and a call of the integers, in float
calls."""
JUDGED = 1.0
"""Likewise, beside the call itself, rounding its probabilities in either way."""
ENDS = 2
"""Samples of a call whose gradients are asked."""
CHECKED = 5
"""Calls of a picture that a program is checked on."""
PROGRAM = 0.2
"""A call of the compiled program, in float calls."""
MILLION = 1e6

Asking = KeepWide | ChooseExponents | AssignBits | LowRank


def asks_gradients(passes: Sequence[Pass], weights: int) -> bool:
    """Whether any of the passes may go back through a network of so many weights."""
    return any(isinstance(item, Asking) and weights <= item.most * MILLION for item in passes)


def calls_beside(passes: Sequence[Pass], weights: int, calls: int, samples: int) -> tuple[float, float]:
    """As `beside_by_pass`, of all passes together."""
    found = beside_by_pass(passes, weights, calls, samples).values()
    return sum(least for least, _ in found), sum(most for _, most in found)


def beside_by_pass(
    passes: Sequence[Pass], weights: int, calls: int, samples: int
) -> dict[str, tuple[float, float]]:
    """In float calls of one sample, by the pass's name: where the network is good as it is, and where all is
    tried.

    weights: of the network. calls: of the schedule. samples: of each.
    """
    heard = any(isinstance(item, ObserveRanges) and item.attentions for item in passes)
    found: dict[str, tuple[float, float]] = {}
    for item in passes:
        if not (heard and isinstance(item, ChooseProbabilities)):
            (least, most), (before, until) = _of(item, weights, calls, samples), found.get(item.name, (0, 0))
            found[item.name] = before + least, until + most
    return {name: ends for name, ends in found.items() if ends[1]}


def calls_to_check(calls: int, *, draws: bool) -> float:
    """Likewise, of running a program beside its model: calls of a picture, and where somebody `draws` one,
    that picture and the program's."""
    return (min(calls, CHECKED) + calls * draws) * (1 + PROGRAM)


def _of(item: Pass, weights: int, calls: int, samples: int) -> tuple[float, float]:
    few = min(getattr(item, "calls", 0), calls)
    small = isinstance(item, Asking) and weights <= item.most * MILLION
    back = few * ENDS * BACK
    match item:
        case ObserveRanges():
            return (min(item.attentions, calls) * min(HEARD, samples) * JUDGED,) * 2
        case ChooseProbabilities():
            return (few * min(item.samples, samples) * (1 + JUDGED),) * 2
        case ChooseExponents():
            measured = 1.0 * few
            return measured, measured * (2 + EXPONENT_ROUNDS * small) + back * small
        case KeepWide() if small:
            return few * SIMULATED, few * (1 + KEEP_ROUNDS) * SIMULATED + back
        case AssignBits() | LowRank() if small:
            return back, back
        case CacheSchedule() if item.interval > 1:
            return _to_cache(item, calls, samples)
        case MeasureError():
            looked = few if weights <= item.most * MILLION else 1
            return (looked * (2 + INTEGERS),) * 2
        case _:
            return 0.0, 0.0


def _to_cache(item: CacheSchedule, calls: int, samples: int) -> tuple[float, float]:
    """Shallow calls take nothing at least, and as much as full ones at most: nobody has cut the graph yet."""
    drawn = min(item.samples, samples)
    least = most = 1.0 * calls * drawn
    if item.weigh:
        floating, full, shallow = calls_to_measure(calls, item.interval)
        measured = min(MEASURED * ENDS, drawn)
        least += measured * (floating + SIMULATED * full)
        most += measured * (floating + SIMULATED * (full + shallow))
    if item.amend and item.correct:
        asked = calls_to_amend(calls, item.interval)
        least += drawn * (asked.floating + SIMULATED * asked.full)
        most += drawn * (asked.floating + SIMULATED * (asked.full + asked.shallow))
    return least, most
