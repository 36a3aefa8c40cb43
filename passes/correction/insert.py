"""Puts corrections into a planned graph, as sites of their own."""

from __future__ import annotations

from dataclasses import replace

from torch import fx

from ...ir.errors import DgqcError
from ...ir.plans import Correction
from ...ir.program import Program
from ..graph.edit import call, clean, dgqc, propagate
from .pictures import SAMPLE, Corrected


def corrected(program: Program, place: Corrected, plan: Correction) -> Program:
    """The program with a correction of its sample or its output.

    Raises DgqcError where the place has one already.
    """
    graph, name = program.graph.graph, f"{place.value}.correction"
    if name in program.plans:
        raise DgqcError(f"The {place.value} is corrected already; leave one of the two passes out.")
    source, users = _output(graph) if place is Corrected.OUTPUT else _sample(graph)
    with graph.inserting_after(source):
        site = call(graph, dgqc.site.default, (source, name), source, f"{place.value}_correction")
    for user in users:
        user.replace_input_with(source, site)
    clean(program.graph)
    result = replace(program, plans={**program.plans, name: plan})
    propagate(result)
    return result


def _output(graph: fx.Graph) -> tuple[fx.Node, list[fx.Node]]:
    """What the program answers, and who answers it."""
    output = next(node for node in graph.nodes if node.op == "output")
    return output.all_input_nodes[0], [output]


def _sample(graph: fx.Graph) -> tuple[fx.Node, list[fx.Node]]:
    """The sample behind its site, and who reads it."""
    sample = next(node for node in graph.nodes if node.op == "placeholder" and node.target == SAMPLE)
    (site,) = sample.users
    return site, list(site.users)
