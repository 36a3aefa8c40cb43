"""Groups of pixels at another size."""

from __future__ import annotations

import torch

from dgqc.passes.lowering.spread import nearest


def test_pixels_take_the_nearest_ones_group() -> None:
    group = torch.tensor([[0, 1], [2, 3]])
    there = nearest(group.reshape(-1), 8, {(4, 8): ((2, 2), (2, 4))})
    assert there.reshape(2, 4).tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]


def test_an_image_on_its_side_has_as_many_pixels() -> None:
    group = torch.tensor([[0, 0, 0, 1, 1, 1], [2, 2, 2, 3, 3, 3]])
    turned = nearest(group.reshape(-1), 12, {(12, 12): ((2, 6), (6, 2))})
    assert turned.reshape(6, 2).tolist() == [[0, 1]] * 3 + [[2, 3]] * 3


def test_what_is_no_image_is_a_row() -> None:
    assert nearest(torch.tensor([0, 1]), 4, {}).tolist() == [0, 0, 1, 1]
    assert nearest(torch.tensor([0, 1]), 2, {}).tolist() == [0, 1]
