"""Names for what is unfinished, and the removal of what a process left that was killed meanwhile."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT_DAYS = 7
"""How long something unfinished stays whose process can't be asked for, and the graphs of failed passes."""
DAY = 24 * 60 * 60
OWNER = re.compile(r"-(?P<host>[\w.]+)-(?P<process>\d+)-[0-9a-f]{8}$")

_ours: set[Path] = set()


def unfinished_name(kind: str) -> str:
    """A name nobody else takes, which says whose it is: the kind, the machine, the process."""
    return f"{kind}-{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def claimed(path: Path) -> Iterator[Path]:
    """Whatever stands at a path with an unfinished name is this process's, and goes when the block ends."""
    _ours.add(path)
    try:
        yield path
    finally:
        remove(path)
        _ours.discard(path)


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """A folder in the system's temporary one. Removes what dead processes left of the same kind, too."""
    kind, base = f"dgqc-{kind}", Path(tempfile.gettempdir())
    remove_leftovers(base, kind)
    with claimed(base / unfinished_name(kind)) as folder:
        folder.mkdir(mode=0o700)
        yield folder


def remove_leftovers(folder: Path, kind: str) -> None:
    """Removes what processes that don't run any more left unfinished in a folder."""
    for path in leftovers(folder, kind):
        remove(path)


def leftovers(folder: Path, kind: str) -> list[Path]:
    """What is unfinished there and nobody will finish, in alphabetical order."""
    found = (path for path in folder.glob(f"{_literal(kind)}-*") if _is_leftover(path, kind))
    return sorted(found)


def remove_old(folder: Path, kind: str) -> None:
    """Removes what is older than a week, whoever made it."""
    for path in folder.glob(f"{_literal(kind)}*"):
        if _days_old(path) > KEPT_DAYS:
            remove(path)


def remove(path: Path) -> None:
    """Removes a file or a folder, where there is one; one that can't be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):  # Another user's, say.
        path.unlink(missing_ok=True)


def _is_leftover(path: Path, kind: str) -> bool:
    owner = OWNER.fullmatch(path.name[len(kind) :])
    if owner is None or path in _ours:
        return False
    if owner["host"] == _host() and os.name == "posix":
        return not _runs(int(owner["process"]))
    return _days_old(path) > KEPT_DAYS


def _runs(process: int) -> bool:
    """Whether another process of that number runs. What is this one's is known by its path."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It runs, and is somebody else's.
        return True
    return True


def _days_old(path: Path) -> float:
    try:
        return (time.time() - path.lstat().st_mtime) / DAY
    except OSError:  # Just removed by somebody else.
        return 0.0


def _host() -> str:
    return re.sub(r"[^\w.]", "_", socket.gethostname()) or "unknown"


def _literal(text: str) -> str:
    """A pattern that matches the text alone."""
    return re.sub(r"([*?[])", r"[\1]", text)
