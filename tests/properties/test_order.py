"""What must not change a product: the order of channels, and padding that stands for zero."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import pad

from .numbers import SEEDS, STEP, integers
from .products import operand

dgqc = torch.ops.dgqc
SIZES = st.integers(2, 9)


def shuffled(seed: int, size: int) -> torch.Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def epilogue(seed: int, columns: int) -> tuple[torch.Tensor, ...]:
    """Constants under which outputs of these sizes fill 16 bits without many of them saturating."""

    def numbers(place: int, low: int, high: int, count: int) -> torch.Tensor:
        return integers(seed + place, low, high, count, dtype=torch.int32)

    return (
        numbers(0, 2**28, 2**31 - 1, columns),
        numbers(1, 2**24, 2**25, 1),
        numbers(2, 31, 33, 1),
        numbers(3, -(2**31) + 1, 2**31 - 1, columns),
        numbers(4, 2**20, 2**24, 1),
        numbers(5, 12, 16, 1),
    )


@given(SEEDS, SIZES)
def test_channels_may_be_permuted_with_their_groups_and_weights(seed: int, depth: int) -> None:
    x = operand(seed, 2, 1, 4, depth)
    weight = integers(seed + 4, -128, 127, 5, depth, dtype=torch.int8)
    constants, order = epilogue(seed, 5), shuffled(seed, depth)
    straight = dgqc.linear(x.codes, STEP, *x.tables, weight, *constants)
    assert straight.unique().numel() > 1
    codes = dgqc.gather(x.codes, order.to(torch.int32), 2)
    permuted = dgqc.linear(codes, STEP, x.zero, x.multiple, x.group[order], 2, weight[:, order], *constants)
    assert torch.equal(straight, permuted)


@given(SEEDS, SIZES, st.integers(0, 1))
def test_input_channels_of_a_convolution_may_be_permuted(seed: int, channels: int, padding: int) -> None:
    x = operand(seed, 3, 1, 4, 4, channels)
    weight = integers(seed + 4, -128, 127, 2, 3, 3, channels, dtype=torch.int8)
    constants, order = epilogue(seed, 2), shuffled(seed, channels)
    window = ([1, 1], [padding, padding])
    straight = dgqc.conv2d(x.codes, STEP, x.zero, x.multiple, x.group, weight, *constants, *window)
    permuted = dgqc.conv2d(
        x.codes[..., order], STEP, x.zero, x.multiple, x.group[order], weight[..., order], *constants, *window
    )
    assert torch.equal(straight, permuted)


@given(SEEDS, SIZES)
def test_features_of_queries_and_keys_may_be_permuted_together(seed: int, depth: int) -> None:
    a, b = operand(seed, 2, 1, 3, depth), operand(seed + 9, 2, 1, 4, depth)
    order = shuffled(seed, depth)
    factor, shift = torch.tensor([2**20], dtype=torch.int32), torch.tensor([21], dtype=torch.int32)
    straight = dgqc.matmul(a.codes, b.codes, STEP, *a.tables, *b.tables, factor, shift, 32)
    left = (a.zero, a.multiple, a.group[order], 2)
    right = (b.zero, b.multiple, b.group[order], 2)
    permuted = dgqc.matmul(a.codes[..., order], b.codes[..., order], STEP, *left, *right, factor, shift, 32)
    assert torch.equal(straight, permuted)


@given(SEEDS, st.integers(1, 4), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
def test_padding_is_the_real_value_zero(
    seed: int, channels: int, stride: int, height: int, width: int
) -> None:
    """A padded convolution is one without padding of an image with each channel's code of 0 around it."""
    x = operand(seed, 3, 1, 4, 5, channels, padded=True)
    weight = integers(seed + 4, -128, 127, 3, 3, 3, channels, dtype=torch.int8)
    constants, strides = epilogue(seed, 3), [stride, stride]
    groups = (x.zero, x.multiple, x.group)
    padded = dgqc.conv2d(x.codes, STEP, *groups, weight, *constants, strides, [height, width])
    code_of_zero = x.zero[0][x.group.to(torch.int64)].to(torch.int64)
    frame = pad(x.codes.to(torch.int64) - code_of_zero, (0, 0, width, width, height, height))
    image = (frame + code_of_zero).to(torch.uint8)
    assert torch.equal(padded, dgqc.conv2d(image, STEP, *groups, weight, *constants, strides, [0, 0]))


@given(SEEDS, st.integers(1, 3))
def test_a_patch_beyond_the_border_holds_the_code_of_zero(seed: int, channels: int) -> None:
    """The same where the patches of output positions are quantized: zeros around the 16-bit image."""
    x = integers(seed, -32768, 32767, 1, 4, 5, channels, dtype=torch.int16)
    weight = integers(seed + 1, -128, 127, 3, 3, 3, channels, dtype=torch.int8)
    group = integers(seed + 2, 0, 1, 20, dtype=torch.uint8)
    tables = [
        torch.tensor([row], dtype=torch.int32) for row in ([300, 200], [2**16 * 90 + 2**15] * 2, [16, 16])
    ]
    products = (torch.tensor([[90, 90]], dtype=torch.int32), torch.tensor([[1, 3]], dtype=torch.int32))
    args = (*tables, *products, group, 8, weight, *epilogue(seed, 3), [1, 1])
    framed = pad(x, (0, 0, 1, 1, 1, 1))
    assert torch.equal(
        dgqc.conv2d_pixel(x, STEP, *args, [1, 1]), dgqc.conv2d_pixel(framed, STEP, *args, [0, 0])
    )
