"""Notebooks run, cell by cell, and are kept without outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(path, "code"):
        code = compile("".join(cell["source"]), f"{path.name}, {cell['id']}", "exec", dont_inherit=True)
        exec(code, names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_its_links_lead_somewhere(path: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path, "code"))
    text = "".join(line for cell in cells(path, "markdown") for line in cell["source"])
    links = [part.partition(")")[0].partition("#")[0] for part in text.split("](")[1:]]
    assert all((FOLDER / link).is_file() for link in links if not link.startswith("http"))


def test_there_are_some() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["comparing-methods", "ten-minutes", "writing-a-pass"]
