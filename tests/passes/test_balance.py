"""Balanced channels and queries: the same function, and integers that hold what one scale rounds away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from golden.graphs import SCHEDULE, Sketch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Ranges, ratios
from dgqc.ir.program import Program
from dgqc.passes.graph.balance_queries import BalanceQueries
from dgqc.passes.graph.edit import aten, dgqc
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.weights.balance import ReadOperand, WeightSizes, noise
from dgqc.passes.weights.balance_channels import BalanceChannels
from dgqc.passes.weights.balance_methods import BalanceMethod, best_balance, dilated

PLANNING = (
    "insert-sites{bits=8,edges=8},quantize-weights,observe-ranges,balance-channels,outlier-dims,"
    "error-groups{groups=4},uniform-quant,choose-exponents,timestep-tables,measure-error,lower-integer"
)
FACTOR = 2.0**20


def sampled(program: Program) -> Program:
    shape = program.inputs[0].shape

    def read(step: int) -> Iterator[Inputs]:
        for seed in range(3):
            generator = torch.Generator().manual_seed(10 * step + seed)
            yield {"sample": torch.randn(shape, generator=generator)}

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="random")
    return replace(program, facts=frozenset({"integer-ready"}), calibration=calibration)


def massive(concatenated: bool = False, factor: float = FACTOR) -> Program:
    """Two linears; of the channels between them every third is massive, and read by weights as much smaller.
    concatenated: what comes in is read beside them."""
    generator = torch.Generator().manual_seed(5)
    sketch = Sketch(sample=(1, 16, 12))
    x = sketch.inputs["sample"]
    up = torch.randn(12, 12, generator=generator)
    down = torch.randn(12, 24 if concatenated else 12, generator=generator)
    up[::3] *= factor
    down[:, :12:3] /= factor
    y = sketch.linear("up", x, up.tolist())
    both = sketch.call("both", aten.cat.default, [y, x], 2) if concatenated else y
    return sampled(sketch.program(sketch.linear("down", both, down.tolist())))


def attending(factor: float = FACTOR) -> Program:
    """One head over a few tokens, a feature of whose queries is massive and of whose keys as much smaller."""
    generator = torch.Generator().manual_seed(6)
    sketch = Sketch(sample=(1, 8, 12))
    x = sketch.inputs["sample"]
    to_q, to_k, to_v = (torch.randn(12, 12, generator=generator) / 3 for _ in range(3))
    to_q[4] *= factor
    to_k[4] /= factor
    query, key = sketch.linear("to_q", x, to_q.tolist()), sketch.linear("to_k", x, to_k.tolist())
    turned = sketch.call("turned", aten.permute.default, key, [0, 2, 1])
    scores = sketch.call("scores", aten.matmul.default, query, turned)
    scaled = sketch.call("scaled", aten.mul.Tensor, scores, 0.25)
    softmax = sketch.call("softmax", aten.softmax.int, scaled, -1)
    value = sketch.linear("to_v", x, to_v.tolist())
    mixed = sketch.call("mixed", aten.matmul.default, softmax, value)
    return sampled(sketch.program(sketch.linear("out", mixed, torch.eye(12).tolist())))


def integers(program: Program, pipeline: str) -> tuple[Program, float]:
    """The lowered program, and its signal to noise in dB on a sample that did not calibrate."""
    real = torch.randn(program.inputs[0].shape, generator=torch.Generator().manual_seed(99))
    step = torch.tensor(1)
    wanted = program.graph(real, step).double()
    lowered = PassManager(parse_pipeline(pipeline)).run(program)
    assert lowered.inputs[0].scale is not None
    assert lowered.output_scale is not None
    codes = torch.round(real.double() / lowered.inputs[0].scale[1]).clamp(-32768, 32767).to(torch.int16)
    found = fx.Interpreter(lowered.graph).run(codes, step).double() * lowered.output_scale[1]
    noise_of = (wanted - found).square().sum()
    return lowered, float(10 * torch.log10(wanted.square().sum() / noise_of))


@pytest.mark.parametrize("concatenated", [False, True])
def test_massive_channels_are_balanced_and_the_integers_hold_all(concatenated: bool) -> None:
    lowered, balanced = integers(massive(concatenated), PLANNING)
    _, plain = integers(massive(concatenated), PLANNING.replace("balance-channels,", ""))
    assert "down.input" in lowered.report["balance-channels"]["balanced"]
    assert not any(node.target is dgqc.balance.default for node in lowered.graph.graph.nodes)
    _, ordinary = integers(massive(concatenated, 1.0), PLANNING)
    assert balanced > ordinary - 1
    assert plain < balanced - 10


def test_the_float_network_computes_the_same() -> None:
    program = massive()
    real = torch.randn(1, 16, 12)
    wanted = program.graph(real, torch.tensor(0))
    planned = PassManager(parse_pipeline(PLANNING.split(",outlier-dims")[0])).run(program)
    assert any(node.target is dgqc.balance.default for node in planned.graph.graph.nodes)
    assert torch.allclose(planned.graph(real, torch.tensor(0)), wanted, rtol=1e-5, atol=1e-5)


def test_ordinary_layers_stay_as_they_are() -> None:
    generator = torch.Generator().manual_seed(7)
    ends = torch.rand(3, 20, generator=generator) + 0.5
    weight = torch.randn(8, 20, 1, generator=generator).double()
    found = best_balance(ReadOperand(Ranges(-ends, ends), 8, [WeightSizes.of(weight)], 8))
    assert found is None or found[1] < BalanceChannels.gain


def test_the_exponents_found_are_quieter_and_whole_octaves() -> None:
    generator = torch.Generator().manual_seed(8)
    factor = torch.exp2(torch.randint(0, 12, (20,), generator=generator).double())
    ends = (torch.rand(3, 20, generator=generator) + 0.5) * factor
    weight = torch.randn(8, 20, 9, generator=generator).double() / factor[:, None]
    layer = ReadOperand(Ranges(-ends.float(), ends.float()), 8, [WeightSizes.of(weight)], 8)
    found = best_balance(layer)
    assert found is not None
    exponent, gain = found
    assert gain > 10
    assert noise(layer, ratios(exponent)) < noise(layer, torch.ones(20, dtype=torch.float64)) / 10
    assert bool((exponent % 4 == 0).all())
    assert int(exponent.min()) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 12))
def test_dilated_weights_keep_the_scales_of_their_rows(seed: int, octaves: int) -> None:
    """Channels that hold a row's largest stay, all others reach one at most."""
    layer = uneven_layer(seed, octaves)
    (exponent,) = dilated(layer)
    (weight,) = layer.weights
    rows = weight.largest.amax(dim=1)
    grown = (weight.largest * ratios(exponent)).amax(dim=1)
    assert torch.allclose(grown, rows, rtol=1e-12, atol=0)
    extreme = (weight.largest == rows[:, None]).any(dim=0)
    assert not bool(exponent[extreme].any())
    assert int(exponent.min()) >= 0


@pytest.mark.parametrize("octaves", [0, 3, 10])
def test_what_is_learned_is_no_noisier_than_where_it_began(octaves: int) -> None:
    layer = uneven_layer(3, octaves)
    smooth, learned = (
        best_balance(layer, method) for method in (BalanceMethod.SMOOTH, BalanceMethod.LEARNED)
    )
    assert learned is not None
    assert learned[1] >= (0 if smooth is None else smooth[1])


@pytest.mark.parametrize("taps", [1, 9])
def test_magnitudes_are_those_of_the_weight(taps: int) -> None:
    weight = torch.randn(8, 20, taps, generator=torch.Generator().manual_seed(4))
    sizes = WeightSizes.of(weight if taps > 1 else weight[..., 0])
    assert torch.allclose(sizes.squares, weight.double().square().sum(dim=2), rtol=1e-15)
    assert torch.equal(sizes.largest, weight.abs().amax(dim=2))
    rows = weight.double().abs().amax(dim=(1, 2))
    assert torch.equal(sizes.share, (weight.double().abs().amax(dim=2) / rows[:, None]).amax(dim=0))
    assert sizes.taps == taps


def uneven_layer(seed: int, octaves: int) -> ReadOperand:
    """Channels that differ by up to so many octaves, and weights by half of them."""
    generator = torch.Generator().manual_seed(seed)
    factor = torch.exp2(octaves * torch.rand(20, generator=generator).double())
    ends = (torch.rand(3, 20, generator=generator) + 0.5) * factor
    weight = torch.randn(8, 20, 9, generator=generator).double() / factor.sqrt()[:, None]
    return ReadOperand(Ranges(-ends.float(), ends.float()), 4, [WeightSizes.of(weight)], 4)


@pytest.mark.parametrize("method", list(BalanceMethod))
def test_every_method_leaves_the_float_network_and_holds_integers(method: BalanceMethod) -> None:
    chosen = f"balance-channels{{method={method.value},gain=0.01}}"
    pipeline = PLANNING.replace("balance-channels", chosen)
    program = massive(factor=16.0)
    real = torch.randn(1, 16, 12)
    wanted = program.graph(real, torch.tensor(0))
    planned = PassManager(parse_pipeline(pipeline.split(",outlier-dims")[0])).run(program)
    assert planned.report["balance-channels"]["balanced"]
    torch.testing.assert_close(planned.graph(real, torch.tensor(0)), wanted, rtol=1e-4, atol=1e-4)
    _, found = integers(massive(factor=16.0), pipeline)
    assert found > 15  # what three samples showed of ranges decides here


def test_massive_features_of_queries_are_shared_with_the_keys() -> None:
    rest = PLANNING
    lowered, balanced = integers(attending(), f"balance-queries,{rest}")
    _, plain = integers(attending(), rest)
    _, ordinary = integers(attending(1.0), rest)
    assert list(lowered.report["balance-queries"]["balanced"].values()) == [1]
    assert balanced > ordinary - 1
    assert plain < balanced - 3


def test_queries_of_ordinary_size_stay_to_the_bit() -> None:
    program = attending(2.0**4)
    found = BalanceQueries().run(program)
    assert found.report["balance-queries"] == {"balanced": {}}
    assert torch.equal(found.graph.to_q_weight, attending(2.0**4).graph.to_q_weight)


def test_balanced_queries_give_the_same_scores_to_the_bit() -> None:
    real, step = torch.randn(1, 8, 12), torch.tensor(0)
    program = attending()
    wanted = program.graph(real, step)
    assert torch.allclose(BalanceQueries().run(program).graph(real, step), wanted, rtol=1e-6, atol=1e-7)


def test_a_table_of_the_timestep_holds_channels_far_apart() -> None:
    """What was folded is added to a layer's result, channel by channel; ordinary tables keep one scale."""
    reached = []
    for factor in (1.0, 2.0**30):
        sketch = Sketch(sample=(1, 4, 6))
        far = torch.tensor([factor, 1, factor, 1, 1, 1])
        weight = torch.randn(6, 6, generator=torch.Generator().manual_seed(9)) * far[:, None]
        rows = torch.tensor([[1.0, 2, -3, 1.5, -1, 2.5], [2, 1, 1, -2, 3, 1]]) * far
        table = sketch.constant("table", rows[:, None].tolist())
        row = sketch.call("row", dgqc.at_step.default, table, sketch.time)
        y = sketch.call(
            "sum", aten.add.Tensor, sketch.linear("up", sketch.inputs["sample"], weight.tolist()), row
        )
        down = torch.eye(6) / far
        _, found = integers(sampled(sketch.program(sketch.linear("down", y, down.tolist()))), PLANNING)
        reached.append(found)
    assert reached[1] > reached[0] - 1


def test_options_out_of_place_are_refused() -> None:
    with pytest.raises(DgqcError, match="gain above 0"):
        BalanceChannels(gain=0)
