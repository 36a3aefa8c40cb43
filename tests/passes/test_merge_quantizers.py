"""`merge-quantizers` quantizes a value once, and only where the plans agree."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from golden.graphs import Sketch, sited
from programs import SCHEDULE, apply, calls, captured, run_float, samples

from dgqc.ir.plans import Operand, Role

aten, dgqc = torch.ops.aten, torch.ops.dgqc
FRONT = "fold-time-embedding,split-prologue,split-start-token,insert-sites"
NAME = "only_cross_attention"


def test_the_function_stays() -> None:
    apart = apply(captured(NAME), FRONT)
    merged = apply(apart, "merge-quantizers")
    for step in range(len(SCHEDULE)):
        inputs = samples(NAME, step)
        assert torch.equal(run_float(merged, inputs, step), run_float(apart, inputs, step))


def test_no_two_sites_read_one_value_with_one_plan_and_geometry() -> None:
    apart = apply(captured(NAME), FRONT)
    merged = apply(apart, "merge-quantizers")
    gone = len(calls(apart, dgqc.site.default)) - len(calls(merged, dgqc.site.default))
    assert gone == merged.report["merge-quantizers"]["merged"] > 0
    assert len(apart.plans) - len(merged.plans) == gone
    names = {str(site.args[1]) for site in calls(merged, dgqc.site.default)}
    assert set(merged.plans) == names
    linears = [site for site in calls(merged, dgqc.site.default) if _role(merged.plans, site) is Role.LINEAR]
    assert max(Counter(site.args[0] for site in linears).values()) == 1


def _role(plans: object, site: object) -> Role | None:
    plan = plans[str(site.args[1])]  # type: ignore[index,attr-defined]
    return plan.role if isinstance(plan, Operand) else None


def test_queries_keys_and_values_of_a_self_attention_share_a_site() -> None:
    merged = apply(captured("class_conditional"), FRONT + ",merge-quantizers")
    shared = [
        site
        for site in calls(merged, dgqc.site.default)
        if sum(user.target is aten.linear.default for user in site.users) == 3
    ]
    assert shared


@pytest.mark.parametrize(("strides", "sites"), [((1, 1), 1), ((1, 2), 2)])
def test_convolutions_share_a_site_only_where_they_share_patches(
    strides: tuple[int, int], sites: int
) -> None:
    """Pixels are output positions, and another stride has others."""
    sketch = Sketch(sample=(1, 1, 4, 4))
    weight = sketch.constant("weight", [[[[1, 2], [3, 4]]]])
    outputs = []
    for i, stride in enumerate(strides):
        window = ([stride, stride], [1, 1], [1, 1], 1)
        args = (sketch.inputs["sample"], weight, None, *window)
        outputs.append(sketch.call(f"conv{i}", aten.conv2d.default, *args))
    flat = [sketch.call(f"flat{i}", aten.reshape.default, y, [1, -1]) for i, y in enumerate(outputs)]
    merged = sited(sketch.program(sketch.call("both", aten.cat.default, flat, 1)))
    operands = [plan for plan in merged.plans.values() if isinstance(plan, Operand)]
    assert len(operands) == sites
