"""`gptq`: roundings make up for each other, and the network gets better for it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programs import apply, captured, decibels, planned, run_float, run_integer, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Weight
from dgqc.ir.program import Program
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.weights.reconstruction import compensate, compensated_rounding
from dgqc.passes.weights.reconstruction.compensate import Compensation
from dgqc.passes.weights.reconstruction.compensated_rounding import factors_of, rounded
from dgqc.passes.weights.reconstruction.reconstruct import chunks

NAME = "small"
GPTQ = "gptq{samples=4}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test."""
    monkeypatch.setenv("DGQC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def weights(program: Program) -> dict[str, Weight]:
    return {name: plan for name, plan in program.plans.items() if isinstance(plan, Weight)}


def moments_of(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.T @ inputs / len(inputs)


def codes_of(
    weight: torch.Tensor, moments: torch.Tensor, limit: int = 128, damping: float = 1e-4
) -> torch.Tensor:
    return rounded(weight.double(), *factors_of(moments.double(), [damping]), limit)


def by_elimination(weight: torch.Tensor, moments: torch.Tensor, limit: int, damping: float) -> torch.Tensor:
    """As GPTQ says it: an input is rounded, the others make up for it, and it leaves the moments' inverse."""
    left = torch.argsort(moments.diagonal(), descending=True, stable=True).tolist()
    power = moments.diagonal()
    inverse = torch.linalg.inv(moments + torch.diag(damping * power + 1e-6 * power.mean()))
    rest, codes = weight.clone(), torch.zeros_like(weight)
    while left:
        k = left.pop(0)
        codes[:, k] = torch.round(rest[:, k]).clamp(-limit, limit - 1)
        rest -= ((rest[:, k] - codes[:, k]) / inverse[k, k])[:, None] * inverse[k]
        inverse = inverse - torch.outer(inverse[:, k], inverse[k]) / inverse[k, k]
    return codes


def loss(codes: torch.Tensor, weight: torch.Tensor, moments: torch.Tensor) -> float:
    return float((((codes - weight) @ moments) * (codes - weight)).sum())


def correlated(rows: int, inputs: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(inputs, inputs, dtype=torch.float64, generator=generator)
    return torch.randn(rows, inputs, dtype=torch.float64, generator=generator) @ mix


def test_independent_inputs_are_rounded_to_nearest() -> None:
    weight = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 6
    codes = codes_of(weight, torch.diag(torch.arange(1.0, 8.0)), 8, 0.01)
    assert torch.equal(codes, torch.round(weight).clamp(-8, 7))


def test_two_inputs_that_are_always_equal_share_their_error() -> None:
    # 0.4 + 0.4 is nearer to 1 + 0 than to 0 + 0.
    codes = codes_of(torch.tensor([[0.4, 0.4]]), torch.ones(2, 2), 8)
    assert sorted(codes[0].tolist()) == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_near_the_best_of_all_roundings(seed: int) -> None:
    """Of all 2^8 ways to round 8 weights up or down, and much better than each to its nearest."""
    moments = moments_of(correlated(40, 8, seed))
    weight = 3 * torch.randn(1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 9))
    found = loss(codes_of(weight, moments), weight, moments)
    ways = torch.tensor(list(itertools.product((0, 1), repeat=8)), dtype=torch.float64) + torch.floor(weight)
    best = min(loss(way[None], weight, moments) for way in ways)
    nearest = loss(torch.round(weight), weight, moments)
    assert found <= nearest
    assert found < max(4 * best, 0.5 * nearest)


@pytest.mark.parametrize("limit", [4, 128])
def test_codes_are_those_of_eliminating_one_input_after_the_other(limit: int) -> None:
    moments = moments_of(correlated(300, 40, 5))
    weight = 5 * torch.randn(6, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    assert torch.equal(codes_of(weight, moments, limit, 0.02), by_elimination(weight, moments, limit, 0.02))


def test_what_moments_are_solved_for() -> None:
    moments = moments_of(correlated(60, 12, 5))
    wanted = torch.randn(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    damped = moments + torch.diag(0.1 * moments.diagonal())
    torch.testing.assert_close(
        factors_of(moments, [0.1])[0].solved(wanted) @ damped, wanted, rtol=1e-4, atol=1e-4
    )


def test_codes_stay_in_range_and_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = moments_of(correlated(60, 20, 3))
    weight = 9 * torch.randn(4, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    whole = codes_of(weight, moments, 8, 0.1)
    assert (int(whole.min()), int(whole.max())) == (-8, 7)
    monkeypatch.setattr(compensated_rounding, "BLOCK", 3)
    monkeypatch.setattr(compensated_rounding, "ROWS", 3)
    assert torch.equal(codes_of(weight, moments, 8, 0.1), whole)


@pytest.mark.parametrize(("span", "gain"), [(2560, 1.0), (24, 1.0)])
def test_layers_and_the_network_get_better(span: int, gain: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensate, "SPAN", span)
    program = planned(NAME, 8, 3)
    better = apply(program, GPTQ)
    errors = better.report["gptq"]["errors"]
    assert len(errors) == len(weights(program))
    assert all(after <= before for before, after in errors.values())
    assert sum(after < before for before, after in errors.values()) > len(errors) / 2
    for plan in weights(better).values():
        assert -4 <= int(plan.codes.min()) <= int(plan.codes.max()) <= 3 or plan.bits == 8
    real = torch.stack([run_float(program, samples(NAME, call), call) for call in range(4)])

    def simulated(one: Program) -> torch.Tensor:
        graph = apply(one, "simulate")
        return torch.stack([run_float(graph, samples(NAME, call), call) for call in range(4)])

    assert decibels(real, simulated(better)) > decibels(real, simulated(program)) + gain


def test_layers_that_read_one_value_share_its_moments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, own = [], compensate.means
    monkeypatch.setattr(compensate, "means", lambda *given: asked.append(given[-1]) or own(*given))
    shared = weights(apply(planned(NAME, 8, 4), GPTQ))
    assert asked.count(False) >= 2  # of the attention's queries, keys and values
    monkeypatch.setenv("DGQC_CACHE", str(tmp_path / "another"))
    call = Compensation.__call__
    monkeypatch.setattr(Compensation, "__call__", lambda self, task, known: call(self, task, {}))
    asked.clear()
    alone = weights(apply(planned(NAME, 8, 4), GPTQ))
    assert all(asked)
    assert all(torch.equal(plan.codes, alone[name].codes) for name, plan in shared.items())


def test_kept_layers_give_the_same_and_options_count(cache: Path) -> None:
    once = apply(planned(NAME, 8, 4), GPTQ)
    files = sorted(cache.rglob("*.safetensors"))
    assert len(files) == len(weights(once))
    files[0].unlink()
    again = apply(planned(NAME, 8, 4), GPTQ)
    for name, plan in weights(once).items():
        kept = weights(again)[name]
        assert torch.equal(plan.codes, kept.codes)
        assert torch.equal(plan.scale, kept.scale)
    apply(planned(NAME, 8, 4), "gptq{samples=4,ridge=0.5}")
    assert len(list(cache.rglob("*.safetensors"))) > len(files)


def test_it_lowers_to_integers() -> None:
    """Through the manager, which verifies each level."""
    program = replace(planned(NAME, 8, 4), facts=frozenset({"tables", "probabilities", "weights"}))
    lowered = PassManager(parse_pipeline(f"{GPTQ},lower-integer")).run(program)
    inputs = {name: x[:1] for name, x in samples(NAME, 1).items()}
    wanted = run_float(apply(apply(planned(NAME, 8, 4), GPTQ), "simulate"), inputs, 1)
    assert decibels(wanted, run_integer(lowered, inputs, 1)) > 25


def test_calls_take_turns_with_the_samples() -> None:
    program = captured(NAME)
    first = [batch[0] for _, batch in chunks(program, 1, spread=False)]
    turns = [batch[0] for _, batch in chunks(program, 1, spread=True)]
    assert program.calibration is not None
    whole = [torch.cat([part["sample"] for part in program.calibration.read(c)]) for c in range(len(first))]
    places = [int((w == x).flatten(1).all(dim=1).nonzero()[0]) for w, x in zip(whole, turns, strict=True)]
    assert len(set(places)) == min(len(whole[0]), len(places))
    assert all(torch.equal(w[:1], x) for w, x in zip(whole, first, strict=True))


@pytest.mark.parametrize("options", ["damping=0", "ridge=-1", "rows=0", "samples=-1"])
def test_impossible_options_are_refused_before_anything_runs(options: str) -> None:
    with pytest.raises(DgqcError, match="gptq refuses"):
        parse_pipeline(f"gptq{{{options}}}")
