"""How the house is built: short files and functions, no cycles, one class of a name, no tables of ops."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import networkx
import pytest
from source_tree import FACE, ROOMS, ROOT, Module, imports, modules

LINES_OF_FILE, LINES_OF_FUNCTION = 350, 60
MODULES = modules()
BESIDE = ("tests", "benchmarks", "docs", "examples")
"""Folders of Python that isn't the package's."""
RECORDS = ("ir/ops/", "backends/c/kernels/")
"""Where ops are listed: a table of them anywhere else forgets the next one."""
FEW = 3
"""So many ops in one literal are a choice among them; more are a table."""


def long_files() -> list[str]:
    """Files of the package with too many lines, hand-written C included."""
    paths = [path for folder in (FACE, *ROOMS) for path in (ROOT / folder).rglob("*")]
    sources = [path for path in paths if path.suffix in (".py", ".c", ".h", ".jinja")]
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    return sorted(
        f"{path.relative_to(ROOT)}: {count}" for path, count in counts.items() if count > LINES_OF_FILE
    )


def long_functions() -> list[str]:
    """Functions with too many lines, docstring included, those of tests and benchmarks likewise."""
    beside = [Module(path.stem, path) for one in BESIDE for path in sorted((ROOT / one).rglob("*.py"))]
    return [
        f"{module.place}:{node.lineno} {node.name}: {length}"
        for module in (*MODULES.values(), *beside)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_OF_FUNCTION
    ]


def cycles() -> list[str]:
    """Modules that import each other: at once, inside a function, or for types alone."""
    graph = networkx.DiGraph(
        (module.name, other) for module in MODULES.values() for other in imports(module, MODULES, types=True)
    )
    return [
        " -> ".join([*cycle, cycle[0]])
        for group in networkx.strongly_connected_components(graph)
        if len(group) > 1
        for cycle in [networkx.find_cycle(graph.subgraph(group))]
        for cycle in [[edge[0] for edge in cycle]]
    ]


def names_twice() -> list[str]:
    """Public classes, and types that are given a name, of which there are two."""
    places = defaultdict[str, list[str]](list)
    for module in MODULES.values():
        for name in types_of(module):
            places[name].append(module.place)
    return [f"{name}: {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def types_of(module: Module) -> Iterator[str]:
    """Names of the public types that a module defines; a type variable is none."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and "TypeVar(" not in ast.unparse(node):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", name))


def tables_of_ops() -> list[str]:
    """Literals at the head of a module that name more than a few ops."""
    ops = set(
        re.findall(r'"dgqc::(\w+)', "\n".join(path.read_text() for path in (ROOT / "ir/ops").glob("*.py")))
    )
    return [
        f"{module.place}:{node.lineno} {ast.unparse(node).partition('=')[0].strip()}: {len(found)} ops"
        for module in MODULES.values()
        if not module.place.startswith(RECORDS)
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        if len(found := ops_in(node.value, ops)) > FEW
    ]


def ops_in(value: ast.expr, names: set[str]) -> set[str]:
    """The ops that an expression names: `aten.add.Tensor`, `dgqc.add.default`, or "add" as a key."""
    overloads = re.findall(r"\b(?:aten|dgqc|dgqc_ops)\.(\w+)(?:\.\w+)?", ast.unparse(value))
    keys = [
        key.value
        for node in ast.walk(value)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and key.value in names
    ]
    return {*overloads, *keys}


def texts_as_the_system_likes() -> list[str]:
    """Texts read or written without an encoding, or written with the system's own line ends."""
    wanted = {
        "read_text": {"encoding"},
        "write_text": {"encoding", "newline"},
        "open": {"encoding", "newline"},
    }
    return [
        f"{module.place}:{node.lineno} {ast.unparse(node.func)}"
        for module in MODULES.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in wanted
        and not (node.func.attr == "open" and not is_text_mode(node))
        and not wanted[node.func.attr] <= {keyword.arg for keyword in node.keywords}
    ]


def is_text_mode(call: ast.Call) -> bool:
    """Whether a call opens a file to write text."""
    modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(re.fullmatch(r"[wax]t?\+?", mode) for mode in modes)


def needed(backend: str) -> list[str]:
    """Who else needs the modules of a backend by name."""
    inside = f"{FACE}.backends.{backend}"
    return sorted(
        f"{module.place}: {other}"
        for module in MODULES.values()
        if not f"{module.name}.".startswith(f"{inside}.")
        for other in imports(module, MODULES)
        if f"{other}.".startswith(f"{inside}.")
    )


def test_files_are_short() -> None:
    assert long_files() == []


def test_functions_are_short() -> None:
    assert long_functions() == []


def test_no_module_needs_itself() -> None:
    assert cycles() == []


def test_no_two_types_share_a_name() -> None:
    assert names_twice() == []


def test_texts_have_the_same_bytes_on_every_system() -> None:
    assert texts_as_the_system_likes() == []


def test_ops_are_listed_in_their_records_alone() -> None:
    assert tables_of_ops() == []


@pytest.mark.parametrize("backend", ["c", "mlir"])
def test_a_backend_can_be_taken_out(backend: str) -> None:
    assert needed(backend) == []


def test_what_is_looked_for_is_found() -> None:
    """None of these tests passes because it sees nothing."""
    assert imports(MODULES["dgqc.passes.base"], MODULES) >= {"dgqc.ir.level", "dgqc.ir.program"}
    assert set(types_of(MODULES["dgqc.ir.program"])) == {"Input", "Program"}
    table = ast.parse(
        "{aten.add.Tensor: 1, aten.mul.Tensor: 2, dgqc.add.default: 3, 'linear': 4}", mode="eval"
    )
    assert ops_in(table.body, {"linear"}) == {"add", "mul", "linear"}
    assert len(MODULES) > 200
