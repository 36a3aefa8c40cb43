"""The example package installs and works, and the page that teaches passes says the truth."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fresh_python
import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = """
import json, sys
tests, rival, rival_of_ours = sys.argv[1:]
sys.path.insert(0, tests)
import hand_made
from dgqc.ir.errors import DgqcError
from dgqc.passes.manager import PassManager
from dgqc.passes.pipeline import parse_pipeline
from dgqc.passes.registry import find_pass, pass_names

def attempt(ask):
    try:
        return ask()
    except DgqcError as error:
        return str(error)

def bits(options):
    passes = parse_pipeline("keep-sensitive-sites{" + options + "}")
    return PassManager(passes).run(hand_made.sited()).plans["proj.input"].bits

answers = {
    "names": pass_names(),
    "raised": attempt(lambda: bits("module=pro*,bits=7")),
    "kept": attempt(lambda: bits("module=proj,bits=3")),
    "unmatched": attempt(lambda: bits("module=mid_block.*")),
    "range": attempt(lambda: bits("module=proj,bits=9")),
    "option": attempt(lambda: bits("modul=proj")),
}
sys.path.append(rival)
answers["rival of a built-in"] = attempt(lambda: find_pass("kmeans-groups").name)
sys.path.append(rival_of_ours)
answers["rival of ours"] = attempt(lambda: find_pass("keep-sensitive-sites").name)
answers["names with rivals"] = attempt(pass_names)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example is installed in, as pip does it, offline."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "custom_pass"
    shutil.copytree(ROOT / "examples" / "custom_pass", source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "install", *options, str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder


def rival(folder: Path, package: str, pass_name: str) -> str:
    """What pip leaves of a package that defines a pass of this name."""
    metadata = folder / package / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[dgqc.passes]\n{pass_name} = {package}:Rival\n")
    return str(folder / package)


def test_an_installed_package_adds_its_pass(installed: Path, tmp_path: Path) -> None:
    folders = [
        str(ROOT / "tests"),
        rival(tmp_path, "rival", "kmeans-groups"),
        rival(tmp_path, "other", "keep-sensitive-sites"),
    ]
    done = fresh_python.run(PROGRAM, *folders, paths=[installed])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "keep-sensitive-sites" in found["names"]
    assert found["raised"] == 7
    assert found["kept"] == 4
    assert "No undecided operand stands in a module that matches 'mid_block.*'" in found["unmatched"]
    assert "refuses its options: keep-sensitive-sites takes bits from 2 to 8, not 9" in found["range"]
    assert "did you mean module?" in found["option"]
    assert found["rival of a built-in"].startswith("Pass kmeans-groups is defined by dgqc and by rival;")
    both = "Pass keep-sensitive-sites is defined by dgqc-keep-sensitive and by other;"
    assert found["rival of ours"].startswith(both)
    assert "is defined by" in found["names with rivals"]


def test_the_page_shows_the_examples_entry_point() -> None:
    page = (ROOT / "docs" / "writing-passes.md").read_text(encoding="utf-8")
    project = (ROOT / "examples" / "custom_pass" / "pyproject.toml").read_text(encoding="utf-8")
    shown = re.search(r"^```toml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert shown.group(1) in project
