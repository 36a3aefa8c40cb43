"""Pages that show Python say the truth: all of it runs, from top to bottom, as one program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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
    paths = [str(DOCS.parent / "examples" / "guided_unet"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
