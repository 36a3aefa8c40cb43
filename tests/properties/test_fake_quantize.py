"""The simulated level's formulas: values as plans say, gradients straight through."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from .attention import probabilities
from .numbers import SEEDS, STEP, integers, reals

dgqc = torch.ops.dgqc
BITS = st.integers(2, 8)


def tables(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales and zeros (T, G) of 2 calls and 3 groups."""
    return torch.exp2(reals(seed, 2, 3)), integers(seed + 1, -40, 300, 2, 3).double()


@given(SEEDS, BITS, st.integers(0, 2), st.integers(0, 1))
def test_fake_quantize_is_the_plans_formula(seed: int, bits: int, axis: int, call: int) -> None:
    x = reals(seed, 3, 4, 5) * 30
    scale, zero = tables(seed)
    group = integers(seed + 2, 0, 2, x.shape[axis], dtype=torch.uint8)
    found = dgqc.fake_quantize(x, torch.tensor(call), scale, zero, group, axis, bits)
    for index in range(x.shape[axis]):
        s, z = (t[call, group[index].item()].item() for t in (scale, zero))
        code = (torch.round(x.select(axis, index) / s) + z).clamp(0, 2**bits - 1)
        assert torch.equal(found.select(axis, index), s * (code - z))


@given(SEEDS, BITS)
def test_fake_quantize_passes_gradients_where_nothing_is_clamped(seed: int, bits: int) -> None:
    x = (reals(seed, 3, 20) * 30).requires_grad_()
    scale, zero = tables(seed)
    scale.requires_grad_()
    group = torch.arange(3, dtype=torch.uint8)
    dgqc.fake_quantize(x, STEP, scale, zero, group, 0, bits).sum().backward()
    with torch.no_grad():
        code = torch.round(x / scale[0][:, None]) + zero[0][:, None]
        inside = (code >= 0) & (code <= 2**bits - 1)
    assert x.grad is not None
    assert torch.equal(x.grad, inside.double())
    assert scale.grad is not None
    assert bool(scale.grad[0].isfinite().all())
    assert scale.grad[1].tolist() == [0, 0, 0], "another call's scales are not touched"


@given(SEEDS, BITS, st.sampled_from(["row", "tensor"]))
def test_log2_simulation_is_equation_8(seed: int, bits: int, granularity: str) -> None:
    shares = probabilities(integers(seed, -400000, 400000, 2, 3, 4, 9))
    found = dgqc.fake_quantize_log2(shares, bits, granularity)
    for sample in range(2):
        for head in range(3):
            for query in range(4):
                row = shares[sample, head, query]
                s = row.max() if granularity == "row" else shares[sample].max()
                code = torch.round(-torch.log2(row / s)).clamp(0, 2**bits - 1)
                assert torch.allclose(found[sample, head, query], s * torch.exp2(-code), rtol=1e-12)


@pytest.mark.parametrize("granularity", ["row", "tensor"])
@pytest.mark.parametrize("op", [dgqc.fake_quantize_log2, dgqc.fake_quantize_uniform])
@given(seed=SEEDS, bits=BITS)
def test_a_sample_never_depends_on_its_neighbours(op: object, granularity: str, seed: int, bits: int) -> None:
    """The released code takes s over the batch; a picture would depend on what is drawn beside it."""
    assert callable(op)
    shares = probabilities(
        integers(seed, -400000, 400000, 3, 2, 4, 9) * torch.tensor([1, 3, 9])[:, None, None, None]
    )
    together = op(shares, bits, granularity)
    for sample in range(3):
        alone = op(shares[sample : sample + 1], bits, granularity)
        assert torch.equal(together[sample : sample + 1], alone)


@pytest.mark.parametrize("granularity", ["row", "tensor"])
def test_shares_that_vanish_in_floats_stay_numbers(granularity: str) -> None:
    """A start token may take so much that nothing is left for the others."""
    shares = torch.zeros(1, 1, 2, 5)
    for op in (dgqc.fake_quantize_log2, dgqc.fake_quantize_uniform):
        assert op(shares, 6, granularity).tolist() == shares.tolist()


@given(SEEDS, BITS)
def test_uniform_simulations(seed: int, bits: int) -> None:
    shares = probabilities(integers(seed, -400000, 400000, 2, 3, 4, 9))
    found = dgqc.fake_quantize_uniform(shares, bits, "row")
    s = shares.amax(dim=-1, keepdim=True) / (2**bits - 1)
    assert torch.allclose(found, s * torch.round(shares / s), rtol=1e-12)
    static = torch.tensor([0.4, 0.7], dtype=torch.float64) / (2**bits - 1)
    found = dgqc.fake_quantize_static(shares, torch.tensor(1), static, bits)
    wanted = static[1] * torch.round(shares / static[1]).clamp(0, 2**bits - 1)
    assert torch.allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("op", ["log2", "uniform", "static"])
def test_probabilities_pass_gradients(op: str) -> None:
    shares = probabilities(integers(3, -100000, 100000, 1, 1, 3, 8)).requires_grad_()
    if op == "static":
        found = dgqc.fake_quantize_static(shares, STEP, torch.tensor([1 / 255]), 8)
    else:
        found = getattr(dgqc, f"fake_quantize_{op}")(shares, 8, "row")
    (found * integers(4, 1, 9, 8)).sum().backward()
    assert shares.grad is not None
    assert bool(shares.grad.isfinite().all())
    assert bool((shares.grad != 0).any())


@given(SEEDS, BITS, st.integers(1, 2), st.integers(0, 1))
def test_pixel_convolution_quantizes_each_position_by_its_group(
    seed: int, bits: int, stride: int, padding: int
) -> None:
    x, weight, bias = reals(seed, 2, 2, 5, 4) * 9, reals(seed + 1, 3, 2, 3, 3), reals(seed + 2, 3)
    scale, zero = tables(seed)
    size = conv2d(x, weight, bias, stride, padding)
    group = integers(seed + 3, 0, 2, size[0, 0].numel(), dtype=torch.uint8)
    window = ([stride] * 2, [padding] * 2)
    found = dgqc.conv2d_pixel_simulated(x, STEP, scale, zero, group, bits, weight, bias, *window)
    assert found.shape == size.shape
    for g in range(3):
        # All positions with one group's quantizer; those of the group must agree.
        only = torch.zeros(2, dtype=torch.uint8) + g
        image = dgqc.fake_quantize(x, STEP, scale, zero, only, 1, bits)
        border = dgqc.fake_quantize(torch.zeros(1, 1, 1, 1).double(), STEP, scale, zero, only[:1], 1, bits)
        framed = torch.nn.functional.pad(image, (padding,) * 4, value=border.item())
        wanted = conv2d(framed, weight, bias, stride)
        mine = (group == g).reshape(size.shape[2:])
        assert torch.allclose(found[..., mine], wanted[..., mine])
