"""Gradients a stretch at a time: those of PyTorch over the whole graph, in little memory."""

from __future__ import annotations

import pytest
import torch
from golden.graphs import Sketch
from programs import arguments, planned, samples
from torch import fx

from dgqc.ir.plans import QuantizedProbabilities
from dgqc.ir.program import Program
from dgqc.passes.graph import large_attention
from dgqc.passes.graph.edit import aten, constant, dgqc
from dgqc.passes.simulation import block_interpreter
from dgqc.passes.simulation.pass_back import has_gradient, pass_back
from dgqc.passes.simulation.stretches import stretches

Found = dict[fx.Node, torch.Tensor]


def by_stretches(program: Program, real: tuple[torch.Tensor, ...]) -> tuple[Found, float]:
    found: Found = {}
    told_of: list[fx.Node] = []

    def told(node: fx.Node, value: torch.Tensor, gradient: torch.Tensor | None) -> None:
        told_of.append(node)
        assert not value.requires_grad
        if gradient is not None:
            found[node] = gradient.clone()

    def wanted(node: fx.Node) -> bool:
        return node.op == "get_attr" or (
            node.target is dgqc.site.default and not _is_probabilities(node, program)
        )

    energy = pass_back(program, real, 1, wanted, told)
    assert len(told_of) == len(set(told_of)), "each once"
    assert set(told_of) == {node for node in program.graph.graph.nodes if wanted(node)}
    return found, energy


def _is_probabilities(node: fx.Node, program: Program) -> bool:
    return isinstance(program.plans[str(node.args[1])], QuantizedProbabilities)


class Whole(fx.Interpreter):
    """Keeps everything."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph, garbage_collect_values=False)
        self.kept: Found = {}

    def run_node(self, n: fx.Node) -> torch.Tensor:
        if n.op == "get_attr":
            value = constant(self.module, n).detach().clone()  # type: ignore[arg-type]
            self.kept[n] = value.requires_grad_(value.is_floating_point())
            return value
        if n.target is dgqc.site.default:
            value = self.env[n.all_input_nodes[0]]
            value = value * 1 if value.requires_grad else value.detach().clone().requires_grad_()
            value.retain_grad()
            self.kept[n] = value
            return value
        with torch.set_grad_enabled(n.op != "call_function" or has_gradient(n)):
            found: torch.Tensor = super().run_node(n)
            return found


def at_once(program: Program, real: tuple[torch.Tensor, ...]) -> tuple[Found, float]:
    run = Whole(program)
    output = run.run(*real, torch.tensor(1))
    signs = torch.randint(0, 2, output.shape, generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    (output * signs).sum().backward()
    kept = {
        node: value.grad
        for node, value in run.kept.items()
        if value.grad is not None and not (node.op != "get_attr" and _is_probabilities(node, program))
    }
    return kept, float(output.detach().double().square().sum())


@pytest.mark.parametrize("blocks", [False, True])
def test_they_are_those_of_the_whole_graph(blocks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every site and weight, with attention whole and by rows."""
    program = planned("demo_like")
    real = arguments(program, {name: value[:1] for name, value in samples("demo_like", 1).items()})
    expected, energy = at_once(program, real)
    if blocks:
        monkeypatch.setattr(large_attention, "LARGE", 0)
        monkeypatch.setattr(block_interpreter, "BLOCK", 1000)
    found, own_energy = by_stretches(program, real)
    assert own_energy == pytest.approx(energy)
    assert found.keys() <= expected.keys()
    missing = [node for node in expected.keys() - found.keys() if bool(expected[node].any())]
    assert len(missing) == 0
    for node, gradient in found.items():
        scale = float(expected[node].abs().max())
        torch.testing.assert_close(gradient, expected[node], rtol=1e-3, atol=1e-4 * scale)


def test_a_weight_that_several_stretches_read_is_told_once() -> None:
    """x, w x, w w x and so on: the gradient is the sum over all readers."""
    sketch = Sketch(sample=(1, 4, 8))
    torch.manual_seed(0)
    value = sketch.linear("first", sketch.inputs["sample"], (torch.randn(8, 8) / 2).tolist())
    shared = value.args[1]
    for place in range(6):
        value = sketch.call(f"again{place}", aten.linear.default, value, shared)
    program = sketch.program(value)
    parts = stretches([n for n in program.graph.graph.nodes if n.op == "call_function"], program.plans)
    assert len(parts) > 1
    real = (torch.randn(1, 4, 8),)
    found, _ = by_stretches(program, real)
    expected, _ = at_once(program, real)
    weight = next(node for node in found if node.op == "get_attr")
    torch.testing.assert_close(found[weight], expected[weight])


def test_stretches_are_the_graph_and_none_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    program = planned("demo_like")
    monkeypatch.setattr(large_attention, "LARGE", 0)
    calls = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    found = stretches(calls, program.plans)
    assert [node for one in found for node in one.nodes] == calls
    softmaxes = [node for node in calls if node.target is aten.softmax.int]
    for one in found:
        scores = set(softmaxes) & set(one.nodes)
        assert not scores & set(one.outputs), "scores by rows are never held"
    sizes = [sum(node.meta["val"].nbytes for node in one.nodes) for one in found]
    assert max(sizes) < sum(sizes) / 4
