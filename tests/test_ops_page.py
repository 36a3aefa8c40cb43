"""The page of ops says of each op of PyTorch's core set what the code does with it."""

from __future__ import annotations

from pathlib import Path

import fresh_python

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "ops.md"


def test_the_page_is_what_the_code_does() -> None:
    done = fresh_python.run(ROOT / "docs" / "ops.py", "--check")
    assert done.returncode == 0, done.stderr


def test_every_op_has_a_reason() -> None:
    """A core op that PyTorch brings anew is refused without one until somebody writes it down."""
    table = PAGE.read_text(encoding="utf-8").partition("<!-- core -->")[2].partition("<!-- end")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) > 180
    assert [row for row in rows if row.endswith("| ? |")] == []
