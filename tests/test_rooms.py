"""Who may know whom: `ir` knows nobody, the middle rooms know `ir`, `dgqc` knows them all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("ir", "passes", "frontends", "backends")
MACHINERY = ("dgqc.passes.base", "dgqc.passes.manager", "dgqc.passes.graph.edit")
"""What a backend needs of `passes` to bring passes of its own, as a package outside does."""
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, relative ones resolved; `dgqc.passes` for the room `passes`."""
    package = ["dgqc", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")] if node.module else base
            # `from .. import passes` names a room too.
            yield from (".".join([*module, alias.name]) for alias in node.names)


def room_of(name: str) -> str | None:
    """The room that an imported name belongs to: "dgqc" for the face; None for other packages."""
    first, *rest = name.split(".")
    if first != "dgqc":
        return None
    return rest[0] if rest and rest[0] in (*ROOMS, "demo_model") else "dgqc"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_know_only_what_they_may(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    allowed = {own, "ir", None}
    known = {name: room_of(name) for name in imported(path)}
    found = {name: room for name, room in known.items() if room not in allowed}
    assert [name for name in found if not (own == "backends" and name.startswith(MACHINERY))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_are_imported_relatively(path: Path) -> None:
    absolute = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("dgqc"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("dgqc") for alias in node.names))
    ]
    assert not absolute


def test_the_rule_sees_every_kind_of_import(tmp_path: Path) -> None:
    folder = ROOT / "passes" / "lowering"
    assert room_of("dgqc.backends.c.emission.emit") == "backends"
    assert room_of("dgqc.cli.main") == "dgqc"
    assert room_of("torch.fx") is None
    names = set(imported(folder / "builder.py"))
    assert "dgqc.ir.program.Program" in names
    assert "dgqc.passes.graph.edit.identifier" in names
