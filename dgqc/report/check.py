"""What would become of a model: what is integer, folded, left out, and what can't be compiled at all."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import fx, nn

from ..backends.selection import check_targets, select_targets
from ..backends.target import Target
from ..compiler.announcement import SURE
from ..compiler.prepare import usual_samples
from ..frontends.capturing.capture import capture
from ..frontends.capturing.graph_builder import LATER_INPUTS
from ..frontends.capturing.rewriter import Refused
from ..frontends.loading.guidance import USUAL, with_guidance
from ..frontends.loading.picture_encoders import shown_inputs
from ..frontends.schedules import schedule_for
from ..ir.program import Program
from ..ir.sample_size import SampleSize
from ..ir.shapes import TIME_INPUTS
from ..ir.spans import amount, duration, short
from ..ir.storage.json_text import read_json_object
from ..passes.manager.pipeline import parse_pipeline
from ..passes.manager.presets import pipeline_for
from .foresight import Foresight, Work, call_seconds, foresee
from .machine import free_disk, this_machine
from .outside import Components, components
from .report import CONTEXT_LENGTH, model_costs, shapes_only
from .work import Sampling, work_of

OF_THE_LOOP = frozenset({"self", "return_dict", "timestep"})
"""Arguments of a UNet's forward that say nothing of the picture."""
INDEX, CONTEXT = "model_index.json", "encoder_hidden_states"
BATCH = 4
"""Of samples that the model draws, where nobody says how many at a time."""
WITHIN = {"text_embeds": "added_cond_kwargs", "time_ids": "added_cond_kwargs"}
"""Inputs that diffusers hands over inside another one."""


@dataclass(frozen=True)
class Checked:
    """What was found of a model.

    taken: the program's inputs with their shapes for one sample. left_out: arguments of the model's forward
    that the program will not take. integers: how many ops of each kind become integers. of_time: ops that
    are folded into tables, one row for each call. of_conditions: ops that are computed in float, once a
    picture or a call, by whoever calls the program. refused: ops without an integer form. schedule: the
    scheduler and the number of UNet calls. foreseen: what compiling it takes here, without recorded samples.
    free_memory, free_disk: bytes. call: seconds of one call of the program here; None where no target knows.
    components: of its pipeline, those that are compiled as well, and those that stay outside.
    """

    model: str
    preset: str
    parameters: int
    taken: Mapping[str, Sequence[int]]
    left_out: Sequence[str]
    integers: Mapping[str, int]
    of_time: int
    of_conditions: int
    schedule: str
    targets: Sequence[str]
    foreseen: Foresight
    free_memory: int
    free_disk: int
    call: float | None
    components: Components
    refused: Sequence[Refused] = field(default=())

    @property
    def compiles(self) -> bool:
        """Whether nothing is missing."""
        return not self.refused and not self.too_large

    @property
    def too_large(self) -> Sequence[str]:
        """What this machine has too little of."""
        foreseen, free = self.foreseen, {"memory": self.free_memory, "disk": self.free_disk}
        return tuple(name for name, there in free.items() if SURE * getattr(foreseen, name) > there)


def check_model(
    path: Path,
    opt: str,
    *,
    steps: int,
    target: str | None,
    sample_size: SampleSize | None = None,
    context_length: int | None = None,
    pass_pipeline: str | None = None,
    **loading: Any,
) -> Checked:
    """Looks at a model; a config.json without weights is enough. Nothing is written.

    loading: how it is loaded (`ModelOptions`).

    Raises DgqcError for what is no model, and for a preset, a target or a number of steps that there isn't.
    """
    targets = select_targets(None if target is None else [target])
    check_targets(targets)
    preset = pipeline_for(opt) if pass_pipeline is None else pass_pipeline
    passes = parse_pipeline(preset)
    loaded = shapes_only(path, loading)
    _, schedule = schedule_for(loaded.scheduler, steps)
    model = with_guidance(loaded.model, USUAL)
    refused: list[Refused] = []
    context = context_length or loaded.context_length or CONTEXT_LENGTH
    shown = shown_inputs(model)
    program = capture(model, sample_size=sample_size, context_length=context, recorded=shown, refused=refused)
    integers, of_time, of_conditions = _parts(program)
    costs = model_costs(model, program)
    # Pipelines that are told a text draw with guidance: a picture is two samples.
    each = 2 if loaded.pipeline is not None and CONTEXT in (one.name for one in program.inputs) else 1
    drawn = Sampling(each * usual_samples(costs.parameters), each * BATCH, grows=True)
    work = work_of(program, costs, passes, drawn, calls=len(schedule), checked=True)
    machine = this_machine()
    assumed = "" if loaded.scheduler else " (assumed: the model came without a scheduler)"
    return Checked(
        type(model).__name__,
        opt if pass_pipeline is None else "custom",
        costs.parameters,
        {one.name: tuple(one.shape) for one in program.inputs},
        _left_out(model, program),
        integers,
        of_time,
        of_conditions,
        f"{schedule.scheduler}, {len(schedule)} calls{assumed}",
        tuple(one.name for one in targets),
        foresee(work, machine),
        machine.memory,
        free_disk(Path()),
        _call(work, targets, machine.workers),
        _components(path),
        tuple(refused),
    )


def _parts(program: Program) -> tuple[dict[str, int], int, int]:
    """Ops that depend on the sample or the text, by kind, most first; on the time alone; on neither."""
    seen: dict[fx.Node, frozenset[str]] = {}
    integers: Counter[str] = Counter()
    of_time = of_conditions = 0
    for node in program.graph.graph.nodes:
        own = {_source(node)} if node.op == "placeholder" else set()
        seen[node] = frozenset(own).union(*(seen[one] for one in node.all_input_nodes))
        if node.op != "call_function":
            continue
        if seen[node] & LATER_INPUTS:
            integers[node.target._opname] += 1
        elif seen[node] <= TIME_INPUTS.keys():
            of_time += 1
        else:
            of_conditions += 1
    return dict(integers.most_common()), of_time, of_conditions


def _components(path: Path) -> Components:
    """Of a pipeline's folder, or of a model that comes alone."""
    index = path / INDEX
    return components(read_json_object(index) if index.is_file() else {})


def _call(work: Work, targets: Sequence[Target], threads: int) -> float | None:
    """Seconds of one call of the program, by the first target that knows how fast this machine can be."""
    peaks = (target.peak() for target in targets)
    return next((call_seconds(work, threads * peak) for peak in peaks if peak is not None), None)


def _source(node: fx.Node) -> str:
    name = str(node.target)
    return "sample" if name.startswith("uncaptured_") else name


def _left_out(model: nn.Module, program: Program) -> tuple[str, ...]:
    taken = {WITHIN.get(one.name, one.name) for one in program.inputs}
    given = inspect.signature(model.forward).parameters.values()
    named = (one.name for one in given if one.kind is not inspect.Parameter.VAR_KEYWORD)
    return tuple(name for name in named if name not in taken | OF_THE_LOOP and not name.startswith("_"))


def lines(found: Checked) -> Iterator[tuple[str, str]]:
    """What stands in it, line by line, as (name, value)."""
    yield "model", f"{found.model}, {found.parameters / 1e6:.2f} M parameters"
    yield "preset", found.preset
    yield "targets", ", ".join(found.targets)
    yield "schedule", found.schedule
    for name, shape in found.taken.items():
        yield f"input {name}", " x ".join(map(str, shape))
    if found.left_out:
        yield "arguments that the program will not take", ", ".join(found.left_out)
    kinds = ", ".join(f"{count} {name}" for name, count in found.integers.items())
    yield "integer ops", f"{sum(found.integers.values())}: {kinds}"
    yield "folded into tables of the calls", f"{found.of_time} ops of the time embedding"
    if found.components.compiled:
        yield "compiled as well", ", ".join(found.components.compiled)
    if found.of_conditions:
        yield "left in float, once a picture", f"{found.of_conditions} ops that need the conditions alone"
    for name, why in found.components.outside.items():
        yield f"outside: {name}", why
    if not found.refused:
        yield "compiling, as busy as this machine is", duration(*found.foreseen.seconds)
        for name, free in (("memory", found.free_memory), ("disk", found.free_disk)):
            said = f"{amount(getattr(found.foreseen, name))} of {amount(free)} that are free"
            yield f"TOO LITTLE {name.upper()}" if name in found.too_large else f"its {name}", said
    if found.call is not None and not found.refused:
        yield "a call of the program", f"about {short(found.call)}, at this machine's int8 peak"
    for (op, message), places in _grouped(found.refused).items():
        where = f" and {len(places) - 1} more" if len(places) > 1 else ""
        others = f" Also in {', '.join(one or 'its forward' for one in places[1:])}." if where else ""
        yield f"NOT SUPPORTED: {op}{where}", message + others


def _grouped(refused: Sequence[Refused]) -> dict[tuple[str, str], list[str]]:
    """The modules in which each op is refused, under its first message."""
    first: dict[str, tuple[str, str]] = {}
    places: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        key = first.setdefault(one.op, (one.op, one.message))
        places.setdefault(key, []).append(one.module)
    return places
