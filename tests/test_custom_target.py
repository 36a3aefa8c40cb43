"""The example target installs and works: its file lies in the bundle, and what it can't do is said."""

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
EXAMPLE = ROOT / "examples" / "graphviz_target"
PROGRAM = """
import contextlib, io, json, sys
from pathlib import Path
import torch
from diffusers import UNet2DModel
# Compiled by IREE and LLVM, too, the program would take half a minute more.
sys.modules["torch_mlir"] = None
from dgqc.backends.registry import find_target, target_names
from dgqc.cli.main import run
from dgqc.ir.errors import DgqcError

folder, rival = Path(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
unet = UNet2DModel(4, 2, 2, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4, **blocks)
unet.save_pretrained(folder / "tiny")

def call(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(one) for one in arguments])
    return [code, out.getvalue(), err.getvalue()]

quick = ("-O", "naive-w8a8", "--steps", 2, "--samples", 1)
answers = {
    "names": target_names(),
    "help": call("compile", "--help"),
    "compiled": call(
        "compile", folder / "tiny", *quick, "--target", "graphviz{constants=true}", "-o", folder / "bundle"
    ),
    "verified": call("verify", folder / "bundle", "--steps-sampled", 1, "--json"),
    "run": call("run", folder / "bundle", "--backend", "graphviz"),
    "misspelt": call("compile", folder / "tiny", *quick, "--target", "graphvis"),
}
sys.path.append(rival)
answers["rival"] = call("compile", folder / "tiny", *quick, "--target", "graphviz")
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example is installed in, as pip does it, offline."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "graphviz_target"
    shutil.copytree(EXAMPLE, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "install", *options, str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder


def rival(folder: Path) -> Path:
    """What pip leaves of another package that defines a target of this name."""
    metadata = folder / "rival-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[dgqc.backends]\ngraphviz = rival:Rival\n")
    return folder


def test_an_installed_package_adds_its_target(installed: Path, tmp_path: Path) -> None:
    done = fresh_python.run(PROGRAM, tmp_path, rival(tmp_path / "rival"), paths=[installed])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "graphviz" in found["names"]
    assert "mlir, graphviz" in " ".join(found["help"][1].split())
    assert found["compiled"][0] == 0, found["compiled"]
    bundle = tmp_path / "bundle"
    dot = (bundle / "graphviz" / "graph.dot").read_text()
    assert re.match(r'digraph \{\n  "sample" \[label="sample"\];', dot)
    assert "dgqc.conv2d.default" in dot
    assert not (bundle / "c").exists()
    assert "graphviz/graph.dot" in json.loads((bundle / "manifest.json").read_text())["files"]
    verified = json.loads(found["verified"][1])
    assert verified["bit_exact"]
    assert verified["skipped"]["graphviz"] == "it emits and runs nothing"
    assert "There is no backend 'graphviz'" in found["run"][2]
    assert "There is no target 'graphvis': did you mean graphviz?" in found["misspelt"][2]
    assert "Target graphviz is defined by dgqc-graphviz and by rival" in found["rival"][2]


def test_the_example_is_small() -> None:
    text = (EXAMPLE / "dgqc_graphviz.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40


def test_the_page_shows_the_examples_entry_point() -> None:
    page = (ROOT / "docs" / "writing-backends.md").read_text(encoding="utf-8")
    shown = re.search(r"^```toml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert shown.group(1) in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
