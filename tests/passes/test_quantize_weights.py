"""`quantize-weights`: codes, scales and what they stand for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import FRONT, apply, calls, captured

from dgqc.ir.errors import DgqcError
from dgqc.ir.ops.captured import is_layer
from dgqc.ir.plans import Weight
from dgqc.passes.graph.edit import edge_convolutions, module_path
from dgqc.passes.weights.quantize_weights import (
    POWER,
    SHRINKS,
    QuantizeWeights,
    RangeMethod,
    round_to_nearest,
)

aten = torch.ops.aten
METHODS = pytest.mark.parametrize("method", list(RangeMethod))
SEEDS = st.integers(0, 99999)
BITS = st.integers(2, 8)


def weights(seed: int, *shape: int) -> torch.Tensor:
    """Normal, with a few outliers, rows of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator)
    values = torch.where(torch.rand(*shape, generator=generator) < 0.02, values * 6, values)
    size = torch.exp2(3 * torch.randn(shape[0], generator=generator))
    return values * size.reshape(-1, *[1] * (len(shape) - 1))


def value(plan: Weight) -> torch.Tensor:
    return plan.codes.double() * plan.scale.reshape(-1, *[1] * (plan.codes.dim() - 1))


@METHODS
@given(SEEDS, BITS)
def test_codes_and_scales_have_their_types_and_ranges(method: RangeMethod, seed: int, bits: int) -> None:
    plan = round_to_nearest(weights(seed, 5, 4, 3, 3), bits, method)
    assert plan.codes.dtype is torch.int8
    assert plan.codes.shape == (5, 4, 3, 3)
    assert plan.scale.dtype is torch.float64
    assert plan.scale.shape == (5,)
    assert bool((plan.scale > 0).all())
    assert int(plan.codes.min()) >= -(2 ** (bits - 1))
    assert int(plan.codes.max()) <= 2 ** (bits - 1) - 1


@METHODS
@given(SEEDS, BITS)
def test_what_is_not_clamped_is_right_within_half_a_step(method: RangeMethod, seed: int, bits: int) -> None:
    weight = weights(seed, 5, 40)
    plan = round_to_nearest(weight, bits, method)
    step = plan.scale[:, None]
    wanted = weight.double().clamp(-(2 ** (bits - 1)) * step, (2 ** (bits - 1) - 1) * step)
    assert bool(((value(plan) - wanted).abs() <= step * 0.50001).all())


@given(SEEDS, BITS)
def test_minmax_clamps_nothing(seed: int, bits: int) -> None:
    weight = weights(seed, 5, 40)
    plan = round_to_nearest(weight, bits, RangeMethod.MINMAX)
    assert bool(((value(plan) - weight).abs() <= plan.scale[:, None] * 0.50001).all())
    assert plan.codes.abs().amax(dim=1).tolist() == [2 ** (bits - 1) - 1] * 5


@given(SEEDS, BITS)
def test_the_search_is_never_worse_than_minmax(seed: int, bits: int) -> None:
    weight = weights(seed, 5, 40)

    def error(method: RangeMethod) -> torch.Tensor:
        plan = round_to_nearest(weight, bits, method)
        return (value(plan) - weight).abs().pow(POWER).sum(dim=1)

    assert bool((error(RangeMethod.MSE) <= error(RangeMethod.MINMAX) * (1 + 1e-5)).all())


@settings(deadline=None)
@given(SEEDS, BITS, st.integers(1, 3000))
def test_the_search_finds_what_trying_every_range_finds(seed: int, bits: int, size: int) -> None:
    """Bounds save work and change nothing: the same scale to the last bit."""
    weight, top = weights(seed, 6, size), 2 ** (bits - 1) - 1
    largest = weight.abs().amax(dim=1).clamp(min=1e-12)
    scales = torch.stack([largest * (1 - 0.01 * i) / top for i in range(SHRINKS)])
    codes = torch.round(weight / scales[:, :, None]).clamp(-top - 1, top)
    errors = (codes * scales[:, :, None] - weight).abs().pow(POWER).sum(dim=2)
    wanted = scales.gather(0, errors.argmin(dim=0)[None])[0]
    assert torch.equal(round_to_nearest(weight, bits, RangeMethod.MSE).scale, wanted.double())


def test_the_search_clips_outliers_at_4_bits() -> None:
    weight = torch.cat([torch.linspace(-1, 1, 400), torch.tensor([8.0])])[None]
    found, whole = (round_to_nearest(weight, 4, method) for method in (RangeMethod.MSE, RangeMethod.MINMAX))
    assert float(found.scale) < 0.75 * float(whole.scale)


def test_rows_have_scales_of_their_own() -> None:
    weight = torch.tensor([[1.0, -0.5], [100.0, 50.0]])
    assert round_to_nearest(weight, 8, RangeMethod.MINMAX).scale.tolist() == pytest.approx(
        [1 / 127, 100 / 127]
    )


def test_a_dead_row_stays_zero() -> None:
    plan = round_to_nearest(torch.zeros(2, 5), 4, RangeMethod.MSE)
    assert plan.codes.tolist() == [[0] * 5] * 2
    assert bool((plan.scale > 0).all())


def test_every_product_gets_a_plan_and_edges_keep_their_bits() -> None:
    program = apply(captured("only_cross_attention"), f"{FRONT},insert-sites,quantize-weights{{bits=4}}")
    edges = edge_convolutions(program.graph.graph)
    products = calls(program, aten.linear.default) + calls(program, aten.conv2d.default)
    assert len(edges) == 2
    for node in products:
        plan = program.plans[str(node.args[1].target)]  # type: ignore[union-attr]
        assert isinstance(plan, Weight)
        assert plan.bits == (8 if node in edges else 4)


@pytest.mark.parametrize("bits", [1, 9, 16])
def test_widths_that_do_not_exist_are_refused(bits: int) -> None:
    with pytest.raises(DgqcError, match="2 to 8 bits"):
        QuantizeWeights(bits)


def test_layers_that_are_named_get_eight_bits() -> None:
    program = apply(captured("class_conditional"), f"{FRONT},insert-sites{{bits=6}},merge-quantizers")
    layers = [node for node in program.graph.graph.nodes if is_layer(node)]
    first, last = module_path(layers[2]), module_path(layers[-2])
    found = QuantizeWeights(bits=4, edges=4, wide=f"{first}+{last}").run(program)
    plans = {module_path(node): found.plans[str(node.args[1].target)] for node in layers}
    assert {path for path, plan in plans.items() if isinstance(plan, Weight) and plan.bits == 8} == {
        first,
        last,
    }
    assert {plan.bits for plan in plans.values() if isinstance(plan, Weight)} == {4, 8}
    with pytest.raises(DgqcError, match=rf"no layer '{first}s' .* did you mean {first}\?"):
        QuantizeWeights(bits=4, wide=f"{first}s").run(program)
