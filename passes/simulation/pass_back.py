"""Gradients of the float graph, a stretch of it at a time, in a few times the memory of a plain call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from ...ir.moving import moved
from ...ir.program import Program
from ..graph.edit import constant, dgqc
from .block_interpreter import BlockInterpreter
from .stretches import Stretch, stretches

RETAINED = 4
"""How many times as much memory as a call it takes."""
Told = Callable[[fx.Node, torch.Tensor, torch.Tensor | None], None]
"""Given a node, its value, and how the output's product with random signs changes with that, both where float
work is computed; None where the output doesn't depend on it, or an op between them has no gradient."""


def pass_back(
    program: Program,
    real: tuple[torch.Tensor, ...],
    step: int,
    wanted: Callable[[fx.Node], bool],
    told: Told,
) -> float:
    """Tells of each site and weight that is `wanted` its gradient: of v's product with the output, v random
    signs. Gives the output's energy.

    Of a site it is what its readers make of it. Sites of probabilities can't be wanted: those of large
    attentions are never held.
    The network is run once without gradients, which keeps what later stretches read; then each stretch, the
    last one first, is computed again with them, and its values go before the next one's turn.
    real: the graph's arguments of one sample.
    """
    back = _Back(program, step, wanted, told)
    with torch.no_grad():
        output = back.forward(real)
    generator = torch.Generator().manual_seed(step)
    signs = torch.randint(0, 2, output.shape, generator=generator).to(output) * 2 - 1
    with torch.enable_grad():
        back.backward(signs)
    return float(output.double().square().sum())


def has_gradient(node: fx.Node) -> bool:
    """Whether PyTorch can go back through a node of the planned level."""
    return getattr(node.target, "namespace", "") == "aten" or node.target is dgqc.balance.default


class _Back(BlockInterpreter):
    """held: values between stretches. gradients: of those, as far as later stretches have been gone through.
    weights: gradients of wanted ones that an earlier stretch reads, too. noted: what is wanted of the stretch
    that is being computed."""

    def __init__(self, program: Program, step: int, wanted: Callable[[fx.Node], bool], told: Told) -> None:
        super().__init__(program)
        self.step, self.wanted, self.told = moved(torch.tensor(step)), wanted, told
        graph = program.graph.graph
        (self.result,) = (node.all_input_nodes[0] for node in graph.nodes if node.op == "output")
        calls = [node for node in graph.nodes if node.op == "call_function"]
        self.stretches = stretches(calls, program.plans)
        self.placeholders = [n for n in graph.nodes if n.op == "placeholder" and n.target != "step"]
        self.first_reader = _first_readers(self.stretches)
        self.held: dict[fx.Node, torch.Tensor] = {}
        self.gradients: dict[fx.Node, torch.Tensor] = {}
        self.weights: dict[fx.Node, torch.Tensor] = {}
        self.noted: dict[fx.Node, torch.Tensor] = {}

    def forward(self, real: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The output; `held` is filled."""
        self.held.update(zip(self.placeholders, map(moved, real), strict=True))
        for stretch in self.stretches:
            found = self._run(stretch, self.held)
            self.held.update((node, found[node]) for node in stretch.outputs)
        return self.held[self.result]

    def backward(self, gradient: torch.Tensor) -> None:
        """gradient: of the output."""
        self.gradients[self.result] = gradient
        for stretch in reversed(self.stretches):
            self._go_back(stretch)

    def _go_back(self, stretch: Stretch) -> None:
        for node in stretch.outputs:
            del self.held[node]
        given = {node: _leaf(self.held[node]) for node in stretch.inputs}
        self.noted = {}
        found = self._run(stretch, given)
        ends = [node for node in stretch.outputs if node in self.gradients]
        pairs = [(found[node], self.gradients.pop(node)) for node in ends]
        pairs = [(value, gradient) for value, gradient in pairs if value.requires_grad]
        del found
        if pairs:
            torch.autograd.backward(*zip(*pairs, strict=True))  # type: ignore[arg-type]
        del pairs
        for node, value in given.items():
            if value.grad is not None:
                self._add(self.gradients, node, value.grad)
        del given
        for node in list(self.noted):
            value = self.noted.pop(node)
            gradient = value.grad
            if node.op == "get_attr":
                if gradient is not None:
                    self._add(self.weights, node, gradient)
                if self.first_reader[node] is not stretch:
                    continue
                gradient = self.weights.pop(node, None)
            self.told(node, value.detach(), gradient)

    def _add(self, sums: dict[fx.Node, torch.Tensor], node: fx.Node, gradient: torch.Tensor) -> None:
        sums[node] = sums[node] + gradient if node in sums else gradient

    def _run(self, stretch: Stretch, given: Mapping[fx.Node, torch.Tensor]) -> dict[fx.Node, torch.Tensor]:
        """The stretch's outputs."""
        last = {source: node for node in stretch.nodes for source in node.all_input_nodes}
        self.env = {node: given[node] for node in stretch.inputs}
        for node in stretch.nodes:
            for source in node.all_input_nodes:
                if source not in self.env:
                    self.env[source] = self.step if source.target == "step" else self._constant(source)
            self.env[node] = self.run_node(node)
            for source in node.all_input_nodes:
                if last[source] is node and source not in stretch.outputs:
                    self.env.pop(source, None)
        found = {node: self.env[node] for node in stretch.outputs}
        self.env = {}
        return found

    def _constant(self, node: fx.Node) -> torch.Tensor:
        value = moved(constant(self.module, node).detach())  # type: ignore[arg-type]
        if torch.is_grad_enabled() and self.wanted(node):
            self.noted[node] = value.requires_grad_()
        return value

    def _computed(self, n: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if n.target is dgqc.site.default or has_gradient(n):
            return super()._computed(n, args, kwargs)
        with torch.no_grad():
            return super()._computed(n, args, kwargs)

    def _seen(self, name: Any, value: torch.Tensor, site: fx.Node) -> torch.Tensor:
        if not torch.is_grad_enabled() or not self.wanted(site):
            return value
        value = value * 1 if value.requires_grad else value.detach().clone().requires_grad_()
        value.retain_grad()
        self.noted[site] = value
        return value


def _leaf(value: torch.Tensor) -> torch.Tensor:
    """The same numbers; gradients end there."""
    return value.detach().requires_grad_(value.is_floating_point())


def _first_readers(chosen: list[Stretch]) -> dict[fx.Node, Stretch]:
    """Of each constant, the first stretch that reads it."""
    found: dict[fx.Node, Stretch] = {}
    for stretch in chosen:
        for node in stretch.nodes:
            for source in node.all_input_nodes:
                if source.op == "get_attr":
                    found.setdefault(source, stretch)
    return found
