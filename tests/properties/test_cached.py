"""`dgqc::cached` at shallow calls against real numbers: y = a x + b of each channel, to half a step."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops.cached import CORRECTION_BITS, LARGEST_AMENDS, LARGEST_CORRECTION, amended, cached

ONE = 2**CORRECTION_BITS


@given(st.integers(0, 2**16), st.sampled_from([2**10, 2**16, LARGEST_CORRECTION]))
def test_shallow_calls_correct_what_is_kept(seed: int, most: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(-32768, 32768, (1, 3, 5), generator=random).to(torch.int16)
    factor, offset, older = torch.randint(-most, most + 1, (3, 4, 5), generator=random).to(torch.int32)
    step, source = torch.tensor(seed % 4), torch.zeros(4, dtype=torch.int32)
    found = cached(x, step, source, factor, offset, 2, True)
    wanted = (x.double() * (factor[step].double() / ONE) + offset[step].double() / ONE).clamp(-32768, 32767)
    assert found.dtype is torch.int16
    assert float((found.double() - wanted).abs().max()) <= 0.5
    assert torch.equal(cached(x, step, source, factor, offset, 2, False), x)
    two = torch.cat((x, x.flip(1)))
    found = cached(two, step, source, factor, offset, 2, True, older)
    parts, tables = two.double().chunk(2), (factor[step].double(), older[step].double())
    total = parts[0] * tables[0] + parts[1] * tables[1] + offset[step].double()
    assert float((found.double() - (total / ONE).clamp(-32768, 32767)).abs().max()) <= 0.5
    assert found.shape == x.shape
    assert torch.equal(cached(x, step, source, factor, offset, 2, False, older), x)


@given(st.integers(0, 2**16), st.integers(-LARGEST_AMENDS, LARGEST_AMENDS))
def test_answers_go_beyond_shallow_ones(seed: int, amends: int) -> None:
    random = torch.Generator().manual_seed(seed)
    full, shallow = torch.randint(-32768, 32768, (2, 1, 3, 5), generator=random).to(torch.int16)
    found = amended(full, shallow, amends)
    assert found.dtype is torch.int16
    real = amended(full.double(), shallow.double(), amends / ONE)
    assert float((found.double() - real.clamp(-32768, 32767)).abs().max()) <= 0.5
    assert torch.equal(amended(full, shallow, 0), full)
    assert torch.equal(amended(full, full, amends), full)


@given(st.integers(0, 2**16))
def test_a_factor_of_one_is_the_identity(seed: int) -> None:
    x = torch.randint(-32768, 32768, (1, 2, 3), generator=torch.Generator().manual_seed(seed))
    tables = torch.full((1, 3), ONE, dtype=torch.int32), torch.zeros(1, 3, dtype=torch.int32)
    kept = x.to(torch.int16)
    assert torch.equal(cached(kept, torch.tensor(0), torch.zeros(1), *tables, 2, True), kept)
