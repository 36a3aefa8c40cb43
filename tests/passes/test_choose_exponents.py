"""`choose-exponents`: nothing where one scale is enough, else what the network needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from golden.graphs import SCHEDULE, Sketch, calibrated, seen_uneven, sited
from torch import fx

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.plans import Activation16, ObservedActivation16, Operand, Plan, QuantizedActivation16, Role
from dgqc.passes.activations.channel_classes import channel_classes
from dgqc.passes.activations.channel_ratios import SeenChannels, exponents_of_classes
from dgqc.passes.activations.choose_exponents import ChooseExponents
from dgqc.passes.activations.exponent_plans import together, with_exponents
from dgqc.passes.activations.few_quantizers import ReadChannels, with_few_quantizers
from dgqc.passes.activations.timestep_tables import scaled
from dgqc.passes.graph.edit import aten, dgqc
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.simulation.wide_values import decibels_of_values

PLANNING = (
    "insert-sites{bits=8,edges=8},quantize-weights,observe-ranges,outlier-dims,error-groups{groups=2},"
    "choose-exponents{enough=1000,most=0},timestep-tables"
)


def test_where_one_scale_is_enough_nothing_is_chosen() -> None:
    program = seen_uneven()
    found = ChooseExponents(enough=20).run(program)
    assert found.plans == program.plans
    assert set(found.report["choose-exponents"]) == {"calls", "one-scale"}


def test_channels_that_one_scale_rounds_away_come_back() -> None:
    found = ChooseExponents(enough=1000).run(seen_uneven()).report["choose-exponents"]
    for before, after in zip(found["one-scale"], found["exponents"], strict=True):
        assert after > before + 15


def test_exponents_stand_only_where_they_gain_most() -> None:
    """Half a decibel more than one scale gives takes fewer of them than all that there can be."""
    every = ChooseExponents(enough=80).run(seen_uneven()).report["choose-exponents"]
    least = min(every["one-scale"])
    found = ChooseExponents(enough=least + 0.5).run(seen_uneven()).report["choose-exponents"]
    assert least + 0.5 <= min(found["exponents"]) < min(every["exponents"])
    assert 1 <= found["values"] < every["values"]
    assert found["wide"] == 0


def test_values_whose_channels_are_in_one_proportion_have_exponents_together() -> None:
    program = seen_uneven()
    parts = together(program, channel_classes(program.graph.graph, program.plans))
    assert frozenset({"sum_1.output", "both.output", "sample.output"}) in parts
    assert frozenset({"up.output"}) in parts
    assert frozenset({"act.output"}) in parts


def test_a_functions_columns_share_a_shift_and_none_becomes_0() -> None:
    """SiLU of a channel far below 0 is nothing, however large it is. Factors that take one to the other are
    as far apart as both ends, so that integers would leave nothing of the channel that matters."""
    torch.manual_seed(2)
    sketch = Sketch(sample=(1, 16, 4))
    weight = torch.randn(4, 4).abs() * torch.tensor([[1.0], [1.0], [-(2.0**20)], [-(2.0**30)]])
    x = sketch.linear("up", sketch.inputs["sample"], weight.tolist())
    act = sketch.call("act", aten.silu.default, x)
    program = sketch.program(sketch.linear("down", act, torch.randn(4, 4).tolist()))

    def read(step: int) -> Iterator[Inputs]:
        yield {"sample": torch.rand(1, 16, 4, generator=torch.Generator().manual_seed(step))}

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="random")
    program = replace(program, facts=frozenset({"integer-ready"}), calibration=calibration)
    planned = PassManager(parse_pipeline(PLANNING)).run(program)
    assert planned.report["choose-exponents"]["values"] > 0
    planned = replace(planned, facts=planned.facts | {"probabilities"})
    lowered = PassManager(parse_pipeline("lower-integer")).run(planned)
    (inputs,) = read(1)
    assert lowered.inputs[0].scale is not None
    assert lowered.output_scale is not None
    codes = torch.round(inputs["sample"].double() / lowered.inputs[0].scale[1]).to(torch.int16)
    y = fx.Interpreter(lowered.graph).run(codes, torch.tensor(1)).double() * lowered.output_scale[1]
    wanted = planned.graph(inputs["sample"], torch.tensor(1)).double()
    assert 10 * torch.log10(wanted.square().sum() / (wanted - y).square().sum()) > 35


def test_exponents_hold_every_channel_and_fit_the_finer_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    high = torch.rand(5, 40, generator=generator) * torch.logspace(-1, 5, 40)
    exponent = exponents_of_classes([SeenChannels(high, torch.arange(40))], 40)
    exponent = exponent - exponent.min()
    program = seen_uneven()
    plan = scaled(replace(program.plans["up.output"], high=high, exponent=exponent), 1.0)
    reached = high.double() / plan.scales
    assert float(reached.max()) <= 32767.01
    assert bool((reached.amax(dim=0) > 32767 / 2**0.25 - 1).all()), (
        "each channel comes near its end at a call"
    )


def test_a_value_read_as_codes_of_heads_has_one_scale() -> None:
    """Groups of an attention's operand are of a head's features, the same for all heads."""
    program = seen_uneven()
    plans: dict[str, Plan] = {**program.plans, "down.input": Operand(Role.LEFT, 8, False)}
    classes = channel_classes(program.graph.graph, plans)
    site = next(
        n for n in program.graph.graph.nodes if n.target is dgqc.site.default and n.args[1] == "norm.output"
    )
    assert classes[site].index.unique().numel() == 1


def test_every_16_bit_value_is_rounded() -> None:
    """With scales that are far too coarse nothing is left of the result."""
    program = seen_uneven()
    coarse = QuantizedActivation16(torch.tensor([1e9, 1e9], dtype=torch.float64))
    fine = QuantizedActivation16(torch.tensor([1e-3, 1e-3], dtype=torch.float64))
    names = [name for name in program.plans if name.endswith(".output")]
    assert not any(isinstance(program.plans[name], Activation16) for name in names)
    for name in names:
        plans = {**program.plans, **dict.fromkeys(names, fine), name: coarse}
        (found,) = decibels_of_values(replace(program, plans=plans), [1]).values()
        assert found is not None
        assert found < 6, name


def test_plans_of_values_without_channels_stay() -> None:
    program = seen_uneven()
    assert "down.output" not in with_exponents(program, channel_classes(program.graph.graph, program.plans))


def test_an_inputs_channels_have_scales_of_their_own_but_the_samples() -> None:
    """Between two calls the sample is one state with the output, which a loop steps on."""
    sketch = Sketch(sample=(1, 3, 2), encoder_hidden_states=(1, 3, 2))
    sides = (
        sketch.linear(name, value, [[1, 2], [-1, 3]])
        for name, value in zip(("one", "other"), sketch.inputs.values(), strict=True)
    )
    program = calibrated(sited(sketch.program(sketch.call("sum", torch.ops.aten.add.Tensor, *sides))))
    high = torch.tensor([[1.0, 1e6], [2.0, 1e6]])
    seen = {f"{name}.output": ObservedActivation16(high) for name in sketch.inputs}
    program = replace(program, plans={**program.plans, **seen})
    found = with_exponents(program, channel_classes(program.graph.graph, program.plans))
    plan = found["encoder_hidden_states.output"]
    assert isinstance(plan, ObservedActivation16)
    assert plan.exponent is not None
    assert plan.exponent.tolist()[0] == 0
    assert 4 * 18 <= int(plan.exponent[1]) <= 4 * 20
    assert "sample.output" not in found


def test_exponents_become_as_coarse_as_few_quantizers_need() -> None:
    classes = torch.arange(400)
    exponents = -(classes % 100)
    crowded = ReadChannels(classes[:300], classes[:300] % 3, torch.zeros(300, dtype=torch.int64))
    found = with_few_quantizers(exponents, [crowded])
    assert torch.equal(found[300:], exponents[300:])
    assert bool((found[:300] >= exponents[:300]).all()), "a coarser scale still holds its channels"
    assert int((found[:300] - exponents[:300]).max()) == 1
    assert crowded.quantizers(exponents) > 256 >= crowded.quantizers(found)
