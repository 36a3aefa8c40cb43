"""Gathers what the site is built from: these pages in the repository's layout, and pages made from the code.

python docs/gather_site.py FOLDER

A page for each pass from its docstring and options, the options of a compile, the API, every error sentence.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import sys
from collections.abc import Iterator, Set
from dataclasses import MISSING, fields
from pathlib import Path

from source_tree import modules

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "examples/*/README.md",
    "tests/README.md",
)
LINK = re.compile(r"\]\((?!https?:)([^)\s#]+)")
MADE = Path("docs/made")
"""Pages from the code lie there."""
API = {
    "dgqc": ("dgqc.compiler.driver", "dgqc.execution.compiled_program", "dgqc.execution.diffusers_unet"),
    "In diffusers": ("dgqc.drop_in.config", "dgqc.bundle.diffusers_files"),
    "Programs": ("dgqc.ir.program", "dgqc.ir.level", "dgqc.ir.plans", "dgqc.ir.schedule", "dgqc.ir.errors"),
    "Passes": ("dgqc.passes.base", "dgqc.passes.manager.manager", "dgqc.passes.graph.edit"),
    "Targets": ("dgqc.backends.target", "dgqc.backends.registry"),
}
"""Modules that others may build on, by page."""


def main(folder: Path) -> None:
    """Writes everything anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in pages():
        copy(path, folder)
    made = folder / MADE
    made.mkdir(parents=True)
    for name, text in (*pass_pages(), *api_pages()):
        (made / f"{name}.md").write_text(text, encoding="utf-8", newline="\n")
    (made / "options.md").write_text(options_page(), encoding="utf-8", newline="\n")
    (made / "errors.md").write_text(errors_page(), encoding="utf-8", newline="\n")


def pages() -> list[Path]:
    """The repository's pages."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def copy(path: Path, folder: Path) -> None:
    """Copies a page and the files that it links to, each to its place."""
    text = path.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        target = (path.parent / link).resolve()
        if target.is_file() and target.suffix != ".md":
            place = folder / target.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, place)
    place = folder / path.relative_to(ROOT)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8", newline="\n")


def pass_pages() -> Iterator[tuple[str, str]]:
    """A page for each pass, and one that lists them."""
    import dgqc  # Targets' passes are known by it.
    from dgqc.passes.manager.options import options_of, write_value
    from dgqc.passes.manager.registry import known_passes

    assert dgqc.__all__
    listed = ["# Passes", "", "| pass | from | to | what it does |", "| --- | --- | --- | --- |"]
    for one in known_passes():
        about = inspect.getdoc(one) or ""
        first = escaped(about.partition("\n\n")[0].replace("\n", " "))
        listed.append(f"| [{one.name}]({one.name}.md) | {one.takes} | {one.leaves} | {first} |")
        lines = [f"# {one.name}", "", escaped(about), ""]
        lines += [f"Takes a graph at the level {one.takes}, leaves one at the level {one.leaves}.", ""]
        for what in ("requires", "provides", "invalidates"):
            if facts := sorted(getattr(one, what)):
                lines += [f"{what.capitalize()}: {', '.join(facts)}.", ""]
        options = options_of(one)
        if options:
            lines += ["| option | takes | default |", "| --- | --- | --- |"]
        for option in options:
            default = "required" if option.default is MISSING else f"`{write_value(option.default)}`"
            lines.append(f"| `{option.name}` | {escaped(option.expected)} | {default} |")
        lines += ["", f"    dgqc passes    # {one.name} stands in `{one.__module__}`"]
        yield one.name, "\n".join(lines) + "\n"
    yield "passes", "\n".join(listed) + "\n"


def api_pages() -> Iterator[tuple[str, str]]:
    """Pages that mkdocstrings fills from docstrings."""
    for title, names in API.items():
        yield (
            f"api-{title.lower().replace(' ', '-')}",
            f"# {title}\n\n" + "\n".join(f"::: {name}\n" for name in names),
        )


def options_page() -> str:
    """What `dgqc.compile` and `dgqc compile` take."""
    from dgqc.compiler.option import option_of
    from dgqc.compiler.request import Request

    lines = ["# Options of a compile", "", "| Python | command line | |", "| --- | --- | --- |"]
    for one in fields(Request):
        option = option_of(one)
        flags = ", ".join(f"`{flag}`" for flag in option.flags) or "-"
        said = " ".join(filter(None, (option.help, option.python)))
        lines.append(f"| `{one.name}` | {flags} | {escaped(said)} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every sentence that an error can say, with the module that says it; `…` stands for what it names."""
    lines = ["# Error sentences", "", "`…` stands for what a sentence names.", ""]
    trees = [module.tree for module in modules().values()]
    writers = {name for tree in trees for name in sentence_writers(tree)}
    for module in modules().values():
        found = sorted({*sentences(module.tree), *written_by(module.tree, writers)})
        if found:
            lines += [f"## {module.name}", "", *(f"* {escaped(one)}" for one in found), ""]
    return "\n".join(lines) + "\n"


def _makes_an_error(call: ast.Call) -> bool:
    made = call.func
    name = made.id if isinstance(made, ast.Name) else made.attr if isinstance(made, ast.Attribute) else ""
    return name.endswith(("Error", "Operation"))


def sentences(tree: ast.AST) -> Iterator[str]:
    """First arguments of errors that are made in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _makes_an_error(node):
            text = template(node.args[0])
            if text and " " in text:
                yield text


def sentence_writers(tree: ast.AST) -> Iterator[str]:
    """Functions that write an error's sentence, and names that hold one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _makes_an_error(node):
            for given in node.args[:1]:
                inner = given.func if isinstance(given, ast.Call) else given
                if isinstance(inner, ast.Name):
                    yield inner.id


def written_by(tree: ast.AST, names: Set[str]) -> Iterator[str]:
    """Sentences in functions of these names, docstrings left out, and in what is assigned to such names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            body = node.body[1:] if ast.get_docstring(node) else node.body
        elif isinstance(node, ast.Assign) and any(getattr(one, "id", None) in names for one in node.targets):
            body = [node]
        else:
            continue
        for part in body:
            yield from (text for text in texts_in(part) if text.count(" ") > 3 and text.endswith((".", "…")))


def texts_in(node: ast.AST) -> Iterator[str]:
    """All texts in a piece of code, each whole."""
    text = template(node) if isinstance(node, ast.expr) else None
    if text:
        yield text
        return
    for inner in ast.iter_child_nodes(node):
        yield from texts_in(inner)


def template(node: ast.expr) -> str | None:
    """A text with `…` where something is put in; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        return "".join(map(str, parts))
    return None


def escaped(text: str) -> str:
    """Text that Markdown takes as it is."""
    return re.sub(r"([<>\[\]|*_])", r"\\\1", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
