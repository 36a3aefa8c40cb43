"""Which targets are meant: `c{weights=file},mlir`, written as passes are in a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from ..ir.errors import DgqcError
from ..ir.program import Program
from ..passes.base import Pass
from ..passes.manager.pipeline import parse_configured, parse_pipeline
from ..passes.manager.registry import current_name
from .registry import find_target, known_targets
from .target import Target


def select_targets(wanted: Sequence[str | Target] | None = None, **options: str | None) -> tuple[Target, ...]:
    """The targets that are meant, each once.

    wanted: texts such as "c" or "c{weights=file},mlir", or targets; None takes the favoured ones.
    options: texts for whichever of them have these options; None says nothing.
    Raises DgqcError for a name or an option that there isn't, a target named twice, and an option that none
    of them has.
    """
    if wanted is None:
        chosen = [target() for target in known_targets() if target.favoured]
    else:
        chosen = [target for one in wanted for target in _parsed(one)]
    for place, target in enumerate(chosen):
        if target.name in (other.name for other in chosen[:place]):
            raise DgqcError(f"The target {target.name} is named twice; name it once.")
    for option, value in options.items():
        if value is not None:
            chosen = _with_option(chosen, option, value)
    return tuple(chosen)


def check_targets(targets: Sequence[Target]) -> None:
    """Raises DgqcError for a target that can't be emitted here."""
    for target in targets:
        reason = target.unavailable()
        if reason:
            raise DgqcError(f"The target {target.name} can't be emitted: {reason}.")


def check_sizes(targets: Sequence[Target], sizes: Sequence[str]) -> None:
    """Raises DgqcError for a target that emits programs of one size alone, where there are others.

    sizes: those besides the first."""
    for target in targets:
        if sizes and (reason := target.one_size_alone()):
            raise DgqcError(
                f"The target {target.name} can't emit several sizes in one project: {reason}; compile at one "
                "size, or leave the target out."
            )


def stopping_target(
    targets: Sequence[Target], stop_after: str | None, passes: Sequence[Pass]
) -> Target | None:
    """The target among whose passes a compile is to stop; None where that is in the pipeline, or nowhere."""
    if stop_after is None:
        return None
    name = current_name(stop_after)
    if name in (item.name for item in passes):
        return None
    return next((target for target in targets if name in target.pass_names()), None)


def without_layout(program: Program) -> Program:
    """A program as if no target had laid it out.

    Layouts say where values lie in memory, and facts which passes need not run. What a file says of either is
    no proof: whoever uses the program lays it out anew.
    """
    passes = (item for target in known_targets() for item in parse_pipeline(target().passes()))
    claimed = frozenset(fact for item in passes for fact in item.provides)
    sizes = {name: without_layout(one) for name, one in program.sizes.items()}
    return replace(program, layout=None, facts=program.facts - claimed, sizes=sizes)


def _parsed(one: str | Target) -> Sequence[Target]:
    return (one,) if isinstance(one, Target) else parse_configured(one, find_target, "target")


def _with_option(targets: Sequence[Target], option: str, value: str) -> list[Target]:
    """The targets with an option given to those that have it."""
    having = [target for target in targets if option in (field.name for field in fields(target))]  # type: ignore[arg-type]
    if not having:
        named = ", ".join(target.name for target in targets) or "none"
        raise DgqcError(
            f"{option}={value} is an option of none of the targets ({named}); add the target that has it."
        )
    found = []
    for target in targets:
        if target in having:
            (given,) = parse_configured(f"{target.name}{{{option}={value}}}", find_target, "target")
            target = replace(target, **{option: getattr(given, option)})  # type: ignore[type-var]
        found.append(target)
    return found
