"""The manager: order is checked first, graphs after every pass, and failures can be seen again."""

from __future__ import annotations

import io
import re
import shlex
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import hand_made
import pytest
import torch

from dgqc.ir.errors import DgqcError, PipelineError, VerificationError
from dgqc.ir.level import Level
from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program
from dgqc.ir.storage.serialize import load_program
from dgqc.passes.base import Pass
from dgqc.passes.manager import facts, registry
from dgqc.passes.manager.failures import PassError
from dgqc.passes.manager.instruments import PrintAfter, Timing
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.manager.registry import register_pass


def fake(name: str, base: type[Pass] | None = None, **settings: object) -> type[Pass]:
    """A pass that changes nothing, with these class variables."""
    contents = {
        "takes": Level.CAPTURED,
        "leaves": Level.CAPTURED,
        "name": name,
        "run": lambda self, program: program,
    }
    made = type(name, (base or Pass,), {**contents, **settings, "__module__": __name__})
    return dataclass(frozen=True)(made)


Find = fake("find", provides=frozenset({"places"}))
Group = fake("group", requires=frozenset({"places"}), provides=frozenset({"grouped-places"}))
Forget = fake("forget", invalidates=frozenset({"places"}))
Plan = fake("plan", leaves=Level.PLANNED)
Late = fake("late", takes=Level.PLANNED, leaves=Level.PLANNED, requires=frozenset({"grouped-places"}))
Lonely = fake("lonely", requires=frozenset({"moonlight"}))
FAKES = (Find, Group, Forget, Plan, Late, Lonely)


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the fakes are known, and saved graphs go away with the test."""
    monkeypatch.setattr(facts, "known_passes", lambda: FAKES)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@dataclass(frozen=True)
class Breaks(Pass):
    """Replaces the gate by something the captured level doesn't know, or worse."""

    how: str = "op"

    name: ClassVar[str] = "breaks"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        for node in program.graph.graph.nodes:
            if node.target is torch.ops.aten.silu.default:
                if self.how == "crash":
                    raise ZeroDivisionError("no gate")
                if self.how == "refuse":
                    raise DgqcError("The model has a gate, which this pass doesn't take.")
                node.target = torch.ops.aten.lgamma.default
        program.graph.recompile()
        return program


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ((Group,), "group needs places: put find before it."),
        (
            (Group, Find),
            "group needs places, which find provides, but it stands after group: move it before.",
        ),
        (
            (Find, Forget, Group),
            "group needs places, which no longer holds after forget: put find between forget and group.",
        ),
        (
            (Plan, Late),
            "late needs grouped places, but no known pass provides that: install or write one "
            "(docs/writing-passes.md).",
        ),
        ((Late,), "late takes the planned level: put plan before it."),
        (
            (Plan, Find),
            "find takes the captured level, but it stands after plan, which leaves the planned level: "
            "move find before plan.",
        ),
        ((Lonely,), "lonely needs moonlight, but no known pass provides that"),
    ],
)
def test_impossible_orders_are_refused_with_the_way_out(passes: tuple[type[Pass], ...], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        PassManager([item() for item in passes]).check(Level.CAPTURED)
    assert str(caught.value).startswith(message)


def test_a_chain_of_passes_is_proposed() -> None:
    needy = fake("needy", requires=frozenset({"grouped-places"}))
    with pytest.raises(PipelineError, match=r"needy needs grouped places: put find,group before it\."):
        PassManager([needy()]).check(Level.CAPTURED)


def test_facts_of_the_start_count() -> None:
    PassManager([Group()]).check(Level.CAPTURED, frozenset({"places"}))
    result = PassManager([Find(), Group(), Forget()]).run(hand_made.captured())
    assert result.facts == {"folded-time", "grouped-places"}


def test_nothing_runs_when_the_order_is_impossible() -> None:
    ran: list[str] = []
    noisy = fake("noisy", run=lambda self, program: ran.append("noisy") or program)
    with pytest.raises(PipelineError):
        PassManager([noisy(), Group()]).run(hand_made.captured())
    assert not ran


def test_levels_and_facts_are_the_managers() -> None:
    liar = fake(
        "liar", run=lambda self, program: replace(program, level=Level.INTEGER, facts=frozenset({"lies"}))
    )
    result = PassManager([Find(), liar()]).run(hand_made.captured())
    assert result.level is Level.CAPTURED
    assert result.facts == {"folded-time", "places"}


def reproduced(message: str) -> tuple[Program, str]:
    """The saved graph and the pipeline of the command in a message."""
    program, command, folder, option = shlex.split(message.splitlines()[-1])
    assert (program, command) == ("dgqc", "opt")
    return load_program(folder), option.removeprefix("--pass-pipeline=")


def test_a_broken_graph_is_reported_and_can_be_seen_again() -> None:
    before = format_graph(hand_made.captured())
    register_pass(Breaks)
    try:
        with pytest.raises(VerificationError) as caught:
            PassManager([Find(), Breaks()]).run(hand_made.captured())
        message = str(caught.value)
        assert message.startswith("Pass breaks (after find) left a broken graph: ")
        assert "at silu_default (aten.lgamma, module act), found the op aten.lgamma" in message
        saved, pipeline = reproduced(message)
        assert format_graph(saved) == before.replace("facts: folded-time", "facts: folded-time, places")
        with pytest.raises(VerificationError, match=r"aten\.lgamma"):
            PassManager(parse_pipeline(pipeline)).run(saved)
    finally:
        registry._registered.pop("breaks")


def test_an_unexpected_exception_is_wrapped_with_its_node() -> None:
    with pytest.raises(PassError) as caught:
        PassManager([Find(), Breaks("crash")]).run(hand_made.captured())
    message = str(caught.value)
    assert re.match(
        r"Pass breaks \(after find\) failed at the node silu_default \(module act\) "
        r"with ZeroDivisionError: no gate;",
        message,
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    saved, pipeline = reproduced(message)
    assert saved.level is Level.CAPTURED
    assert pipeline == "breaks{how=crash}"


def test_a_users_error_keeps_its_type_and_gains_the_pass() -> None:
    with pytest.raises(DgqcError) as caught:
        PassManager([Breaks("refuse")]).run(hand_made.captured())
    assert type(caught.value) is DgqcError
    assert str(caught.value) == "Pass breaks: The model has a gate, which this pass doesn't take."


def test_verification_can_be_turned_off() -> None:
    PassManager([Breaks()], verify_each=False).run(hand_made.captured())


def test_the_input_is_verified_before_any_pass_is_blamed() -> None:
    broken = Breaks().run(hand_made.captured())
    with pytest.raises(VerificationError) as caught:
        PassManager([Find()]).run(broken)
    assert str(caught.value).startswith("The captured graph is broken")


def test_stop_after() -> None:
    result = PassManager([Find(), Group()]).run(hand_made.captured(), stop_after="find")
    assert result.facts == {"folded-time", "places"}
    with pytest.raises(PipelineError, match="no pass nowhere to stop after in the pipeline: it holds find"):
        PassManager([Find()]).run(hand_made.captured(), stop_after="nowhere")


def test_instruments_watch() -> None:
    timing, stream, everything = Timing(), io.StringIO(), io.StringIO()
    printers = (PrintAfter(frozenset({"group"}), stream), PrintAfter(None, everything))
    PassManager([Find(), Group()], [timing, *printers]).run(hand_made.captured())
    assert [name for name, _ in timing.seconds] == ["find", "group"]
    assert timing.table().splitlines()[-1].endswith("total")
    assert stream.getvalue().count("// after") == 1
    assert everything.getvalue().count("// after") == 2
    assert "facts: folded-time, grouped-places, places" in stream.getvalue()
