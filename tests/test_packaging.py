"""What is installed from an sdist, by way of a wheel: everything, and it works outside the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
SMALL = """
import dgqc
from diffusers import UNet2DModel
unet = UNet2DModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8,), norm_num_groups=4, add_attention=False,
    down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",),
)
dgqc.compile(unet, "w4a6g1", steps=2, samples=1, check=False).save("small.dgqc")
dgqc.load("small.dgqc").build()
"""
DATA = (".py", ".jinja", ".c", ".h", ".json", ".safetensors", ".txt", ".typed")
ROOMS = {"dgqc": "dgqc", "frontends": "dgqc/frontends", "ir": "dgqc/ir", "passes": "dgqc/passes"}
ROOMS |= {"backends": "dgqc/backends", "examples/demo_model": "dgqc/demo_model"}


def done(command: list[str], folder: Path, **environment: str) -> str:
    environment = {**os.environ, "PYTHONSAFEPATH": "", **environment}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def needs(package: str) -> list[str]:
    """What an installed package asks for; nothing where it isn't here."""
    try:
        return [one for one in requires(package) or () if "extra ==" not in one]
    except PackageNotFoundError:
        return []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the unpacked sdist, which is built from the files that are committed."""
    place = tmp_path_factory.mktemp("packages")
    done(["git", "clone", "-q", "--depth", "1", ROOT.as_uri(), str(place / "checkout")], ROOT)
    done([sys.executable, "-c", BUILD.format(kind="sdist"), str(place)], place / "checkout")
    (source,) = place.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(place / "source", filter="data")
    (unpacked,) = (place / "source").iterdir()
    done([sys.executable, "-c", BUILD.format(kind="wheel"), str(place)], unpacked)
    (found,) = place.glob("*.whl")
    return found


def test_no_extra_brings_a_torchvision_that_breaks_diffusers() -> None:
    """These ask for one without saying which."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    named = {re.split(r"[^\w-]", one)[0].replace("_", "-") for one in wanted}
    assert not named & {"torchvision", "torchaudio", "torch-fidelity", "open-clip-torch", "timm", "lpips"}
    assert [one for one in named if any(needed.startswith("torchvision") for needed in needs(one))] == []


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_code(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    listed = done(["git", "ls-files", *ROOMS], ROOT).split()
    wanted = {
        f"{ROOMS[room]}/{path.removeprefix(f'{room}/')}"
        for path in listed
        for room in ROOMS
        if path.startswith(f"{room}/") and path.endswith(DATA)
    }
    assert wanted - held == set()


@pytest.mark.slow
def test_it_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    done(pip, tmp_path)
    script = "import dgqc, sys; from dgqc.cli.main import run; sys.exit(run(sys.argv[1:]))"
    installed = {"PYTHONPATH": str(target)}
    where = done([sys.executable, "-c", "import dgqc; print(dgqc.__file__)"], tmp_path, **installed)
    assert where.startswith(str(target))
    pipeline = target / "dgqc" / "demo_model" / "pipeline"
    checked = done([sys.executable, "-c", script, "check", str(pipeline)], tmp_path, **installed)
    assert "UNet2DConditionModel" in checked
    done([sys.executable, "-c", SMALL], tmp_path, **installed)
    assert (tmp_path / "small.dgqc" / "c" / "src" / "dgqc_conv2d.c").is_file()


@pytest.mark.slow
def test_any_python_tries_the_matrix(tmp_path: Path) -> None:
    """Debian's own Python has no pip. Where nothing else is on the path, 3.12 and 3.13 aren't here."""
    done([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], tmp_path)
    bare = str(tmp_path / "bare" / "bin" / "python")
    names = ["3.12-newest", "3.13-newest"]
    said = done([bare, str(ROOT / "tests" / "matrix.py"), *names], tmp_path, PATH="", HOME=str(tmp_path))
    assert said.splitlines() == [f"{name}: not seen, for this Python is not here" for name in names]
