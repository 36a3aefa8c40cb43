"""Golden texts: what a pass makes of a small program, line by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline

Golden = Callable[[str, Program, str], Program]
FOLDER = Path(__file__).parent


@pytest.fixture
def golden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Golden:
    """`golden(pipeline, program, name)`: runs one pass through the manager, which verifies both sides, and
    compares the texts with NAME.before.txt and NAME.after.txt. Returns the program behind the pass."""
    monkeypatch.setenv("DGQC_CACHE", str(tmp_path))
    update = bool(request.config.getoption("--update-golden"))

    def run(pipeline: str, program: Program, name: str) -> Program:
        (item,) = parse_pipeline(pipeline)
        program = replace(program, facts=program.facts | item.requires)
        before = format_graph(program)
        after = PassManager([item]).run(program)
        report = json.dumps(after.report.get(item.name))
        texts = {"before": before, "after": f"{format_graph(after)}\nreport: {report}"}
        problems = [
            difference(FOLDER / f"{name}.{when}.txt", text + "\n", update) for when, text in texts.items()
        ]
        if found := "".join(problems):
            pytest.fail(found, pytrace=False)
        return after

    return run


def difference(path: Path, text: str, update: bool) -> str:
    """What differs between a golden file and a text; with `update`, the file is rewritten as well.

    A rewritten file still counts as a difference, so that its diff is seen once.
    """
    golden = path.read_text() if path.exists() else ""
    if text == golden:
        return ""
    lines = difflib.unified_diff(
        golden.splitlines(keepends=True), text.splitlines(keepends=True), path.name, "now"
    )
    advice = "rewritten: review this diff and commit it" if update else "if it is meant, use --update-golden"
    if update:
        path.write_text(text)
    return f"{path.name} differs ({advice}):\n{''.join(lines)}\n"
