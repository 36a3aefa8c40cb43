"""What is asked of tensors."""

from __future__ import annotations

import pytest
import torch

from dgqc.ir.tensors import all_finite


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
def test_one_number_that_is_not_finite_is_noticed(kind: torch.dtype, odd: float) -> None:
    values = torch.linspace(-3, 3, 77, dtype=torch.float64).reshape(7, 11).to(kind).T
    assert all_finite(values)
    for place in ((0, 0), (5, 3), (10, 6)):
        other = values.clone()
        other[place] = odd
        assert not all_finite(other)
    assert all_finite(values[:0])
