"""Who may know whom: `ir` knows nobody, the middle rooms know `ir`, `dgqc` knows them all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("ir", "passes", "frontends", "backends")
MACHINERY = ("dgqc.passes.base", "dgqc.passes.manager", "dgqc.passes.graph.edit")
"""What a backend needs of `passes` to bring passes of its own, as a package outside does."""
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, relative ones resolved; `dgqc.passes` for the room `passes`."""
    package = module_name(path.parent / "__init__.py").split(".")
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


def importers() -> nx.DiGraph[str]:
    """Edges from every module to the modules whose names it imports, anywhere in its text: an import inside a
    function, or for types alone, counts as well."""
    files = {path for room in ("dgqc", *ROOMS) for path in (ROOT / room).rglob("*.py")}
    names = {module_name(path): path for path in files}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, path in names.items():
        for found in imported(path):
            target = found if found in names else found.rpartition(".")[0]
            if target in names:
                graph.add_edge(name, target)
    return graph


def module_name(path: Path) -> str:
    """dgqc.cli.main, dgqc.ir.program, dgqc.ir for a package."""
    first, *rest = path.relative_to(ROOT).with_suffix("").parts
    parts = ["dgqc", *([] if first == "dgqc" else [first]), *rest]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_modules_import_each_other() -> None:
    assert [sorted(one) for one in nx.strongly_connected_components(importers()) if len(one) > 1] == []


def test_public_classes_have_names_of_their_own() -> None:
    homes: dict[str, set[str]] = {}
    for path in (path for room in ("dgqc", *ROOMS) for path in (ROOT / room).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, set()).add(module_name(path))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
