"""Pages that show Python say the truth: all of it runs, from top to bottom, as one program."""

from __future__ import annotations

import re
from pathlib import Path

import fresh_python
import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        ("writing-passes", 9),
        ("methods", 2),
        ("architecture", 4),
        ("adding-an-op", 13),
        ("writing-backends", 3),
        ("own-unet", 4),
    ],
)
def test_a_pages_python_runs(page: str, blocks: int, tmp_path: Path) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(found) >= blocks
    program = tmp_path / "page.py"
    program.write_text("\n".join(found), encoding="utf-8")
    done = fresh_python.run(program, folder=tmp_path, paths=[DOCS.parent / "examples" / "guided_unet"])
    assert done.returncode == 0, done.stderr
