"""Ops on values whose channels have scales of their own: exact integers, and close to the real values."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.lookup import QUARTER_OCTAVES, activation_table, sigmoid
from dgqc.ir.plans import ratios
from dgqc.passes.lowering.activation import lower_activation
from dgqc.passes.lowering.balance import lower_balance
from dgqc.passes.lowering.elementwise import (
    lower_add,
    lower_cat,
    lower_mul,
    lower_upsample,
)
from dgqc.passes.lowering.joined import cut
from dgqc.passes.lowering.norms import lower_group_norm
from dgqc.passes.lowering.values import Joined, Scaled
from dgqc.passes.lowering.views import lower_permute, lower_reshape, lower_slice

from .eager import EagerBuilder, found
from .numbers import SEEDS, STEP, apply, clamp, exact, half_up, integers

aten, dgqc = torch.ops.aten, torch.ops.dgqc
CHANNELS = 6
IMAGE = (1, CHANNELS, 3, 5)


def exponents(seed: int, most: int = 60) -> torch.Tensor:
    """int64 (channels,), 0 .. most, 0 among them."""
    found = integers(seed, 0, most, CHANNELS)
    return found - found.min()


def along(exponent: torch.Tensor) -> torch.Tensor:
    return exponent.reshape(1, CHANNELS, 1, 1)


def image(seed: int) -> torch.Tensor:
    return integers(seed, -32768, 32767, *IMAGE, dtype=torch.int16)


def steps(scale: float, exponent: torch.Tensor) -> torch.Tensor:
    return scale * along(ratios(exponent))


def fitting(wanted: torch.Tensor, exponent: torch.Tensor, headroom: float = 2.0) -> float:
    """The scale with which these exponents hold all values."""
    return float((wanted.abs() / along(ratios(exponent))).max()) * headroom / 32767


def integers_of(value: Scaled) -> torch.Tensor:
    assert isinstance(value.node, torch.Tensor)
    return value.node


@given(SEEDS, st.integers(1, 62))
def test_add_by_columns_is_its_formula(seed: int, shift: int) -> None:
    a, b = (integers(seed + i, -32768, 32767, 4, CHANNELS, dtype=torch.int16) for i in range(2))
    factors = [integers(seed + i, -(2**30), 2**30, 1, dtype=torch.int32) for i in (2, 3)]
    columns = [integers(seed + i, 0, 2**31 - 1, CHANNELS, dtype=torch.int32) for i in (4, 5)]
    shifts = torch.tensor([shift], dtype=torch.int32)
    y = dgqc.add(a, b, STEP, *factors, shifts, *columns)

    def formula(x: int, z: int, p: int, q: int) -> int:
        left, right = (half_up(Fraction(c * f.item(), 2**31)) for c, f in zip((p, q), factors, strict=True))
        return clamp(half_up(Fraction(x * left + z * right, 2**shift)), -32768, 32767)

    wanted = apply(formula, exact(a), exact(b), *(exact(c)[None] for c in columns))
    assert (exact(y) == wanted).all()


@given(SEEDS, st.integers(0, 2**15 - 1), st.integers(0, 62))
def test_an_activation_by_columns_is_one_with_each_columns_factor(seed: int, factor: int, shift: int) -> None:
    x, exponent = integers(seed, -32768, 32767, 40, CHANNELS, dtype=torch.int16), exponents(seed)
    table = activation_table(sigmoid, 16.0)
    rest = [torch.tensor([n], dtype=torch.int32) for n in (2**28, 44)]
    places = [torch.tensor([n], dtype=torch.int32) for n in (factor, shift)]
    y = dgqc.activation(x, STEP, table, *places, *rest, exponent.to(torch.int32))
    for channel, quarters in enumerate(exponent.tolist()):
        own = half_up(Fraction(factor * int(QUARTER_OCTAVES[quarters % 4]), 2**30))
        alone = [torch.tensor([n], dtype=torch.int32) for n in (own, max(shift - quarters // 4, 0))]
        assert torch.equal(y[:, channel], dgqc.activation(x[:, channel], STEP, table, *alone, *rest))


@given(SEEDS, st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.booleans())
def test_sums_are_real_within_half_a_step(seed: int, left: float, right: float, broadcast: bool) -> None:
    builder = EagerBuilder()
    x, y = image(seed), image(seed + 1)
    y = y[..., :1, :1] if broadcast else y
    ours, theirs, wants = (exponents(seed + i) for i in (2, 3, 4))
    p, q = x.double() * steps(left, ours), y.double() * steps(right, theirs)
    a, b = builder.scaled_input(x, left, along(ours)), builder.scaled_input(y, right, along(theirs))
    for args, wanted in (((a, b), p + q), ((a, -2.5), p - 2.5)):
        scale = fitting(wanted, wants)
        value = lower_add(builder, builder.op(aten.add.Tensor, args, IMAGE, scale, wants))
        assert isinstance(value, Scaled)
        error = (found(builder, value).double() - wanted / steps(scale, wants)).abs()
        assert float(error.max()) <= 0.5 + 2.0**-10


@given(SEEDS, st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_products_with_a_gain_of_each_channel_are_real_within_half_a_step(
    seed: int, left: float, right: float
) -> None:
    builder = EagerBuilder()
    x, gain, exponent = image(seed), image(seed + 1)[..., :1, :1], exponents(seed + 2)
    wanted = x.double() * left * gain.double() * steps(right, exponent)
    scale = fitting(wanted, exponent)
    a, b = builder.scaled_input(x, left), builder.scaled_input(gain, right, along(exponent))
    node = builder.op(aten.mul.Tensor, (a, b), IMAGE, scale, exponent)
    value = lower_mul(builder, node)
    assert isinstance(value, Scaled)
    error = (found(builder, value).double() - wanted / steps(scale, exponent)).abs()
    assert float(error.max()) <= 0.5 + 2.0**-10


@given(SEEDS, st.floats(1e-4, 1e6), st.booleans())
def test_an_activation_of_any_range_is_real_within_its_tables_error(
    seed: int, largest: float, alike: bool
) -> None:
    """The coarsest channels of it have steps of many units, the finest ones of less than a thousandth; those
    of its result are alike or others."""
    builder = EagerBuilder()
    x, exponent = image(seed), exponents(seed + 1)
    wants = exponent if alike else exponents(seed + 2)
    scale = largest / 32767
    real = x.double() * steps(scale, exponent)
    wanted = torch.nn.functional.silu(real)
    output_scale = fitting(wanted, wants, 1.0)
    source = builder.scaled_input(x, scale, along(exponent))
    value = lower_activation(builder, builder.op(aten.silu.default, (source,), IMAGE, output_scale, wants))
    assert isinstance(value, Scaled)
    sizes = steps(output_scale, wants)
    allowed = 0.5 + real.abs() * 3.5e-5 / sizes + 0.6 * (steps(scale, exponent) > 0.45) + 2e-3
    # A factor of 15 bits is off by 2^-15 of the place.
    allowed = allowed + 0.3 * 2.0**-13 / sizes
    assert bool(((found(builder, value).double() - wanted / sizes).abs() <= allowed).all())


@given(SEEDS, st.floats(1e-4, 1e2))
def test_a_norm_takes_a_scale_of_each_group_away(seed: int, scale: float) -> None:
    """And gives any to its result."""
    builder = EagerBuilder()
    x = integers(seed, -9000, 9000, 1, CHANNELS, 6, 5, dtype=torch.int16)
    exponent = exponents(seed + 1).reshape(3, 2)[:, :1].expand(3, 2).reshape(-1)
    wants, gamma = exponents(seed + 2), torch.linspace(0.5, 2, CHANNELS, dtype=torch.float64)
    real = x.double() * steps(scale, exponent)
    epsilon = (5000 * scale) ** 2  # as large as the variance of the first groups, not of the others
    wanted = torch.nn.functional.group_norm(real, 3, gamma, None, epsilon)
    output_scale = fitting(wanted, wants)
    source = builder.scaled_input(x, scale, along(exponent))
    args = (source, 3, builder.float_constant(gamma), None, epsilon)
    node = builder.op(aten.group_norm.default, args, tuple(x.shape), output_scale, wants)
    value = lower_group_norm(builder, node)
    assert isinstance(value, Scaled)
    gain = gamma.reshape(1, -1, 1, 1) / 3000 / steps(output_scale, wants)
    error = (found(builder, value).double() - wanted / steps(output_scale, wants)).abs()
    assert bool((error <= 0.52 + gain / 16).all())


def test_views_and_resampling_carry_exponents_along() -> None:
    builder, exponent = EagerBuilder(), along(torch.tensor([0, 4, 8, 12, 16, 20]))
    x = builder.scaled_input(image(1), 0.5, exponent)
    turned = builder.op(aten.permute.default, (x, [0, 2, 3, 1]), (1, 3, 5, CHANNELS))
    value = lower_permute(builder, turned)
    assert isinstance(value, Scaled)
    assert value.along(3) is not None
    builder.values[turned] = value
    heads = builder.op(aten.reshape.default, (turned, [1, 15, 2, 3]), (1, 15, 2, 3))
    apart = lower_reshape(builder, heads)
    assert isinstance(apart, Scaled)
    assert apart.exponent is not None
    assert apart.exponent.tolist() == [[[[0, 4, 8], [12, 16, 20]]]]
    builder.values[heads] = apart
    part = lower_slice(builder, builder.op(aten.slice.Tensor, (heads, 2, 1, 2), (1, 15, 1, 3)))
    assert isinstance(part, Scaled)
    assert part.along(3) is not None
    assert part.along(3).tolist() == [12, 16, 20]  # type: ignore[union-attr]
    larger = builder.op(aten.upsample_nearest2d.vec, (x,), (1, CHANNELS, 6, 10))
    doubled = lower_upsample(builder, larger)
    assert isinstance(doubled, Scaled)
    assert doubled.exponent is exponent


@given(SEEDS)
def test_whoever_asks_for_one_scale_gets_it_within_a_step_and_a_half_of_the_coarsest(seed: int) -> None:
    builder, exponent, x = EagerBuilder(), exponents(seed), image(seed)
    node = builder.scaled_input(x, 0.25, along(exponent))
    value = builder.scaled(node)
    assert value.exponent is None
    wanted = x.double() * steps(0.25, exponent)
    assert float((integers_of(value).double() * value.scale - wanted).abs().max()) <= 1.5 * value.scale


@pytest.mark.parametrize("value", [-32768, 32767])
def test_an_activation_beyond_all_tables_is_open_or_shut(value: int) -> None:
    builder = EagerBuilder()
    source = builder.scaled_input(torch.tensor([[value]], dtype=torch.int16), 1.5e6)
    lowered = lower_activation(builder, builder.op(aten.silu.default, (source,), (1, 1), 1.5e6))
    assert isinstance(lowered, Scaled)
    assert integers_of(lowered).item() == max(value, 0)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 8))
def test_parts_are_cut_where_a_norms_group_has_channels_of_two(sizes: list[int], group: int) -> None:
    pieces = cut(sizes, group)
    offsets = [sum(sizes[:part]) for part in range(len(sizes))]
    spans = [(offsets[one.part] + one.first, offsets[one.part] + one.last, one.group) for one in pieces]
    assert [place for first, last, _ in spans for place in range(first, last)] == list(range(sum(sizes)))
    for first, last, shared in spans:
        if shared is None:
            assert first % group == last % group == 0, "all of it are whole groups"
        else:
            assert shared * group <= first < last <= (shared + 1) * group


@given(SEEDS, st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_norm_reads_a_concatenation_whose_parts_keep_their_scales(
    seed: int, left: float, right: float
) -> None:
    """Two channels and four in groups of three: the first group has channels of both parts."""
    builder = EagerBuilder()
    x = integers(seed, -9000, 9000, *IMAGE, dtype=torch.int16)
    a, b = x[:, :2].contiguous(), x[:, 2:].contiguous()
    real = torch.cat([a.double() * left, b.double() * right], 1)
    parts = [builder.scaled_input(a, left), builder.scaled_input(b, right)]
    both = builder.op(
        aten.cat.default, (parts, 1), IMAGE, fitting(real, zeros := torch.zeros(6, dtype=torch.int64)), zeros
    )
    site = builder.op(dgqc.site.default, (both, "both.output"), IMAGE)
    wanted = torch.nn.functional.group_norm(real, 2, None, None, 1e-9)
    scale = float(wanted.abs().max()) * 2 / 32767
    node = builder.op(aten.group_norm.default, (site, 2, None, None, 1e-9), IMAGE, scale)
    value = lower_cat(builder, both)
    assert isinstance(value, Joined)
    builder.values[site] = value
    normalized = lower_group_norm(builder, node)
    assert isinstance(normalized, Scaled)
    error = (found(builder, normalized).double() - wanted / scale).abs()
    assert float(error[:, 3:].max()) <= 1, "the second group is of one part"
    # In the first, a step is the coarser part's.
    deviation = real[:, :3].var(unbiased=False).sqrt()
    assert float(error[:, :3].max()) <= 1 + 0.6 * max(left, right) / float(deviation) / scale


@given(SEEDS, st.floats(1e-6, 1e3), st.booleans())
def test_a_balanced_concatenation_of_wide_parts_is_read_in_16_bits(
    seed: int, scale: float, balanced: bool
) -> None:
    """By a product, which takes one scale: within a step of the coarsest part, never clipped."""
    builder = EagerBuilder()
    codes = integers(seed, -(2**19) + 16, 2**19 - 17, *IMAGE, dtype=torch.int32)
    halves = (codes[:, :2].contiguous(), codes[:, 2:].contiguous())
    steps_of = (scale / 16, scale / 4)
    parts = [builder.scaled_input(one, step, wide=True) for one, step in zip(halves, steps_of, strict=True)]
    exponent = torch.tensor([0, 0, 8, 8, 8, 8])
    both = builder.op(aten.cat.default, (parts, 1), IMAGE, scale, exponent)
    site = builder.op(dgqc.site.default, (both, "both.output"), IMAGE)
    builder.values[site] = lower_cat(builder, both)
    by = torch.tensor([0, 4, 4, 8, 12, 0]) if balanced else torch.zeros(6, dtype=torch.int64)
    node = builder.op(dgqc.balance.default, (site, builder.float_constant(by), 1), IMAGE)
    builder.values[node] = lower_balance(builder, node)
    value = builder.scaled(node)
    real = torch.cat([one.double() * step for one, step in zip(halves, steps_of, strict=True)], 1)
    error = (found(builder, value).double() * float(value.scale) - real / along(ratios(by))).abs()
    assert float(error.max()) <= 1.6 * float(value.scale)


@given(SEEDS, st.floats(1e-6, 1e3), st.booleans(), st.booleans())
def test_wide_sums_are_real_within_half_a_wide_step(seed: int, scale: float, first: bool, both: bool) -> None:
    builder = EagerBuilder()
    sides = []
    for number, wide in ((0, first), (1, both)):
        largest = 2**19 - 1 if wide else 32767
        codes = integers(seed + number, -largest, largest, *IMAGE, dtype=torch.int32 if wide else torch.int16)
        step = scale / (16 if wide else 1)
        sides.append((builder.scaled_input(codes, step, along(exponents(seed + number)), wide), codes, step))
    wanted = sum(
        codes.double() * steps(step, exponents(seed + number))
        for number, (_, codes, step) in enumerate(sides)
    )
    assert isinstance(wanted, torch.Tensor)
    wants = exponents(seed + 2)
    result = fitting(wanted, wants)
    args = tuple(node for node, _, _ in sides)
    value = lower_add(builder, builder.op(aten.add.Tensor, args, IMAGE, result, wants, wide=True))
    assert isinstance(value, Scaled)
    assert value.wide
    error = (found(builder, value).double() - wanted / steps(result / 16, wants)).abs()
    assert float(error.max()) <= 0.5 + 2.0**-6


@given(SEEDS, st.floats(1e-4, 1e2))
def test_a_wide_norm_is_finer_than_a_16_bit_step(seed: int, scale: float) -> None:
    builder = EagerBuilder()
    x = integers(seed, -9000 * 16, 9000 * 16, 1, CHANNELS, 6, 5, dtype=torch.int32)
    wants, gamma = exponents(seed + 2), torch.linspace(0.5, 2, CHANNELS, dtype=torch.float64)
    wanted = torch.nn.functional.group_norm(x.double() * scale / 16, 3, gamma, None, 1e-5)
    result = fitting(wanted, wants)
    source = builder.scaled_input(x, scale / 16, None, True)
    args = (source, 3, builder.float_constant(gamma), None, 1e-5)
    value = lower_group_norm(
        builder, builder.op(aten.group_norm.default, args, tuple(x.shape), result, wants, wide=True)
    )
    assert isinstance(value, Scaled)
    gain = gamma.reshape(1, -1, 1, 1) / 3000 / steps(result, wants)
    error = (found(builder, value).double() / 16 - wanted / steps(result, wants)).abs()
    assert bool((error <= 0.04 + gain / 16).all())


@given(SEEDS, st.floats(1e-2, 1e4))
def test_an_activation_reads_wide_values(seed: int, largest: float) -> None:
    builder, exponent = EagerBuilder(), exponents(seed + 1, 24)
    x = integers(seed, -(2**19), 2**19 - 1, *IMAGE, dtype=torch.int32)
    scale = largest / 2**19
    real = x.double() * steps(scale, exponent)
    wanted = torch.nn.functional.silu(real)
    wants = exponents(seed + 2)
    result = fitting(wanted, wants, 1.0)
    source = builder.scaled_input(x, scale, along(exponent), True)
    value = lower_activation(builder, builder.op(aten.silu.default, (source,), IMAGE, result, wants))
    assert isinstance(value, Scaled)
    assert not value.wide
    sizes = steps(result, wants)
    allowed = 0.5 + real.abs() * 4e-5 / sizes + 0.6 * (steps(scale, exponent) > 0.45) + 0.3 * 2.0**-13 / sizes
    assert bool(((found(builder, value).double() - wanted / sizes).abs() <= allowed + 2e-3).all())
