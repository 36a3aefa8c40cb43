"""The proofs against brute force: no value is beyond its bound, and bounds of sums are reached."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.arithmetic.accumulators import WeightSums, accumulator, centered_codes
from dgqc.ir.arithmetic.fixed_point import round_shift
from dgqc.ir.arithmetic.intervals import CERTAIN, Interval
from dgqc.ir.ops.attention import softmax_log2, softmax_uniform
from dgqc.ir.verify import bounds

CODES = (0, 3)
INT32 = st.integers(-(2**31) + 1, 2**31 - 1)


def table(data: st.DataObject, low: int, high: int, *shape: int) -> torch.Tensor:
    count = int(torch.tensor(shape).prod())
    numbers = data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return torch.tensor(numbers, dtype=torch.int64).reshape(shape)


def sums(weight: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return values.double() @ weight.double().T


@given(st.data())
@settings(max_examples=30)
def test_sums_over_channel_groups_reach_their_bounds(data: st.DataObject) -> None:
    weight = table(data, -8, 7, 2, 4).to(torch.int8)
    group = table(data, 0, 1, 4).to(torch.uint8)
    zero, multiple = table(data, -3, 6, 2, 2), table(data, 1, 9, 2, 2)
    operand = centered_codes(CODES, zero, multiple)
    found = accumulator(operand, WeightSums.of(weight, group, 2))
    index = group.to(torch.int64)
    corners = torch.tensor(list(itertools.product(CODES, repeat=4)))
    for call in range(2):
        reached = sums(weight, multiple[call][index] * (corners - zero[call][index]))
        assert torch.equal(found.reached.high[call], reached.amax(dim=0))
        assert torch.equal(found.reached.low[call], reached.amin(dim=0))
        assert bool((found.partial[call] >= reached.abs().amax(dim=0)).all())


@given(st.data())
@settings(max_examples=30)
def test_sums_in_pixel_groups_reach_their_bounds(data: st.DataObject) -> None:
    weight = table(data, -8, 7, 2, 4).to(torch.int8)
    zero, multiple = table(data, -3, 6, 1, 3), table(data, 1, 9, 1, 3)
    operand = centered_codes(CODES, zero, multiple)
    found = accumulator(operand, WeightSums.of(weight, None, 3), along_channels=False)
    corners = torch.tensor(list(itertools.product(CODES, repeat=4)))
    reached = torch.cat([sums(weight, multiple[0, g] * (corners - zero[0, g])) for g in range(3)])
    assert torch.equal(found.reached.high[0], reached.amax(dim=0))
    assert torch.equal(found.reached.low[0], reached.amin(dim=0))


@given(st.data())
def test_taps_of_a_convolution_add_up(data: st.DataObject) -> None:
    weight = table(data, -128, 127, 2, 2, 2, 3).to(torch.int8)
    group = torch.tensor([1, 0, 1], dtype=torch.uint8)
    found, taps = WeightSums.of(weight, group, 2), weight.double().reshape(2, 4, 3)
    above, below = taps.clamp(min=0).sum(dim=1), (-taps).clamp(min=0).sum(dim=1)
    assert torch.equal(found.positive, torch.stack([above[:, 1], above[:, 0] + above[:, 2]]))
    assert torch.equal(found.negative, torch.stack([below[:, 1], below[:, 0] + below[:, 2]]))


@given(
    low=st.integers(-(2**40), 2**40),
    width=st.integers(0, 2**40),
    column=st.integers(0, 2**31 - 1),
    factor=st.integers(0, 2**31 - 1),
    bias=INT32,
    bias_factor=INT32,
    bias_shift=st.integers(1, 62),
)
def test_no_requantized_value_is_beyond_its_bound(
    low: int, width: int, column: int, factor: int, bias: int, bias_factor: int, bias_shift: int
) -> None:
    def one(number: int) -> torch.Tensor:
        return torch.tensor([number])

    accumulator = Interval(*(torch.tensor([[part]], dtype=torch.float64) for part in (low, low + width)))
    constants = (one(number) for number in (column, factor, bias, bias_factor, bias_shift))
    found = float(bounds.requantized_magnitude(accumulator, *constants))
    m = int(round_shift(one(column) * factor, 31))
    b = int(round_shift(one(bias) * bias_factor, bias_shift))
    # Python's integers are exact; float64 is let off its relative error.
    assert max(abs(end * m + b) for end in (low, low + width)) * CERTAIN <= found


@given(multiplier=st.integers(0, 2**15 - 1), offset=INT32, x=st.integers(-32768, 32767))
def test_no_quantized_value_is_beyond_its_bound(multiplier: int, offset: int, x: int) -> None:
    found = bounds.quantize_magnitude(torch.tensor([multiplier]), torch.tensor([offset]))
    assert abs(x * multiplier + offset) <= float(found)


@given(st.lists(st.sampled_from([-32768, -1, 0, 32767]), min_size=1, max_size=9), st.integers(1, 99))
def test_no_norm_is_beyond_its_bound(row: list[int], epsilon: int) -> None:
    mean = (32 * sum(row) + len(row)) // (2 * len(row))
    energy = sum((16 * x - mean) ** 2 for x in row) + epsilon
    assert energy <= float(bounds.norm_energy(len(row), torch.tensor([epsilon])))


@given(st.data(), st.integers(1, 40), st.sampled_from([1, 2**12, 2**16, 2**18]), st.booleans())
def test_no_rows_probabilities_are_beyond_their_bound(
    data: st.DataObject, keys: int, spread: int, start: bool
) -> None:
    logits = table(data, -spread, spread, 1, keys + int(start)).to(torch.int32)
    bits = data.draw(st.integers(2, 4))
    last = 2**bits - 1
    for kind, (codes, mantissa, exponent, first) in (
        ("log2", softmax_log2(logits, last, "row", start)),
        ("uniform", softmax_uniform(logits, bits, "row", start)),
    ):
        probabilities = torch.exp2(-codes.double()) if kind == "log2" else codes.double() / last
        largest = mantissa.double() * torch.exp2(-15 - exponent.double())
        total = (probabilities * largest).sum() + first.double().sum() / 2**15
        assert float(total) <= bounds.probability_sum(kind, keys, last + 1)
