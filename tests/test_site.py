"""The site: what it is gathered from, and that it leaves out no page (`make docs` builds it, and CI does)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import gather_site

ROOT = Path(__file__).parent.parent


def test_a_pass_has_a_page_with_its_options() -> None:
    pages = dict(gather_site.pass_pages())
    assert "| `poor` |" in pages["keep-wide"]
    assert "leaves one at the level integer" in pages["lower-integer"]
    assert "plan-memory" in pages
    assert "[keep-wide](keep-wide.md)" in pages["passes"]


def test_options_and_error_sentences_are_listed() -> None:
    assert "| `calib_select` | `--calib-select` |" in gather_site.options_page()
    found = gather_site.errors_page()
    assert "exists and is not a dgqc bundle, so it is left alone; choose another output folder." in found
    tree = ast.parse("raise DgqcError(f'{path} is wrong; give {a} and b.')\nraise ValueError('x')")
    assert list(gather_site.sentences(tree)) == ["… is wrong; give … and b."]


def test_sentences_that_a_function_writes_are_listed_too() -> None:
    lines = ("def said(x):", "    'What it says.'", "    return f'{x} is one word too many.'")
    text = "\n".join((*lines, "raise DgqcError(said(1))"))
    names = set(gather_site.sentence_writers(ast.parse(text)))
    assert names == {"said"}
    assert list(gather_site.written_by(ast.parse(text), names)) == ["… is one word too many."]
    assert "no known pass provides that: install or write one" in gather_site.errors_page()


def test_what_markdown_would_read_otherwise() -> None:
    assert gather_site.escaped("a_b <c> [d]") == r"a\_b \<c\> \[d\]"


def test_a_page_brings_the_files_that_it_links_to(tmp_path: Path) -> None:
    gather_site.copy(ROOT / "docs" / "design.md", tmp_path)
    assert (tmp_path / "docs" / "images" / "architecture.svg").is_file()


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"- (\S+\.md)$", text, flags=re.MULTILINE))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= listed
    made = {f"{gather_site.MADE}/{name}.md" for name, _ in gather_site.api_pages()}
    assert made <= listed


def test_every_folder_of_code_is_packed() -> None:
    """A folder that is forgotten there is missing from wheels, and nowhere else."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    rooms = {name: ROOT / path for name, path in settings["package-dir"].items()}
    folders = {
        ".".join([name, *path.parent.relative_to(root).parts])
        for name, root in rooms.items()
        for path in root.rglob("__init__.py")
    }
    assert folders - set(settings["packages"]) == set()
