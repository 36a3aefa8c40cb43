"""A bundle depends on inputs, options and versions, and on nothing else that a machine differs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
SCRIPT = """
import sys
import torch
torch.set_num_threads(int(sys.argv[2]))
import architectures
import dgqc
program = dgqc.compile(architectures.unconditional(), "w4a6", steps=3, samples=2, batch_size=1)
assert torch.get_num_threads() == int(sys.argv[2])
program.save(sys.argv[1])
"""


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def compiled(place: Path, threads: int, **environment: str) -> dict[str, bytes]:
    """The files of a bundle that a process of its own compiles, with nothing in its caches."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    caches = {"DGQC_CACHE": str(place / "cache"), "XDG_CACHE_HOME": str(place / "cache")}
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(place / "bundle"), str(threads)],
        env={**os.environ, "PYTHONPATH": path, **caches, **environment},
        check=True,
        capture_output=True,
    )
    return files_of(place / "bundle")


def test_threads_hash_seed_time_zone_and_locale_change_no_byte(tmp_path: Path) -> None:
    first = compiled(tmp_path / "first", 1, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    second = compiled(tmp_path / "second", 2, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert [name for name in first if first[name] != second.get(name)] == []
    assert first.keys() == second.keys()
