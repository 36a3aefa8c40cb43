"""The source as data, for the picture of it and for tests: modules, what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
FACE = "dgqc"
ROOMS = ("ir", "passes", "frontends", "backends")
"""Folders that install as packages of `dgqc`."""


@dataclass(frozen=True)
class Module:
    """One file. name: as it is imported, `dgqc.passes.base`."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def place(self) -> str:
        """The path as people write it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def package(self) -> list[str]:
        """What relative imports start from."""
        parts = self.name.split(".")
        return parts if self.path.name == "__init__.py" else parts[:-1]


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by its name."""
    found = {}
    for folder in (FACE, *ROOMS):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            inner = parts[1:] if folder == FACE else parts
            name = ".".join([FACE, *inner]).removesuffix(".__init__")
            found[name] = Module(name, path)
    return found


def imports(module: Module, known: dict[str, Module], types: bool = False) -> set[str]:
    """Names of the modules that one asks for, inside functions too.

    types: with those that it names for type checkers alone. `from . import x` asks for the module x where
    there is one, else for the package.
    """
    found = set()
    for node in ast.walk(module.tree) if types else _run(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom):
            base = module.package[: len(module.package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")] if node.module else base)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found |= {inner} if inner in known else {source} & known.keys()
    return found - {module.name}


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
                yield node
                waiting.append(node)
