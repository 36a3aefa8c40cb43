"""Full calls and shallow ones of a program with a cached value: a graph for each, of the same constants.

A full call runs the whole graph and leaves the cached value. A shallow call takes that value from the cache,
corrected, and runs what the output needs besides. Which call is which, `dgqc::cached` knows. A full call may
make amends for the shallow ones before it: then it is both, and its answer goes beyond the shallow one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import fx

from . import ops as ops  # registers the op named below
from .nodes import argument
from .ops.cached import amended
from .program import Input, Program
from .tensors import constant
from .upstream import upstream_of

Call = Callable[[torch.Tensor, Mapping[str, torch.Tensor], int], torch.Tensor]
"""call(sample, conditions, step): one call of a drawing, int16 to int16."""
CACHED = torch.ops.dgqc.cached.default
CACHE = "cache"
"""The input of the shallow graph that holds the value."""


@dataclass
class FeatureCache:
    """What the full calls of one drawing leave for its shallow ones; empty before the first call.

    Whoever runs a program fills it, each in a form of its own: it belongs to one program on one backend, and
    to one half of a guided drawing.
    """

    held: Any = None

    def forget(self) -> None:
        """The next call is full."""
        self.held = None


def cached_node(graph: fx.Graph) -> fx.Node | None:
    """The node of the cached value; None where every call is full."""
    return next((node for node in graph.nodes if node.target is CACHED), None)


def has_both_calls(graph: fx.Graph) -> bool:
    """Whether a value is cached, and the graph is of both kinds of call, not of shallow ones alone."""
    node = cached_node(graph)
    return node is not None and not argument(node, "shallow")


def sources_of(module: fx.GraphModule) -> tuple[int, ...]:
    """The full call that each call takes the cached value of, itself where it is full; () without a cached
    value."""
    node = cached_node(module.graph)
    if node is None:
        return ()
    return tuple(int(one) for one in constant(module, str(argument(node, "source").target)))


@dataclass(frozen=True)
class CallKinds:
    """Which calls of a program are full, and what they take of one another.

    sources: as `sources_of`. two: as `keeps_two`. amends: for each call, as in `dgqc::cached`; () without.
    """

    sources: tuple[int, ...] = ()
    two: bool = False
    amends: tuple[float, ...] = ()

    def foretold_by(self, step: int) -> int:
        """The full call whose value a call could take, the last one before it; the first has none, and -1."""
        return max((one for one in self.sources if one < step), default=-1)


ALL_FULL = CallKinds()
"""Of programs that cache nothing."""


def kinds_of(module: fx.GraphModule) -> CallKinds:
    """Of a graph of any level."""
    node = cached_node(module.graph)
    given = None if node is None else argument(node, "amends")
    amends = () if given is None else tuple(constant(module, str(given.target)).tolist())
    return CallKinds(sources_of(module), keeps_two(module.graph), amends)


def skipped_nodes(graph: fx.Graph) -> frozenset[str]:
    """Names of the nodes that shallow calls leave out; none without a cached value."""
    node = cached_node(graph)
    if node is None:
        return frozenset()
    needed = needed_without(graph, node)
    return frozenset(
        one.name for one in graph.nodes if one.op == "call_function" and one not in needed and one is not node
    )


def needed_without(graph: fx.Graph, known: fx.Node) -> set[fx.Node]:
    """What the output is computed from where one value is known, that value not among it."""
    return upstream_of([next(node for node in graph.nodes if node.op == "output")], known)


def keeps_two(graph: fx.Graph) -> bool:
    """Whether shallow calls take the value of two full calls; false without a cached value."""
    node = cached_node(graph)
    return node is not None and argument(node, "older") is not None


def full_graph(module: fx.GraphModule) -> fx.GraphModule:
    """From the program's inputs to its output and the value that is kept. The program has a cached one."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        if node.target is CACHED:
            copies[node] = copies[argument(node, "x")]
        elif node.op == "output":
            marked = cached_node(module.graph)
            assert marked is not None
            graph.output((copies[node.args[0]], copies[marked]))
        else:
            copies[node] = _copy(graph, node, copies)
    return _finished(module, graph)


def shallow_graph(module: fx.GraphModule) -> fx.GraphModule:
    """From the program's inputs, with the kept value before `step`, to its output. A value is cached."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    marked = cached_node(module.graph)
    assert marked is not None
    needed = needed_without(module.graph, marked)
    for node in module.graph.nodes:
        if node.target == "step" and node.op == "placeholder":
            kept = graph.placeholder(CACHE)
            kept.meta["val"] = _kept(marked)
        if node is marked:
            tables = [copies[argument(node, name)] for name in ("step", "source", "factor", "offset")]
            older = [copies[argument(node, "older")]] if keeps_two(module.graph) else []
            args = (kept, *tables, argument(node, "axis"), True, *older)
            copies[node] = graph.create_node("call_function", CACHED, args, name=node.name)
            copies[node].meta = dict(node.meta)
        elif node in needed or node.op == "placeholder" or node in marked.all_input_nodes[1:]:
            copies[node] = _copy(graph, node, copies)
    return _finished(module, graph)


def _kept(marked: fx.Node) -> torch.Tensor | None:
    """What full calls leave for shallow ones; None where shapes aren't known."""
    value: torch.Tensor | None = marked.meta.get("val")
    two = value is not None and argument(marked, "older") is not None
    return torch.cat((value, value)) if value is not None and two else value


def _copy(graph: fx.Graph, node: fx.Node, copies: dict[fx.Node, fx.Node]) -> fx.Node:
    copy = graph.node_copy(node, copies.__getitem__)
    copy.name = node.name
    return copy


def _finished(module: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    graph.eliminate_dead_code()
    return fx.GraphModule(module, graph)


def calls_of(run: Callable[..., torch.Tensor], program: Program) -> Call:
    """One drawing's calls, as `DenoisingLoop.run` makes them: each half of a guided one has its own cache.

    run: run(inputs, step), and run(inputs, step, cache) where the program caches a value.
    """
    sample, caches = program.inputs[0].name, dict[int, FeatureCache]()
    caching = cached_node(program.graph.graph) is not None

    def call(codes: torch.Tensor, given: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        inputs = {sample: codes, **given}
        if not caching:
            return run(inputs, step)
        # A drawing holds both halves' conditions as long as it lasts.
        return run(inputs, step, caches.setdefault(id(given), FeatureCache()))

    return call


Full = Callable[..., tuple[torch.Tensor, torch.Tensor]]
"""full(inputs..., step): the output and the value that is kept."""
Shallow = Callable[..., torch.Tensor]
"""shallow(inputs..., kept, step): the output."""


@dataclass(frozen=True)
class Held:
    """What full calls left. source: the full call of it. older: what the one before that left, if any."""

    source: int
    value: torch.Tensor
    older: torch.Tensor | None

    @staticmethod
    def after(held: Held | None, source: int, value: torch.Tensor) -> Held:
        """Of one more full call; one in the place of the same call takes its place here too."""
        if held is None:
            return Held(source, value, None)
        return Held(source, value, held.older if held.source == source else held.value)

    def kept(self, two: bool) -> torch.Tensor:
        """What shallow calls take: the value, or two of them along the first axis. Where there is no older
        one, its factors are 0."""
        if not two:
            return self.value
        return torch.cat((self.value, torch.zeros_like(self.value) if self.older is None else self.older))


class CachingCalls:
    """Calls of a program with a cached value, by its two entries."""

    def __init__(self, kinds: CallKinds, full: Full, shallow: Shallow) -> None:
        self.kinds, self._full, self._shallow = kinds, full, shallow

    def is_shallow(self, cache: FeatureCache, step: int) -> bool:
        """Whether the cache holds what a call may take: the value of its own full call, or of a call that
        had to be full in its place, and of one before that where there is one. Otherwise the call is full."""
        return bool(self.kinds.sources) and self.kinds.sources[step] != step and self._foretells(cache, step)

    def is_amended(self, cache: FeatureCache, step: int) -> bool:
        """Whether a full call's answer goes beyond a shallow one's, which the cache has what it takes for."""
        return bool(self.kinds.amends) and self.kinds.amends[step] != 0 and self._foretells(cache, step)

    def _foretells(self, cache: FeatureCache, step: int) -> bool:
        source = self.kinds.foretold_by(step)
        if cache.held is None or cache.held.source != source:
            return False
        return not self.kinds.two or source == 0 or cache.held.older is not None

    def run(self, cache: FeatureCache, step: int, *inputs: torch.Tensor) -> torch.Tensor:
        """One call. inputs: as the graph takes them, without the step."""
        now, shallow, amends = torch.tensor(step), self.is_shallow(cache, step), self.is_amended(cache, step)
        foretold = self._shallow(*inputs, cache.held.kept(self.kinds.two), now) if shallow or amends else None
        if foretold is not None and shallow:
            return foretold
        output, value = self._full(*inputs, now)
        cache.held = Held.after(cache.held, self.kinds.sources[step], value)
        return output if foretold is None else amended(output, foretold, self.kinds.amends[step])


class CachingGraph(CachingCalls):
    """Those of a graph with a cached value, of any level that has one, run as it stands."""

    def __init__(self, module: fx.GraphModule) -> None:
        self._module = module
        super().__init__(
            kinds_of(module),
            lambda *given: self._entries[0](*given),
            lambda *given: self._entries[1](*given),
        )

    @cached_property
    def _entries(self) -> tuple[fx.GraphModule, fx.GraphModule]:
        return full_graph(self._module), shallow_graph(self._module)


def full_entry(program: Program) -> Program:
    """A program of full calls alone, with two results: the output, and what is kept."""
    return replace(program, graph=full_graph(program.graph))


def shallow_entry(program: Program) -> Program:
    """A program of shallow calls alone, with an input more: what is kept. It has no other scale than that."""
    node = cached_node(program.graph.graph)
    assert node is not None
    kept = _kept(node)
    assert kept is not None
    shape = tuple(kept.shape)
    return replace(program, graph=shallow_graph(program.graph), inputs=(*program.inputs, Input(CACHE, shape)))
