"""Whether a pipeline can run, found out before any of it does: a graph of facts.

Levels are facts too: a pass needs the level it takes, and provides the one it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import networkx as nx

from ...ir.errors import PipelineError
from ...ir.level import Level
from ..base import Pass
from .registry import known_passes

PassLike = Pass | type[Pass]


def fact_graph(passes: Iterable[PassLike]) -> nx.DiGraph[Any]:
    """Passes and facts as nodes: edges from a fact to what needs it, from a pass to what it provides.

    Passes are nodes ("pass", name), facts are ("fact", fact).
    """
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for item in passes:
        node = ("pass", item.name)
        graph.add_node(node)
        graph.add_edges_from((("fact", fact), node) for fact in needs(item))
        graph.add_edges_from((node, ("fact", fact)) for fact in gives(item))
    return graph


def needs(item: PassLike) -> frozenset[str]:
    """What must hold before a pass."""
    return item.requires | {_level_fact(item.takes)}


def gives(item: PassLike) -> frozenset[str]:
    """What holds after a pass because of it."""
    return item.provides | ({_level_fact(item.leaves)} if item.leaves is not item.takes else frozenset())


def check_order(passes: Sequence[Pass], level: Level, facts: frozenset[str]) -> None:
    """Walks through a pipeline from a level and the facts that hold there.

    Raises PipelineError for the first pass that can't run, naming the pass that would supply what it needs
    and where to put it.
    """
    held = facts | {_level_fact(level)}
    for position, item in enumerate(passes):
        for fact in sorted(needs(item) - held, key=lambda fact: (not _is_level(fact), fact)):
            raise PipelineError(_refusal(passes, position, fact, held))
        held = (
            (held - item.invalidates - {_level_fact(item.takes)}) | item.provides | {_level_fact(item.leaves)}
        )


def _refusal(passes: Sequence[Pass], position: int, fact: str, held: frozenset[str]) -> str:
    """The sentence that says what is missing and what to do about it."""
    item, earlier = passes[position], passes[:position]
    need = f"{item.name} {_in_words(fact)}"
    later = next((other for other in passes[position + 1 :] if fact in gives(other)), None)
    if later is not None:
        return f"{need}, which {later.name} provides, but it stands after {item.name}: move it before."
    lost = next((other for other in reversed(earlier) if _loses(other, fact)), None)
    if lost is not None and _is_level(fact):
        return (
            f"{need}, but it stands after {lost.name}, which leaves the {lost.leaves} level: "
            f"move {item.name} before {lost.name}."
        )
    supply = _supply(fact, held)
    if not supply:
        return f"{need}, but no known pass provides that: install or write one (docs/writing-passes.md)."
    if lost is not None:
        between = f"between {lost.name} and {item.name}"
        return f"{need}, which no longer holds after {lost.name}: put {supply} {between}."
    return f"{need}: put {supply} before it."


def _supply(fact: str, held: frozenset[str]) -> str:
    """The passes that would establish a fact from the facts that hold, as pipeline text; "" when none can.

    Where several passes provide the same fact, the one that needs the fewest others is proposed.
    """
    known = {item.name: item for item in known_passes()}
    graph = fact_graph(known.values())
    providers = [name for _, name in graph.predecessors(("fact", fact))] if ("fact", fact) in graph else []
    chains = [_chain(name, known, graph, held, frozenset()) for name in providers]
    possible = [chain for chain in chains if chain]
    return ",".join(_shortest(possible)) if possible else ""


def _chain(
    name: str,
    known: dict[str, type[Pass]],
    graph: nx.DiGraph[Any],
    held: frozenset[str],
    above: frozenset[str],
) -> list[str]:
    """A pass after everything it needs that doesn't hold yet, in order; empty when that can't be had."""
    chain: list[str] = []
    have = held
    for fact in sorted(needs(known[name]), key=lambda fact: (not _is_level(fact), fact)):
        if fact in have:
            continue
        nodes = graph.predecessors(("fact", fact)) if ("fact", fact) in graph else ()
        candidates = [
            _chain(other, known, graph, have, above | {name})
            for _, other in nodes
            if other != name and other not in above
        ]
        possible = [candidate for candidate in candidates if candidate]
        if not possible:
            return []
        chosen = _shortest(possible)
        chain += [other for other in chosen if other not in chain]
        have = have.union(*(gives(known[other]) for other in chosen))
    return [*chain, name]


def _shortest(chains: list[list[str]]) -> list[str]:
    return min(chains, key=lambda chain: len(chain))


def _loses(item: Pass, fact: str) -> bool:
    return fact in item.invalidates or (item.leaves is not item.takes and fact == _level_fact(item.takes))


def _level_fact(level: Level) -> str:
    return f"level:{level.value}"


def _is_level(fact: str) -> bool:
    return fact.startswith("level:")


def _in_words(fact: str) -> str:
    if _is_level(fact):
        return f"takes the {fact.removeprefix('level:')} level"
    return f"needs {fact.replace('-', ' ')}"
