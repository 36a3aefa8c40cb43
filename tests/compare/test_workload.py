"""Prompts that are too few, or that a judge can't read, are said before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from dgqc.compare import compare, run
from dgqc.compare import workload as workloads
from dgqc.compare.judges import PixelJudge
from dgqc.compare.store import Store
from dgqc.compare.workload import Amounts, prompted
from dgqc.ir.errors import DgqcError

SIZES = Amounts(calibration=3, held_out=1, pictures=2)


@pytest.mark.parametrize(
    ("calibrating", "prompts", "others", "recorded", "message"),
    [
        (["a"] * 2, ["b"] * 2, {}, None, "3 prompts are needed .* and 2 others .* there are 2 and 2;"),
        (["a"] * 3, ["b"], {}, None, "3 prompts are needed .* and 2 others .* there are 3 and 1;"),
        ([], ["b"], {}, "samples", "0 prompts are needed .* and 2 others .* there are 0 and 1;"),
        (["a"] * 3, ["b"] * 2, {"unseen": ["c"]}, None, "2 pictures .* but 'unseen' has 1 prompts;"),
    ],
)
def test_too_few_prompts(
    tmp_path: Path,
    calibrating: list[str],
    prompts: list[str],
    others: dict[str, list[str]],
    recorded: str | None,
    message: str,
) -> None:
    with pytest.raises(DgqcError, match=message):
        prompted(
            tmp_path / "model",
            Store(tmp_path),
            SIZES,
            None,
            calibration_prompts=calibrating,
            prompts=prompts,
            others=others,
            calibration=tmp_path / recorded if recorded else None,
        )


def test_a_judge_is_asked_once_and_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, recorded = Mock(spec=PixelJudge), Mock()
    recorded.side_effect = lambda *_: judge.check.assert_called_once_with(["b", "c"])
    monkeypatch.setattr(workloads, "calibrate", recorded)
    for name in ("load_calibration", "files_digest", "has_latent_pictures"):
        monkeypatch.setattr(workloads, name, lambda _: "")
    found = prompted(
        tmp_path, Store(tmp_path), SIZES, judge, calibration_prompts=["a"] * 3, prompts=["b", "c", "d"]
    )
    assert recorded.call_count == 2
    for name in ("pictures", "row"):
        monkeypatch.setattr(run.Measured, name, lambda *_: None)
    assert list(compare([], found, Store(tmp_path))) == [None]
    judge.check.assert_called_once_with(["b", "c"])
