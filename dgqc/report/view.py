"""A page on which one steps through passes: what each changed, by layer, with the layer's plans and error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..ir.errors import DgqcError
from ..ir.storage.json_text import read_json_object
from ..passes.manager.dump import FILE, REPORT, dumped_files
from .document import as_data, document
from .report import entry_with

BODY = """
<p>Each pass, and what it changed in the graph and its plans. The arrow keys go on and back; a click on a
layer's name shows all of it.</p>
<div class='tools'>
<button id='back'>&larr;</button> <select id='pass' aria-label='Pass'></select>
<button id='on'>&rarr;</button>
<label><input type='checkbox' id='whole'> the whole graph</label>
<input id='search' type='search' placeholder='layer or text' aria-label='Search' list='layers'>
<datalist id='layers'></datalist>
</div>
<p id='said'></p><div id='layer'></div><pre id='lines'></pre>
"""


@dataclass(frozen=True)
class Stage:
    """What a pass left: its lines, and which of them it changed.

    lines: places in the page's list of all lines. steps: (kind, first, end, first before, end before) as
    difflib has them, over `lines` and those of the stage before.
    """

    name: str
    lines: Sequence[int]
    steps: Sequence[tuple[str, int, int, int, int]]


@dataclass
class LineTable:
    """All lines that stand in any stage, each once: most stand in most of them."""

    places: dict[str, int] = field(default_factory=dict)

    def of(self, text: str) -> list[int]:
        """The places of a text's lines."""
        return [self.places.setdefault(line, len(self.places)) for line in text.splitlines()]


def as_page(folder: Path) -> str:
    """Of what `--dump-ir` wrote. Raises DgqcError for a folder without it."""
    paths = dumped_files(folder)
    if not paths:
        raise DgqcError(f"{folder} holds no graphs; give a folder that `dgqc compile --dump-ir` wrote.")
    table, stages, before = LineTable(), list[Stage](), list[int]()
    for path in paths:
        lines = table.of(path.read_text(encoding="utf-8"))
        found = FILE.fullmatch(path.name)
        assert found is not None
        stages.append(Stage(found[2], lines, _steps(before, lines)))
        before = lines
    data = {
        "lines": list(table.places),
        "stages": [vars(one) for one in stages],
        "errors": _errors(folder / REPORT),
    }
    script = files(__package__).joinpath("view.js").read_text(encoding="utf-8")
    kept = f"<script type='application/json' id='data'>{as_data(data)}</script>"
    return document(f"Passes of {folder.name}", f"{BODY}{kept}<script>{script}</script>", plots=False)


def _steps(before: Sequence[int], lines: Sequence[int]) -> list[tuple[str, int, int, int, int]]:
    matcher = difflib.SequenceMatcher(None, before, lines, autojunk=False)
    return [(kind, j1, j2, i1, i2) for kind, i1, i2, j1, j2 in matcher.get_opcodes()]


def _errors(report: Path) -> Mapping[str, Mapping[str, float | None]]:
    """Decibels of each layer by measured call; nothing where none were measured."""
    if not report.is_file():
        return {}
    found: dict[str, Any] = read_json_object(report, "it is damaged")
    by_call: dict[str, Any] = dict(entry_with(found, "decibels").get("by_call", {}))
    return by_call
