"""`split-products` computes the columns of a product apart where they are read apart, and changes no bit."""

from __future__ import annotations

import pytest
import torch
from programs import apply, calls, lowered, same_bits

from dgqc.ir.nodes import arguments as named
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import verify

aten, dgqc = torch.ops.aten, torch.ops.dgqc
NAME = "only_cross_attention"


def halves(program: Program) -> list[torch.fx.Node]:
    """The slices of columns of products: both sides of each GEGLU."""
    return [node for node in calls(program, aten.slice.Tensor) if node.args[0].target is dgqc.linear.default]  # type: ignore[union-attr]


@pytest.mark.parametrize("weights", [8, 4])
def test_results_stay_the_same_bit_for_bit(weights: int) -> None:
    before = lowered(NAME, weights=weights)
    after = apply(before, "split-products")
    verify(after)
    assert len(halves(before)) == 2 * after.report["split-products"]["products"] > 0
    assert not halves(after)
    assert same_bits(before, after, NAME)


def test_widths_of_weights_go_with_them() -> None:
    before = lowered(NAME, weights=4)
    after = apply(before, "split-products")
    products = (dgqc.linear.default, dgqc.conv2d.default)
    weights = {str(named(node)["weight"].target) for target in products for node in calls(after, target)}
    widths = after.report["weight-bits"]
    assert weights <= set(widths)
    found = [sorted(program.report["weight-bits"].values()) for program in (before, after)]
    assert found[1] == sorted([*found[0], *[4] * after.report["split-products"]["products"]])
