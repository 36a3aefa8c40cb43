"""`keep-wide`: nothing where the network is good enough, else the layers that decide keep more bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from golden.graphs import SCHEDULE, Sketch, calibrated, decided, dense, sited
from torch import fx

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Dimension, Operand, QuantizedOperand, Role, Weight
from dgqc.ir.program import Program
from dgqc.passes.graph.edit import aten
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest
from dgqc.passes.widths.choose_widths import widths
from dgqc.passes.widths.forms import WeightForms, errors_of, in_bytes, operand_forms, weight_forms
from dgqc.passes.widths.keep_wide import KeepWide
from dgqc.passes.widths.measured import decibels, outputs_of, samples_of
from dgqc.passes.widths.price import price
from dgqc.passes.widths.same_values import same_values
from dgqc.passes.widths.sensitivity import noise_of_forms
from dgqc.passes.widths.widened import widened

PLANNING = (
    "insert-sites{bits=8,edges=8},quantize-weights,observe-ranges,outlier-dims,error-groups{groups=2},"
    "choose-exponents,timestep-tables"
)


def cancelling() -> Program:
    """y = b x - 0.97 r^T (r b x) + small (c x), r a rotation: of two large layers little is left, which the
    bytes of b x and of r b x round away."""
    torch.manual_seed(1)
    sketch = Sketch(sample=(1, 16, 8))
    x = sketch.inputs["sample"]

    def dense_layer(name: str, source: fx.Node, weight: torch.Tensor) -> fx.Node:
        return sketch.linear(name, source, weight.tolist())

    big = dense_layer("big", x, 64 * torch.randn(8, 8))
    there = dense_layer("there", big, torch.eye(8))
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    back = dense_layer("back", dense_layer("turned", big, turn), -0.97 * turn.T)
    small = dense_layer("small", dense_layer("quiet", x, torch.randn(8, 8)), torch.randn(8, 8) / 8)
    left = sketch.call("left", aten.add.Tensor, there, back)
    program = sketch.program(sketch.call("sum", aten.add.Tensor, left, small))

    def read(step: int) -> Iterator[Inputs]:
        for seed in range(2):
            generator = torch.Generator().manual_seed(10 * step + seed)
            yield {"sample": torch.randn(1, 16, 8, generator=generator)}

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="random")
    program = replace(program, facts=frozenset({"integer-ready"}), calibration=calibration)
    planned = PassManager(parse_pipeline(PLANNING)).run(program)
    return replace(planned, facts=planned.facts | {"probabilities"})


def kept(program: Program, **options: float) -> Program:
    return PassManager([KeepWide(**options)]).run(program)  # type: ignore[arg-type]


def test_what_is_good_enough_stays_as_it_is() -> None:
    program = cancelling()
    found = kept(program, poor=1.0)
    assert found.plans == program.plans
    assert set(found.report["keep-wide"]) == {"calls", "before"}


def test_of_few_pictures_more_is_asked() -> None:
    """Two samples of two calls, whose 20 dB are not poor, but not enough either."""
    program = cancelling()
    options = {"poor": 1.0, "enough": 40.0}
    assert kept(program, few=2, **options).plans == program.plans
    assert min(kept(program, few=3, **options).report["keep-wide"]["after"]) >= 40


def test_a_network_of_one_call_is_asked_for_no_more() -> None:
    program = cancelling()
    once = replace(SCHEDULE, timesteps=SCHEDULE.timesteps[:1])
    one_call = replace(program, schedule=once)
    assert KeepWide(poor=1.0, enough=40.0, few=3).run(one_call).plans == program.plans


def test_the_layers_that_cancel_are_widened_and_the_quiet_ones_are_not() -> None:
    program = cancelling()
    before = kept(program, poor=1.0).report["keep-wide"]["before"]
    found = kept(program, poor=39.0, enough=40.0)
    report = found.report["keep-wide"]
    assert max(before) < 25
    assert min(report["after"]) >= 40
    assert {"there.input", "back.input"} <= set(report["wide-operands"])
    assert not {"small.input", "quiet.input"} & set(report["wide-operands"])
    assert "there.input" not in found.plans


def test_what_was_widened_becomes_integers_as_good_as_foretold() -> None:
    found = kept(cancelling(), poor=39.0, enough=40.0)
    rest = parse_pipeline("measure-error,lower-integer")
    lowered = PassManager(rest).run(found)
    (real,) = samples_of(found, [1])[1][-1]
    assert lowered.inputs[0].scale is not None
    assert lowered.output_scale is not None
    codes = torch.round(real.double() / lowered.inputs[0].scale[1]).to(torch.int16)
    y = fx.Interpreter(lowered.graph).run(codes, torch.tensor(1)).double() * lowered.output_scale[1]
    wanted = found.graph(real, torch.tensor(1)).double()
    assert 10 * torch.log10(wanted.square().sum() / (wanted - y).square().sum()) > 38


def test_the_price_counts_bytes_and_products() -> None:
    """Of six layers of 8 x 8 one reads 16 bits, and one has its weight in two bytes."""
    program = cancelling()
    weight = next(one for one in weight_forms(program) if one.name == "big_weight")
    operand = next(one for one in operand_forms(program) if one.names == ("back.input",))
    wide = widened(program, {weight: len(weight.bits) - 1, operand: len(operand.bits) - 1})
    layers = 6
    percent = round(100 / layers, 1)
    assert price(program, wide) == {"bytes": 64, "sixteen-bit-percent": percent, "added-percent": percent}
    assert set(price(program, program).values()) == {0}


def test_a_weight_in_two_parts_is_the_same_function_and_finer() -> None:
    program = cancelling()
    forms = next(one for one in weight_forms(program) if one.name == "big_weight")
    assert forms.bits == (8, 16)
    parted = widened(program, {forms: 1})
    samples = samples_of(program, [0, 1])
    (real,) = samples[0][0]
    step = torch.tensor(0)
    assert torch.allclose(parted.graph(real, step), program.graph(real, step), rtol=1e-5, atol=1e-4)
    weight = program.graph.big_weight
    errors = errors_of(forms, weight)
    assert errors[1].abs().max() < errors[0].abs().max() / 64
    assert "big_weight" not in parted.plans
    assert "big_weight" in program.plans, "the given program stays as it is"


def test_operands_in_bytes_keep_their_ranges() -> None:
    operand = Operand(Role.LINEAR, 6, False)
    group, multiple = torch.tensor([0, 1]), torch.tensor([[1, 5]])
    plan = QuantizedOperand(
        operand,
        Dimension.CHANNEL,
        group,
        torch.tensor([0.25], dtype=torch.float64),
        multiple,
        torch.tensor([[20, -3]]),
    )
    finer = in_bytes(plan)
    assert finer is not None
    assert finer.operand.bits == 8
    ends = [(plan.scale * (code - plan.zero)) for code in (0, 63)]
    finer_ends = [(finer.scale * (code - finer.zero)) for code in (0, 255)]
    for end, other in zip(ends, finer_ends, strict=True):
        assert bool(((end - other).abs() <= finer.scale).all())
    assert in_bytes(finer) is None
    assert in_bytes(replace(plan, zero=torch.tensor([[2**13, 0]]))) is None, "the zero would lie too far"


def test_noise_foretold_is_noise_measured() -> None:
    """Of every operand alone, within 3 dB, on a network that is linear."""
    program = cancelling()
    plain = {name: plan for name, plan in program.plans.items() if not isinstance(plan, Weight)}
    forms = operand_forms(program)
    samples = samples_of(program, [1])
    shares = [noise_of_forms(program, forms, real, 1) for real in samples[1]]
    wanted = outputs_of(program, samples)
    for place, one in enumerate(forms):
        others = {other: len(other.plans) for other in forms if other is not one}
        alone = widened(replace(program, plans=plain), others)
        measured = decibels(alone, samples, wanted)[1]
        foretold = -10 * torch.log10(shares[-1][place][0])
        assert abs(float(foretold) - measured) < 3, one.names


def test_values_that_are_computed_twice_are_one() -> None:
    sketch = Sketch(sample=(1, 2, 4))
    x = sketch.inputs["sample"]
    gates = [sketch.call(f"act{place}", aten.silu.default, x) for place in range(2)]
    layers = [sketch.linear(f"proj{place}", gate, torch.eye(4).tolist()) for place, gate in enumerate(gates)]
    program = decided(sited(sketch.program(sketch.call("sum", aten.add.Tensor, *layers))))
    same = same_values(program.graph.graph, program.plans)
    first, second = (node for node in program.graph.graph.nodes if str(node.target).startswith("aten.silu"))
    assert same[second] is first
    (forms,) = operand_forms(program)
    assert forms.names == ("proj0.input", "proj1.input")
    wide = widened(program, {forms: len(forms.plans)})
    assert not set(forms.names) & set(wide.plans)


def test_learned_weights_may_go_back_to_rounding() -> None:
    """Where what was learned is worse than rounding to nearest, that is the first of the wider forms."""
    program = cancelling()
    weight = program.graph.big_weight
    worse = round_to_nearest(1.1 * weight, 8, RangeMethod.MSE)
    program = replace(program, plans={**program.plans, "big_weight": worse})
    forms = next(one for one in weight_forms(program) if one.name == "big_weight")
    assert forms.bits == (8, 8, 16)
    found = kept(program, poor=39.0, enough=40.0)
    assert found.report["keep-wide"]["wide-weights"]["big_weight"] in (8, 16)
    assert min(found.report["keep-wide"]["after"]) >= 40


def table(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_what_costs_most_is_widened_first_and_no_more_than_is_needed() -> None:
    noise = {
        "loud": table([8.0, 1.0], [0.5, 0.1]),
        "late": table([0.1, 6.0], [0.05, 0.5], [0.0, 0.0]),
        "quiet": table([0.2, 0.2], [0.0, 0.0]),
    }
    assert widths(noise, 10.0) == {}
    assert widths(noise, 7.5) == {"loud": 1}
    assert widths(noise, 1.0) == {"loud": 1, "late": 1}
    assert widths(noise, 0.45) == {"loud": 1, "late": 2, "quiet": 1}


def test_items_without_a_better_form_are_left() -> None:
    noise = {"stuck": table([8.0], [7.0]), "other": table([1.0], [0.1])}
    assert widths(noise, 0.5) == {"other": 1}


def test_large_models_are_left_as_they_are_and_it_is_said() -> None:
    program = calibrated(decided(sited(dense())))
    found = KeepWide(most=0).run(program)
    assert found.report["keep-wide"] == {"millions": 0, "most": 0}


def test_samples_and_options_are_asked_for() -> None:
    with pytest.raises(DgqcError, match="calibration samples"):
        KeepWide().run(decided(sited(dense())))
    with pytest.raises(DgqcError, match="calls from 1"):
        KeepWide(calls=0)


def test_a_form_is_itself() -> None:
    """Forms are keys, whatever tensors they hold."""
    one, other = (WeightForms("w", ()) for _ in range(2))
    assert one == one
    assert one != other
