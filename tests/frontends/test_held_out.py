"""Which recorded samples calibrate, and which a program is checked on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from dgqc.frontends.calibrating.held_out import ENOUGH, hold_out
from dgqc.ir.calibration import Calibration
from dgqc.ir.schedule import Schedule

SCHEDULE = Schedule("DDIMScheduler", (500.0, 0.0))


def numbered(*sizes: Sequence[int]) -> Calibration:
    """Batches of so many samples at each call, all numbered."""

    def read(step: int) -> object:
        first = 100 * step
        for size in sizes[step]:
            yield {"sample": torch.arange(first, first + size), "class_labels": torch.arange(size)}
            first += size

    return Calibration(SCHEDULE, read, False, "recorded", more=lambda: numbered(*sizes))  # type: ignore[arg-type]


def numbers(calibration: Calibration, step: int) -> list[int]:
    return [int(one) for batch in calibration.read(step) for one in batch["sample"]]


@pytest.mark.parametrize(
    ("sizes", "spared"),
    [
        ([1] * 8, [7]),
        ([8], [3, 7]),  # both halves of a guided picture
        ([4, 4], [5, 7]),
        ([4, 5], [8]),
        ([8, 2], [8, 9]),
    ],
)
def test_the_last_picture_is_held_out(sizes: Sequence[int], spared: list[int]) -> None:
    kept, held = hold_out(numbered(sizes, sizes))
    assert held is not None
    for step in range(2):
        assert numbers(held, step) == [100 * step + one for one in spared]
        every = range(100 * step, 100 * step + sum(sizes))
        assert numbers(kept, step) == [one for one in every if one - 100 * step not in spared]
    assert kept.origin == "recorded, without the last picture"
    assert kept.more is None


def test_all_of_a_rows_inputs_go_with_it() -> None:
    kept, held = hold_out(numbered([4, 4], [4, 4]))
    assert held is not None
    assert [batch["class_labels"].tolist() for batch in held.read(0)] == [[1, 3]]
    assert [batch["class_labels"].tolist() for batch in kept.read(0)] == [[0, 1, 2, 3], [0, 2]]


@pytest.mark.parametrize("sizes", [([ENOUGH - 1], [ENOUGH]), ([1] * ENOUGH, [ENOUGH - 1])])
def test_few_samples_all_calibrate(sizes: tuple[Sequence[int], Sequence[int]]) -> None:
    recorded = numbered(*sizes)
    kept, held = hold_out(recorded)
    assert held is None
    assert kept is recorded
