"""Writes a folder as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..ir.errors import DgqcError

NO_SPACE = os.strerror(errno.ENOSPC)


@contextmanager
def written_whole(target: Path, may_replace: Callable[[Path], None]) -> Iterator[Path]:
    """Gives an empty folder beside `target` to write into, which becomes `target` when the block ends.

    may_replace: raises DgqcError when an existing, non-empty `target` must not be replaced.
    When the block fails or is interrupted, nothing is left behind and an existing `target` stays as it was.
    Raises DgqcError when the disk is full or the place can't be written to.
    """
    refuse_foreign(target, may_replace)
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
        yield partial
        partial.chmod(0o755)
        _put_in_place(partial, target)
    except Exception as error:
        # Safetensors and torch wrap the system's error in types of their own.
        if isinstance(error, OSError) or NO_SPACE in str(error):
            reason = getattr(error, "strerror", None) or (NO_SPACE if NO_SPACE in str(error) else str(error))
            raise DgqcError(
                f"{target} can't be written: {reason}; nothing was left behind, so free some space or choose "
                "another folder."
            ) from error
        raise
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def refuse_foreign(target: Path, may_replace: Callable[[Path], None]) -> None:
    """Raises DgqcError when something stands at `target` that must not be replaced; to be asked early."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DgqcError(f"{target} exists and is not a folder; choose another output folder.")
    if target.is_dir() and any(target.iterdir()):
        may_replace(target)


def _put_in_place(partial: Path, target: Path) -> None:
    if not target.exists():
        os.rename(partial, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    os.rename(target, old / "bundle")
    try:
        os.rename(partial, target)
    except BaseException:
        os.rename(old / "bundle", target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
