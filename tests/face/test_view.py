"""`dgqc view`: all stages, what each changed, and that names can't break out of the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dgqc.ir.errors import DgqcError
from dgqc.report.view import as_page

BAD = "</script><script>alert(1)</script>"
FIRST = "%x = input: float32[1]\n%y = aten.silu(%x): float32[1]  // act\nreturn %y\n"
SITE = "%s = dgqc.site(%x, 'act.input'): float32[1]  // act"
SECOND = f"%x = input: float32[1]\n{SITE}\nreturn %s\nplans:\n  act.input: "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "000-start.txt").write_text(FIRST)
    (tmp_path / "001-insert-sites.txt").write_text(f"{SECOND}{BAD}\n")
    (tmp_path / "report.json").write_text(
        json.dumps({"measure-error": {"decibels": {"act": 20.0}, "by_call": {"0": {"act": 20.0}}}})
    )
    return tmp_path


def test_a_page_holds_all_lines_once_and_says_what_changed(folder: Path) -> None:
    text = as_page(folder)
    assert BAD not in text
    kept = re.search(r"id='data'>(.*?)</script>", text)
    assert kept is not None
    data = json.loads(kept[1])
    assert [one["name"] for one in data["stages"]] == ["start", "insert-sites"]
    lines = [[data["lines"][place] for place in one["lines"]] for one in data["stages"]]
    assert lines[0] == FIRST.splitlines()
    assert lines[1][-1].endswith(BAD)
    assert len(data["lines"]) == len(set(data["lines"])) == 7
    kinds = [step[0] for step in data["stages"][1]["steps"]]
    assert kinds == ["equal", "replace"]
    assert data["errors"] == {"0": {"act": 20.0}}
    assert len(text) < 50_000  # without Plotly


def test_a_folder_without_graphs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="holds no graphs; give a folder that `dgqc compile --dump-ir` wrote"):
        as_page(tmp_path)


def test_the_command_writes_the_page_beside_the_graphs(
    folder: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    assert run("view", folder)[0] == 0
    assert (folder / "view.html").is_file()
    assert run("view", folder / "nowhere")[0] == 2


def test_a_compile_dumps_what_one_looks_at(
    model_folder: Path, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    dump = tmp_path / "ir"
    asked = ("compile", model_folder, "--steps", 1, "--samples", 1, "--stop-after", "insert-sites")
    assert run(*asked, "--dump-ir", dump, "-o", tmp_path / "graph")[0] == 0
    assert (dump / "001-fold-time-embedding.txt").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    code, _, told = run(*asked, "--dump-ir", tmp_path / "other", "-o", tmp_path / "again")
    assert code == 2
    assert "holds mine.txt, which is no dump" in told
