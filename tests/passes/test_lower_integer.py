"""`lower-integer`: as good as the simulation, and integers only."""

from __future__ import annotations

import pytest
import torch
from programs import (
    BATCH,
    SCHEDULE,
    apply,
    arguments,
    calls,
    captured,
    decibels,
    lowered,
    planned,
    run_float,
    run_integer,
    samples,
)

from dgqc.ir.calibration import Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import verify

aten, dgqc = torch.ops.aten, torch.ops.dgqc
CASES = pytest.mark.parametrize(
    ("name", "bits", "weights", "scale"),
    [
        ("only_cross_attention", 8, 8, "row"),
        ("only_cross_attention", 6, 4, "tensor"),
        ("class_conditional", 8, 4, "row"),
    ],
)


def one(inputs: Inputs, index: int) -> Inputs:
    return {name: value[index : index + 1] for name, value in inputs.items()}


@CASES
def test_integers_are_as_close_to_the_float_model_as_the_simulation(
    name: str, bits: int, weights: int, scale: str
) -> None:
    """Within half a decibel, averaged over calls and over the samples that ranges were taken from."""
    decided = planned(name, bits, weights, scale)
    simulated, integer = apply(decided, "simulate"), lowered(name, bits, weights, scale)
    verify(integer)
    by_simulation, by_integers, between = [], [], []
    for step in range(len(SCHEDULE)):
        for index in range(2):
            inputs = one(samples(name, step), index)
            reference = run_float(captured(name), inputs, step)
            floats, integers = run_float(simulated, inputs, step), run_integer(integer, inputs, step)
            by_simulation.append(decibels(reference, floats))
            by_integers.append(decibels(reference, integers))
            between.append(decibels(floats, integers))
    mean = [sum(found) / len(found) for found in (by_simulation, by_integers, between)]
    assert mean[0] > 8, "the simulation itself is an approximation"
    assert abs(mean[1] - mean[0]) < 0.5
    # What codes that fall on the other side of a tie cost is far below what quantization costs.
    assert mean[2] > mean[0] + 4


@CASES
def test_no_tensor_is_a_float(name: str, bits: int, weights: int, scale: str) -> None:
    integer = lowered(name, bits, weights, scale)
    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

    def check(value: object, where: object) -> None:
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, torch.Tensor):
                assert part.dtype not in floats, where

    class Checked(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            value = super().run_node(n)
            check(value, n)
            return value

    inputs = arguments(integer, one(samples(name, 0), 0))
    codes = [torch.zeros(value.shape, dtype=torch.int16) for value in inputs]
    Checked(integer.graph).run(*codes, torch.tensor(0))
    assert all(item.scale is not None and item.scale.dtype is torch.float64 for item in integer.inputs)


def test_the_same_input_gives_the_same_integers_and_other_calls_others() -> None:
    integer = lowered("only_cross_attention")
    inputs = one(samples("only_cross_attention", 0), 0)
    first, again, other = (run_integer(integer, inputs, step) for step in (0, 0, 3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_saturated_input_neither_overflows_nor_wraps() -> None:
    integer = lowered("class_conditional", 8, 4)
    values = arguments(integer, one(samples("class_conditional", 0), 0))
    ends = []
    for sign in (-32768, 32767):
        codes = [torch.full(value.shape, sign, dtype=torch.int16) for value in values]
        ends.append(integer.graph(*codes, torch.tensor(0)))
    assert all(bool((end.to(torch.int32).abs() <= 32768).all()) for end in ends)
    assert not torch.equal(*ends)


@pytest.mark.parametrize(("bits", "weights", "scale"), [(8, 8, "row"), (6, 4, "tensor")])
def test_a_sample_of_a_batch_is_quantized_as_if_it_were_alone(bits: int, weights: int, scale: str) -> None:
    """The scale of attention probabilities is a sample's own: simulated in a batch, lowered for one."""
    name = "only_cross_attention"
    simulated = apply(planned(name, bits, weights, scale), "simulate")
    batch = dict(samples(name, 0))
    batch["encoder_hidden_states"] = (
        batch["encoder_hidden_states"] * torch.tensor([1.0, 8, 2, 4])[:, None, None]
    )
    together = run_float(simulated, batch, 0)
    for index in range(BATCH):
        alone = run_float(simulated, one(batch, index), 0)
        # Sums of a batch are rounded differently, and a code may fall on the other side; no more than that.
        assert decibels(alone, together[index : index + 1]) > 30


@CASES
def test_the_granularity_is_lowered_as_planned(name: str, bits: int, weights: int, scale: str) -> None:
    integer = lowered(name, bits, weights, scale)
    assert {node.args[2] for node in calls(integer, dgqc.softmax_log2.default)} == {scale}


@pytest.mark.parametrize("name", ["only_cross_attention", "class_conditional"])
def test_values_move_at_the_two_ends_and_around_heads_alone(name: str) -> None:
    """Queries, keys, values and the result of each attention, and the model's (1, C, H, W)."""
    integer = lowered(name)
    permutes = calls(integer, aten.permute.default)
    assert len(permutes) == 4 * len(calls(integer, dgqc.attend.default)) + 2
    places = [
        "ends"
        if {neighbour.op for neighbour in (*node.all_input_nodes, *node.users)} & {"placeholder", "output"}
        else "apart"
        if node.meta["val"].dtype is torch.uint8
        else "together"
        for node in permutes
    ]
    heads = len(calls(integer, dgqc.attend.default))
    assert {place: places.count(place) for place in places} == {
        "ends": 2,
        "apart": 3 * heads,
        "together": heads,
    }
    for node in calls(integer, dgqc.conv2d.default) + calls(integer, dgqc.group_norm.default):
        assert node.args[0].target is not aten.permute.default or node.args[0].args[0].op == "placeholder"


def test_images_are_channels_last_inside_and_as_the_model_has_them_outside() -> None:
    captured_program, integer = captured("class_conditional"), lowered("class_conditional")
    assert [item.shape for item in integer.inputs][:1] == [captured_program.inputs[0].shape]
    output = next(node for node in integer.graph.graph.nodes if node.op == "output").args[0]
    assert output.meta["val"].shape == captured_program.inputs[0].shape
    for node in calls(integer, dgqc.conv2d.default):
        x, weight = node.args[0].meta["val"], node.args[5].meta["val"]
        assert x.shape[3] == weight.shape[3]
        assert node.meta["val"].shape[3] == weight.shape[0]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("quantize-weights", "is not quantized yet; run quantize-weights"),
        ("log-quant", "run the planning passes before lower-integer"),
        (
            "timestep-tables",
            "has no scale at the integer level; run insert-sites, observe-ranges and timestep-tables",
        ),
    ],
)
def test_what_has_not_been_decided_is_named(missing: str, message: str) -> None:
    passes = (
        "fold-time-embedding,split-prologue,insert-sites,merge-quantizers,quantize-weights,observe-ranges,"
        "outlier-dims,kmeans-groups,log-quant,timestep-tables"
    )
    program: Program = apply(
        captured("class_conditional"), ",".join(p for p in passes.split(",") if p != missing)
    )
    with pytest.raises(DgqcError, match=message):
        apply(program, "lower-integer")
