"""Whether a program keeps the rules of its level: a table of op to rule, and what holds for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import fx

from ..errors import VerificationError
from ..level import Level
from ..nodes import argument, argument_names
from ..ops.integer import value_range
from ..plans import LARGEST_EXPONENT, Weight
from ..printer import target_name
from ..program import Program
from ..shapes import TIME_INPUTS, ShapeError, propagated
from ..tensors import constants, used_constants
from .argument_rules import reads_step
from .checks import Problem, Problems, VerificationRule, VerificationScope, module_path, type_name
from .levels import rules_of
from .loop_rules import loop_problems
from .picture_rules import picture_problems
from .plan_rules import plan_problems, weight_problems
from .tokenizer_rules import tokenizer_problems

INTEGER_TYPES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
SITE = torch.ops.dgqc.site.default


def verify(program: Program) -> None:
    """Raises VerificationError for the first node that breaks a rule of the program's level.

    The message says the node, its module path in the user's model, what was found, what would be right, and
    the likely cause.
    """
    for node, problem in problems(program):
        where = f"at {node.name} ({target_name(node)}, module {module_path(node)}), " if node else ""
        raise VerificationError(
            f"The {program.level} graph is broken: {where}found {problem.found}, expected {problem.expected};"
            f" likely cause: {problem.cause}."
        )


def problems(program: Program) -> Iterator[tuple[fx.Node | None, Problem]]:
    """Every broken rule of a program, with the node that breaks it, or None for the program as a whole."""
    missing = list(_missing_constants(program))
    yield from missing
    unknown = [] if missing else list(_unknown_ops(program))
    yield from unknown
    if missing or unknown:
        return  # Shapes can't be computed.
    yield from ((None, problem) for problem in _inputs(program))
    try:
        scope = _scope(program)
    except ShapeError as error:
        yield (
            error.node,
            Problem(
                f"arguments that the op refuses ({error})", "shapes that fit", "a pass changed one side only"
            ),
        )
        return
    rules = rules_of(program.level)
    for node in program.graph.graph.nodes:
        for problem in _node(node, scope, rules):
            yield node, problem
    yield from ((None, problem) for problem in _plans(program))
    yield from ((None, problem) for problem in _scales(program))
    yield from ((None, problem) for problem in loop_problems(program))
    yield from ((None, problem) for problem in tokenizer_problems(program))
    yield from ((None, problem) for problem in picture_problems(program))
    # Last, since whatever else is wrong explains more.
    for node in program.graph.graph.nodes:
        yield from ((node, problem) for problem in _stale(node, scope))


def _missing_constants(program: Program) -> Iterator[tuple[fx.Node | None, Problem]]:
    present = {name for name, _ in constants(program.graph)}
    used = used_constants(program.graph)
    for node in program.graph.graph.nodes:
        if node.op == "get_attr" and node.target not in present:
            yield node, Problem(f"no constant {node.target}", "one of this name", "it was deleted or renamed")
    for name in sorted(present - used):
        yield (
            None,
            Problem(
                f"the constant {name}, which nothing uses",
                "used constants alone",
                "a pass replaced its reader",
            ),
        )


def _unknown_ops(program: Program) -> Iterator[tuple[fx.Node | None, Problem]]:
    rules = rules_of(program.level)
    for node in program.graph.graph.nodes:
        if node.op == "call_function" and node.target not in rules:
            later = [level for level in Level if node.target in rules_of(level)]
            cause = f"it belongs to the {later[0]} level" if later else "the op has no rule and no lowering"
            yield (
                node,
                Problem(f"the op {target_name(node)}", f"an op of the {program.level} level", cause),
            )
        elif node.op in ("call_method", "call_module"):
            yield (
                node,
                Problem(f"a {node.op} node", "ATen and dgqc ops", "the graph was traced, not exported"),
            )


def _inputs(program: Program) -> Problems:
    names = [str(node.target) for node in program.graph.graph.nodes if node.op == "placeholder"]
    tensors = [name for name in names if name not in TIME_INPUTS]
    expected = [item.name for item in program.inputs]
    if tensors != expected:
        yield Problem(
            f"the placeholders {tensors}",
            f"{expected}, the program's inputs",
            "one of both was changed alone",
        )
    if len(names) - len(tensors) > 1:
        yield Problem("both step and timestep", "one of them", "the time embedding is folded in part")
    for item in program.inputs:
        if not item.shape or item.shape[0] != 1:
            yield Problem(
                f"the input {item.name} of shape {item.shape}", "a leading 1", "shapes are for one sample"
            )


def _node(node: fx.Node, scope: VerificationScope, rules: Mapping[Any, VerificationRule]) -> Problems:
    integer = scope.program.level is Level.INTEGER
    if node.op in ("call_function", "get_attr") and not node.users:
        yield Problem("a result that nothing uses", "used results alone", "a pass replaced its reader")
    if integer and node.op in ("placeholder", "get_attr", "call_function"):
        yield from integer_result(node, scope)
    if node.op == "call_function":
        if integer and _reads_a_step(node):
            yield from reads_step(node, scope)
        yield from rules[node.target](node, scope)
        if node.target is SITE and (plan := scope.program.plans.get(argument(node, "name"))) is not None:
            if isinstance(plan, Weight):
                yield Problem(
                    "a weight's plan on a site",
                    "an operand's or a 16-bit value's",
                    "names collide",
                )
            else:
                yield from plan_problems(plan, scope.values[node], scope.calls)
    if node.op == "output" and not isinstance(scope.values[node], torch.Tensor):
        yield Problem(
            f"the output {type_name(scope.values[node])}", "one tensor", "the model returns several"
        )


def integer_result(node: fx.Node, scope: VerificationScope) -> Problems:
    """No floating-point result."""
    value = scope.values[node]
    for part in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(part, torch.Tensor) or part.dtype not in INTEGER_TYPES:
            yield Problem(type_name(value), "integer tensors alone", "an op was left in floating point")


def _reads_a_step(node: fx.Node) -> bool:
    """Whether an op has an argument `step` for the call; aten.slice has one that means something else."""
    of_aten = isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten"
    return not of_aten and "step" in argument_names(node)


def _stale(node: fx.Node, scope: VerificationScope) -> Problems:
    """meta["val"] is a cache that backends read: where it is there, it must be true."""
    known, value = node.meta.get("val"), scope.values[node]
    if not isinstance(known, torch.Tensor) or not isinstance(value, torch.Tensor):
        return
    if known.shape != value.shape or known.dtype != value.dtype:
        yield Problem(
            f'meta["val"] of {type_name(known)}',
            type_name(value),
            "a pass changed the node and kept its old shape",
        )


def _plans(program: Program) -> Problems:
    sites = [str(argument(node, "name")) for node in program.graph.graph.nodes if node.target is SITE]
    for name in sorted(name for name, count in Counter(sites).items() if count > 1):
        yield Problem(f"two sites called {name!r}", "a name for each", "a pass copied a site")
    weights = {name: tensor for name, tensor in constants(program.graph)}
    for name, plan in program.plans.items():
        if isinstance(plan, Weight):
            if name not in weights:
                yield Problem(
                    f"the plan of a weight {name!r}", "a constant of this name", "it was renamed or removed"
                )
            else:
                yield from weight_problems(name, plan, weights[name])
        elif program.level in (Level.CAPTURED, Level.PLANNED) and name not in sites:
            yield Problem(
                f"the plan {name!r} without a site", "a site of this name", "a pass removed the site alone"
            )


def _scales(program: Program) -> Problems:
    """Scales of inputs and output, which the integer level needs at its boundary."""
    if program.level is not Level.INTEGER:
        return
    scales = {f"input {item.name}": item.scale for item in program.inputs}
    for name, scale in {**scales, "output": program.output_scale}.items():
        if scale is None or scale.shape != (len(program.schedule),) or scale.dtype is not torch.float64:
            found = "none" if scale is None else type_name(scale)
            yield Problem(
                f"a scale of the {name}: {found}",
                f"float64 ({len(program.schedule)},)",
                "lowering left it out",
            )
        elif not bool((torch.isfinite(scale) & (scale > 0)).all()):
            yield Problem(
                f"a scale of the {name} that isn't positive", "positive numbers", "its range was never seen"
            )
    for item in program.inputs:
        if item.exponent is not None and not _broadcasts(item.exponent, item.shape):
            yield Problem(
                f"exponents of the input {item.name}: {type_name(item.exponent)}",
                f"int64 from 0 to {LARGEST_EXPONENT} that broadcasts to {item.shape}",
                "they belong to another input",
            )


def _broadcasts(exponent: torch.Tensor, shape: tuple[int, ...]) -> bool:
    sizes = zip(exponent.shape, shape, strict=False)
    fits = exponent.dim() == len(shape) and all(own in (1, size) for own, size in sizes)
    if not fits or exponent.dtype is not torch.int64 or exponent.numel() == 0:
        return False
    return int(exponent.min()) >= 0 and int(exponent.max()) <= LARGEST_EXPONENT


def _scope(program: Program) -> VerificationScope:
    values = propagated(program)
    return VerificationScope(
        program,
        values,
        _sources(program.graph.graph),
        lambda node: value_range(node, values.__getitem__),
    )


def _sources(graph: fx.Graph) -> dict[fx.Node, frozenset[str]]:
    found: dict[fx.Node, frozenset[str]] = {}
    for node in graph.nodes:
        own = frozenset({str(node.target)}) if node.op == "placeholder" else frozenset[str]()
        found[node] = own.union(*(found[source] for source in node.all_input_nodes))
    return found
