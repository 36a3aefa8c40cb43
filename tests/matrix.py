"""The oldest and the newest packages that dgqc allows, each in a fresh environment, with `tests/smoke.py`.

    python tests/matrix.py [NAME ...] [--torch-index URL] [--keep FOLDER]      or make matrix

What is oldest is read from pyproject.toml: each dependency at its lower bound. What is newest is what pip
takes. The wheel is built once. A Python that isn't on the machine is said, and what needs it counts as not
seen; the exit code is 1 where something was seen to fail. Any Python from 3.11 on runs this, with nothing
installed beside it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SMOKE = ROOT / "tests" / "smoke.py"


@dataclass(frozen=True)
class Environment:
    """python: its version; None for the one that runs this, whose torch is then taken too: no download of it.
    oldest: whether each dependency has its lower bound; else pip chooses."""

    name: str
    python: str | None
    oldest: bool


ENVIRONMENTS = (
    Environment("here-oldest", None, True),
    Environment("3.11-oldest", "3.11", True),
    Environment("3.11-newest", "3.11", False),
    Environment("3.12-newest", "3.12", False),
    Environment("3.13-newest", "3.13", False),
)


@dataclass(frozen=True)
class Failed(Exception):
    """What a command said at its end."""

    said: str

    def __str__(self) -> str:
        return self.said


def run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed((done.stdout + done.stderr).strip()[-2000:])
    return done.stdout


def dependencies() -> tuple[str, ...]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tuple(tomllib.load(file)["project"]["dependencies"])


def lowest(requirement: str) -> str:
    """`numpy>=1.26` as `numpy==1.26`. Raises ValueError for one without a lower bound."""
    found = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
    if found is None:
        raise ValueError(f"{requirement} has no lower bound.")
    return f"{found[1]}=={found[2]}"


def highest_torch() -> str:
    (requirement,) = (one for one in dependencies() if one.startswith("torch"))
    return f"torch=={requirement.partition('<=')[2]}"


def interpreter(version: str) -> str | None:
    """Some Python of this version that runs: on the path, or where uv or pyenv keep theirs."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    named = [shutil.which(f"python{version}"), *map(str, kept)]
    if uv := shutil.which("uv"):
        found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        named.append(found.stdout.strip() or None)
    for one in filter(None, named):
        asked = subprocess.run([one, "--version"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and f" {version}." in asked.stdout:
            return one
    return None


def built(folder: Path) -> Path:
    """The wheel of this checkout, by a pip of its own: a system's Python has none. Raises Failed."""
    # What was built before may hold files that are gone.
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    run([sys.executable, "-m", "venv", str(folder / "build")], folder)
    pip = [str(folder / "build" / "bin" / "python"), "-m", "pip"]
    run([*pip, "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(environment: Environment, python: str, wheel: Path, place: Path, index: str | None) -> Path:
    """The environment's own Python, with the wheel and what it needs."""
    run([python, "-m", "venv", str(place / "venv")], place)
    own = place / "venv" / "bin" / "python"
    pip = [str(own), "-m", "pip", "install", "--quiet"]
    if environment.python is None:
        # What this environment has comes after what is installed: torch is found.
        (site,) = (place / "venv").glob("lib/python*/site-packages")
        (site / "here.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    else:
        wanted = lowest(dependencies()[0]) if environment.oldest else highest_torch()
        run([*pip, wanted, *(["--index-url", index] if index else [])], place)
    bounds = [lowest(one) for one in dependencies() if not one.startswith("torch")]
    run([*pip, str(wheel), *(bounds if environment.oldest else ())], place)
    return own


def seen(environment: Environment, wheel: Path, place: Path, index: str | None) -> str | None:
    """What the smoke set says in it; None where there is no such Python. Raises Failed."""
    python = sys.executable if environment.python is None else interpreter(environment.python)
    if python is None:
        return None
    place.mkdir(parents=True)
    own = install(environment, python, wheel, place, index)
    return run([str(own), "-P", str(SMOKE)], place)


def main() -> int:
    names = [one.name for one in ENVIRONMENTS]
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", metavar="NAME", help=f"Of {', '.join(names)}; all but the first.")
    asked.add_argument("--torch-index", help="Where torch comes from: PyTorch's CPU builds, for instance.")
    asked.add_argument("--keep", type=Path, metavar="FOLDER", help="Where the environments stay.")
    given = asked.parse_args()
    if unknown := set(given.names) - set(names):
        asked.error(f"there is no {', '.join(sorted(unknown))}, only {', '.join(names)}")
    chosen = [one for one in ENVIRONMENTS if one.name in (given.names or names[1:])]
    if there := [one.name for one in chosen if given.keep and (given.keep / one.name).exists()]:
        asked.error(f"{given.keep} has {', '.join(there)} already; delete it first")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = built(Path(folder))
        except Failed as error:
            print(f"The wheel: FAILED\n{error}", flush=True)
            return 1
        for environment in chosen:
            place = (given.keep or Path(folder)).absolute() / environment.name
            try:
                said = seen(environment, wheel, place, given.torch_index)
            except Failed as error:
                failed, said = True, f"FAILED\n{error}"
            print(f"{environment.name}: {said or 'not seen, for this Python is not here'}", flush=True)
            if given.keep is None:
                shutil.rmtree(place, ignore_errors=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
