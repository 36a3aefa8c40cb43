"""`insert-sites` marks every operand, probability and 16-bit value once, and changes nothing."""

from __future__ import annotations

import pytest
import torch
from programs import apply, calls, captured, run_float, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Activation16, Operand, Probabilities, Role
from dgqc.passes.graph.edit import edge_convolutions
from dgqc.passes.graph.insert_sites import InsertSites

aten, dgqc = torch.ops.aten, torch.ops.dgqc
FRONT = "fold-time-embedding,split-prologue,split-start-token"
NAME = "only_cross_attention"


def test_sites_are_identities() -> None:
    bare = apply(captured(NAME), FRONT)
    marked = apply(bare, "insert-sites")
    inputs = samples(NAME, 1)
    assert torch.equal(run_float(marked, inputs, 1), run_float(bare, inputs, 1))


def test_every_product_reads_sites_that_say_what_it_needs() -> None:
    marked = apply(captured(NAME), FRONT + ",insert-sites{bits=6}")
    plans = marked.plans
    for node in calls(marked, aten.linear.default):
        assert plans[_name(node.args[0])] == Operand(Role.LINEAR, 6, False)
    edges = edge_convolutions(marked.graph.graph)
    assert len(edges) == 2
    for node in calls(marked, aten.conv2d.default):
        bits = 8 if node in edges else 6
        assert plans[_name(node.args[0])] == Operand(Role.CONVOLUTION, bits, any(node.args[4]))  # type: ignore[arg-type]


def test_attention_has_sites_but_for_the_start_tokens_key_and_column() -> None:
    marked = apply(captured(NAME), FRONT + ",insert-sites{bits=6}")
    probabilities = [p for p in marked.plans.values() if isinstance(p, Probabilities)]
    roles = [p.role for p in marked.plans.values() if isinstance(p, Operand)]
    split = marked.report["split-start-token"]["cross_attentions"]
    total = len(calls(marked, aten.softmax.int))
    assert len(probabilities) == total > split > 0
    # Queries once per product of logits; keys without the start token's; values once, all rows alike.
    assert roles.count(Role.LEFT) == total + split
    assert roles.count(Role.RIGHT) == 2 * total


def test_names_and_plans_belong_together() -> None:
    marked = apply(captured(NAME), FRONT + ",insert-sites")
    names = [str(site.args[1]) for site in calls(marked, dgqc.site.default)]
    assert sorted(names) == sorted(marked.plans)
    assert sum(isinstance(plan, Activation16) for plan in marked.plans.values()) > 0


def test_edges_of_16_bits_have_no_operand_site() -> None:
    marked = apply(captured(NAME), FRONT + ",insert-sites{bits=4,edges=16}")
    for node in edge_convolutions(marked.graph.graph):
        assert isinstance(marked.plans[_name(node.args[0])], Activation16)


@pytest.mark.parametrize("options", [{"bits": 9}, {"bits": 1}, {"edges": 12}])
def test_widths_that_do_not_exist_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(DgqcError, match="from 2 to 8"):
        InsertSites(**options)


def _name(site: object) -> str:
    assert site.target is dgqc.site.default  # type: ignore[attr-defined]
    return str(site.args[1])  # type: ignore[attr-defined]
