"""`observe-ranges` against brute force over every sample, call by call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

import pytest
import torch
from planned import program_with
from programs import BATCH, FRONT, SCHEDULE, apply, arguments, calls, captured, samples
from torch import fx
from torch.nn.functional import unfold

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.ops.captured import channel_axis, multiply_adds
from dgqc.ir.plans import ObservedActivation16, ObservedOperand, ObservedProbabilities, Operand, Role
from dgqc.ir.program import Program
from dgqc.passes.activations import observe_ranges
from dgqc.passes.activations.finite_samples import check_inputs
from dgqc.passes.activations.observe_ranges import ObserveRanges
from dgqc.report.costs import count as model_count

dgqc = torch.ops.dgqc
NAMES = pytest.mark.parametrize("name", ["only_cross_attention", "class_conditional"])
STEPS = pytest.mark.parametrize("step", range(len(SCHEDULE)))


def sited(name: str) -> Program:
    return apply(captured(name), f"{FRONT},split-start-token,insert-sites,merge-quantizers")


@cache
def observed(name: str) -> Program:
    """Each call's batch comes in two pieces."""
    program = sited(name)

    def read(step: int) -> Iterator[Inputs]:
        for part in (slice(0, 1), slice(1, BATCH)):
            yield {key: value[part] for key, value in samples(name, step).items()}

    calibration = Calibration(SCHEDULE, read, synthetic=True, origin="two batches")
    return apply(replace(program, calibration=calibration), "observe-ranges")


@cache
def values(name: str, step: int) -> dict[str, list[torch.Tensor]]:
    """What goes through each site at a call, sample by sample."""
    program = observed(name)
    seen: dict[str, list[torch.Tensor]] = {}

    class Recorder(fx.Interpreter):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if target is dgqc.site.default:
                seen.setdefault(args[1], []).append(args[0].double())
                return args[0]
            return super().call_function(target, args, kwargs)

    batch = arguments(program, samples(name, step))
    with torch.no_grad():
        for one in range(BATCH):
            Recorder(program.graph).run(*(part[one : one + 1] for part in batch), torch.tensor(step))
    return seen


def brute_force(site: fx.Node, role: Role, samples: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """channel low, channel high, pixel low, pixel high: of all values with an index, over all samples."""
    if role is Role.CONVOLUTION:
        user: Any = next(iter(site.users))
        kernel, stride, padding = tuple(user.args[1].meta["val"].shape[2:]), user.args[3], user.args[4]
        # (channels, taps, positions), zeros of the padding included
        patches = [
            unfold(x, kernel, padding=tuple(padding), stride=tuple(stride)).reshape(
                x.shape[1], kernel[0] * kernel[1], -1
            )
            for x in samples
        ]
        channel = [patch.flatten(1) for patch in patches]
        pixel = [patch.flatten(0, 1).T for patch in patches]
    else:
        last = role is not Role.RIGHT
        channel = [x.movedim(-1 if last else -2, 0).flatten(1) for x in samples]
        pixel = [x.movedim(-2 if last else -1, 0).flatten(1) for x in samples]
    every = [torch.cat(parts, dim=1) for parts in (channel, pixel)]
    return tuple(f(part, dim=1) for part in every for f in (torch.amin, torch.amax))


def check_second(plan: ObservedOperand, site: fx.Node, step: int, samples: list[torch.Tensor]) -> None:
    """What each index would have had without the sample that went furthest."""
    each = [brute_force(site, plan.operand.role, [one]) for one in samples]
    for place, seen in ((0, plan.channel_variation), (2, plan.pixel_variation)):
        assert seen is not None
        low, high = (torch.stack([one[end] for one in each]) for end in (place, place + 1))
        assert torch.allclose(seen.low[step].double(), low.kthvalue(2, dim=0).values, rtol=1e-4, atol=1e-5)
        wanted = high.kthvalue(len(each) - 1, dim=0).values
        assert torch.allclose(seen.high[step].double(), wanted, rtol=1e-4, atol=1e-5)


@NAMES
@STEPS
def test_operands_have_the_smallest_and_largest_of_every_index(name: str, step: int) -> None:
    program, seen = observed(name), values(name, step)
    roles = set()
    for site in calls(program, dgqc.site.default):
        plan = program.plans[str(site.args[1])]
        if isinstance(plan, ObservedOperand):
            roles.add(plan.operand.role)
            found = (plan.channel.low, plan.channel.high, plan.pixel.low, plan.pixel.high)
            wanted = brute_force(site, plan.operand.role, seen[str(site.args[1])])
            for one, other in zip(found, wanted, strict=True):
                assert one.shape == (len(SCHEDULE), len(other))
                # A batch's sums are rounded differently from a sample's.
                assert torch.allclose(one[step].double(), other, rtol=1e-4, atol=1e-5), site
            check_second(plan, site, step, seen[str(site.args[1])])
    assert roles == set(Role)


@NAMES
@STEPS
def test_other_values_have_their_largest_magnitude(name: str, step: int) -> None:
    """16-bit values that of each channel."""
    program, seen = observed(name), values(name, step)
    kinds = set()
    for site in program.graph.graph.nodes:
        plan = program.plans.get(str(site.args[1])) if site.target is dgqc.site.default else None
        if isinstance(plan, ObservedActivation16 | ObservedProbabilities):
            kinds.add(type(plan))
            whole = torch.cat(seen[str(site.args[1])]).abs()
            if isinstance(plan, ObservedActivation16):
                whole = whole.movedim(channel_axis(site.args[0]), -1).flatten(0, -2).amax(dim=0)
                assert plan.high[step].shape == whole.shape
            wanted = whole if isinstance(plan, ObservedActivation16) else whole.amax()
            assert torch.allclose(plan.high[step].double(), wanted, rtol=1e-4, atol=1e-5)
    assert kinds == {ObservedActivation16, ObservedProbabilities}


def test_labels_that_are_one_number_each_are_looked_at() -> None:
    """A model that is told how noisy its condition is takes a float for each sample."""
    check_inputs({"class_labels": torch.tensor([3.0, 4.0])}, 0, "call 0")
    with pytest.raises(DgqcError, match="sample 8 of call 0 holds a number in class_labels"):
        check_inputs({"class_labels": torch.tensor([3.0, torch.inf])}, 7, "call 0")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_sample_that_is_not_finite_is_named(value: float) -> None:
    def read(step: int) -> Iterator[Inputs]:
        for part in (slice(0, 1), slice(1, BATCH)):
            given = {key: one[part].clone() for key, one in samples("class_conditional", step).items()}
            if step == 2 and part.start == 1:
                given["sample"][-1, 0, 0, 0] = value
            yield given

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="one bad sample")
    with pytest.raises(DgqcError, match=rf"sample {BATCH - 1} of call 2 of .* in sample that is not finite"):
        apply(replace(sited("class_conditional"), calibration=calibration), "observe-ranges")


def test_a_sample_that_overflows_the_model_is_named_with_the_layer() -> None:
    def read(step: int) -> Iterator[Inputs]:
        given = {key: one.clone() for key, one in samples("class_conditional", step).items()}
        if step == 1:
            given["sample"][1] = 1e38
        yield given

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="one loud sample")
    with pytest.raises(DgqcError, match=r"sample 1 of call 1 of .* overflow in .*, whose result"):
        apply(replace(sited("class_conditional"), calibration=calibration), "observe-ranges")


def test_two_calls_at_one_timestep_have_ranges_of_their_own() -> None:
    """PNDM evaluates a timestep twice, with other samples; tables go by the call's step."""
    assert SCHEDULE.timesteps[1] == SCHEDULE.timesteps[2]
    program = observed("only_cross_attention")
    different = [
        not torch.equal(plan.high[1], plan.high[2])
        for plan in program.plans.values()
        if isinstance(plan, ObservedActivation16)
    ]
    assert any(different)


def test_padding_counts_as_zero_for_channels_and_border_positions() -> None:
    program = observed("only_cross_attention")
    padded = [
        plan for plan in program.plans.values() if isinstance(plan, ObservedOperand) and plan.operand.padded
    ]
    assert padded
    for plan in padded:
        assert bool((plan.channel.low <= 0).all() and (plan.channel.high >= 0).all())
        assert bool((plan.pixel.low[:, 0] <= 0).all() and (plan.pixel.high[:, 0] >= 0).all())


def test_observing_changes_no_value_and_is_reported() -> None:
    program = observed("class_conditional")
    report = dict(program.report["observe-ranges"])
    assert 0 <= report.pop("growth") < 1
    assert report == {"samples": BATCH * len(SCHEDULE), "origin": "two batches", "synthetic": True}


def test_a_call_without_samples_is_refused_by_its_number() -> None:
    program = apply(captured("class_conditional"), f"{FRONT},insert-sites")
    calibration = Calibration(
        SCHEDULE,
        lambda step: iter([] if step == 2 else [samples("class_conditional", step)]),
        synthetic=True,
        origin="holes",
    )
    with pytest.raises(DgqcError, match=r"none for call 2 of 4 \(timestep 500\)"):
        apply(replace(program, calibration=calibration), "observe-ranges")


def test_without_calibration_the_way_to_get_some_is_named() -> None:
    program = replace(apply(captured("class_conditional"), f"{FRONT},insert-sites"), calibration=None)
    with pytest.raises(DgqcError, match="--calib"):
        apply(program, "observe-ranges")


class Source:
    """Samples of a graph of one site, so large as `sizes` says. Two are drawn at a time."""

    def __init__(self, sizes: list[float]) -> None:
        self.sizes, self.drawn = sizes, 0

    def draw(self) -> Calibration:
        first, self.drawn = self.drawn, self.drawn + 2
        size = torch.tensor(self.sizes[first : first + 2])

        def read(step: int) -> Iterator[Inputs]:
            yield {"sample": torch.tensor([-1.0, 1, 2, 3]) * size[:, None]}

        more = self.draw if self.drawn < len(self.sizes) else None
        return Calibration(ONE_SITE.schedule, read, False, f"from {first}", more=more)


ONE_SITE = program_with(Operand(Role.LINEAR, 8, False), calls=2)


@pytest.mark.parametrize(
    ("sizes", "options", "samples"),
    [
        ([1, 1, 1, 1], {}, 2),
        ([1, 2, 2, 2, 2, 2], {}, 4),
        ([1, 2, 2, 4, 4, 4, 4, 4, 4, 4], {}, 8),
        ([1, 2, 2, 4, 4, 4], {"most": 4}, 4),
        ([1, 2, 2, 2], {"growth": 0.9}, 2),
        ([1, 2], {}, 2),
    ],
)
def test_samples_are_drawn_while_ranges_grow(
    sizes: list[float], options: dict[str, Any], samples: int
) -> None:
    source = Source(sizes)
    found = ObserveRanges(**options).run(replace(ONE_SITE, calibration=source.draw()))
    assert source.drawn == samples
    report = found.report["observe-ranges"]
    assert report["samples"] == 2 * samples
    assert report["origin"].count("from") == samples / 2
    seen = found.plans["site"]
    assert isinstance(seen, ObservedOperand)
    assert float(seen.channel.high.max()) == 3 * max(sizes[:samples])
    assert seen.channel_variation is not None
    assert seen.channel_variation.samples.tolist() == [samples] * 2
    second = sorted(sizes[:samples])[-2]
    assert float(seen.channel_variation.high.max()) == 3 * second
    assert float(seen.channel_variation.low.min()) == -second


def test_what_the_network_answers_is_kept() -> None:
    """Of the first sample and of the last one that was drawn, whatever came in which batch."""
    sizes = [1.0, 2.0, 2.0, 4.0, 4.0, 4.0]
    found = ObserveRanges().run(replace(ONE_SITE, calibration=Source(sizes).draw()))
    assert found.calibration is not None
    batches = [inputs["sample"] for inputs in found.calibration.read(1)]
    graph = found.graph
    for answer, sample in zip(
        (found.calibration.answers[1].first, found.calibration.answers[1].last),
        (batches[0][:1], batches[-1][-1:]),
        strict=True,
    ):
        assert torch.equal(answer, graph(sample, torch.tensor(1)))
    assert found.calibration.answers.keys() == {0, 1}


@NAMES
def test_answers_are_the_float_networks(name: str) -> None:
    program = observed(name)
    assert program.calibration is not None
    batch = arguments(program, samples(name, 1))
    with torch.no_grad():
        whole = program.graph(*batch, torch.tensor(1))
    kept = program.calibration.answers[1]
    torch.testing.assert_close(torch.cat([kept.first, kept.last]), whole[[0, -1]])


def test_a_single_sample_says_nothing_about_growth() -> None:
    calibration = Calibration(
        ONE_SITE.schedule, lambda step: iter([{"sample": torch.ones(1, 4)}]), False, "one"
    )
    found = ObserveRanges().run(replace(ONE_SITE, calibration=calibration))
    assert found.report["observe-ranges"]["growth"] == 1


@pytest.mark.parametrize(("work", "samples"), [(16 * 5, 4), (16 * 5 - 1, 2)])
def test_work_is_counted_and_its_end_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, work: float, samples: int
) -> None:
    """Four samples of two calls are drawn and observed, by calls of five multiply-adds."""
    monkeypatch.setattr(observe_ranges, "multiply_adds", lambda graph: 5)
    source = Source([1, 2, 2, 4, 4, 4])
    ObserveRanges(work=work).run(replace(ONE_SITE, calibration=source.draw()))
    assert source.drawn == samples
    assert "Ranges still grow by 50.0 %, but" in caplog.text
    assert "--samples" in caplog.text


@pytest.mark.parametrize("name", ["only_cross_attention", "class_conditional"])
def test_multiply_adds_are_those_of_the_costs(name: str) -> None:
    found = model_count(captured(name), parameters=0)
    assert multiply_adds(sited(name).graph.graph) == found.macs() - sum(
        product.macs for product in found.products if product.temporal
    )


@pytest.mark.parametrize("second", [1e-9, 1e9])
def test_how_many_samples_are_drawn_does_not_depend_on_time(
    monkeypatch: pytest.MonkeyPatch, second: float
) -> None:
    """A clock that hardly moves, and one that leaps by thirty years whenever it is looked at."""
    looks = count()
    for clock in ("monotonic", "perf_counter", "time"):
        monkeypatch.setattr(time, clock, lambda: next(looks) * second)
    source = Source([1, 2, 2, 4, 4, 4, 4, 4, 4, 4])
    ObserveRanges().run(replace(ONE_SITE, calibration=source.draw()))
    assert source.drawn == 8
    assert next(looks) > 0
