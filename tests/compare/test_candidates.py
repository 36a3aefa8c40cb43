"""What `dgqc compare` compares: names to pipelines."""

from __future__ import annotations

import pytest

from dgqc.compare.candidates import candidate, candidates
from dgqc.ir.errors import DgqcError
from dgqc.passes.manager.presets import pipeline_for


def names(presets: str, bits: str, simulated: bool = False, **options: str) -> list[str]:
    found = candidates(presets.split(","), bits.split(","), options, simulated)
    return [one.name for one in found]


def test_methods_and_whole_presets_stand_side_by_side() -> None:
    assert names("ours,tfmq", "w8a8,w4a6") == ["w8a8", "w4a6", "tfmq-w8a8", "tfmq-w4a6"]
    assert names("dgq-w4a6g16,naive", "w8a8") == ["dgq-w4a6g16", "naive-w8a8"]
    assert names("ours,ours", "w8a8") == ["w8a8"]


def test_options_go_to_the_methods_that_take_them() -> None:
    found = names("naive,eda,ours", "w4a6", iterations="5")
    assert found == ["naive-w4a6", "eda-w4a6,iterations=5", "w4a6"]


def test_a_simulation_makes_the_same_decisions_and_has_no_integers() -> None:
    whole, simulated = candidate("w4a6g16"), candidate("w4a6g16:simulated")
    assert (whole.runs_as, simulated.runs_as) == ("integers", "simulation")
    assert simulated.passes.endswith(",simulate")
    assert "error-groups{groups=16}" in simulated.passes
    assert "lower-integer" not in simulated.passes
    assert simulated.widths == whole.widths
    assert names("ours", "w4a6", simulated=True) == ["w4a6", "w4a6:simulated"]


def test_what_ends_in_a_simulation_is_not_simulated_again() -> None:
    assert names("dgq-exact", "w4a6", simulated=True) == ["dgq-exact-w4a6"]


def test_a_candidate_holds_the_passes_of_its_preset() -> None:
    assert "fbr{iterations=7" in candidate("eda-w4a6,iterations=7").passes
    assert candidate("w8a8").passes.split(",")[0] == pipeline_for("w8a8").split(",")[0]
    assert candidate("float").runs_as == "float"


def test_unknown_methods_are_refused_with_those_that_exist() -> None:
    with pytest.raises(DgqcError, match=r"no method 'best'.*ours, naive, q-diffusion"):
        names("best", "w4a6")
