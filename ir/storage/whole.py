"""Files and folders that are written whole or not at all, whatever stops the writer.

Both are written beside their place, brought to the disk, and then take their place in one step. They have
the rights that the user's umask gives to new files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DgqcError
from .exchange import exchange
from .leftovers import claimed, leftovers, remove_leftovers, unfinished_name

NO_SPACE = os.strerror(errno.ENOSPC)
FILE_RIGHTS, EXECUTABLE = 0o666, 0o111


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Gives the path of an empty file to write into, which becomes `target` when the block ends.

    Makes the folder it lies in. When the block fails or is interrupted, what stood at `target` stays.
    Raises DgqcError when the disk is full, or the place is a folder or can't be written to.
    """
    if target.is_dir():
        raise DgqcError(f"{target} is a folder; give the name of a file.")
    with _said(target, "file"):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent, _kind(target, "partial"))
        with claimed(target.parent / unfinished_name(_kind(target, "partial"))) as partial:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_RIGHTS))
            rights = partial.stat().st_mode
            yield partial
            # Some writers replace the file by one of their own.
            partial.chmod(rights & 0o777)
            _sync(partial)
            os.replace(partial, target)
            _sync(target.parent)


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a file whole. Raises DgqcError as `whole_file` does."""
    with whole_file(target) as partial:
        partial.write_bytes(content)


def write_text(target: Path, text: str) -> None:
    """Writes a text file whole, in UTF-8. Raises DgqcError as `whole_file` does."""
    write_bytes(target, text.encode("utf-8"))


@contextmanager
def whole_folder(target: Path, may_replace: Callable[[Path], None]) -> Iterator[Path]:
    """Gives an empty folder beside `target` to write into, which becomes `target` when the block ends.

    may_replace: raises DgqcError when an existing, non-empty `target` must not be replaced.
    When the block fails or is interrupted, nothing is left behind and an existing `target` stays as it was.
    Raises DgqcError when the disk is full or the place can't be written to.
    """
    with _said(target, "folder"):
        recover(target)
        refuse_foreign(target, may_replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent, _kind(target, "partial"))
        with claimed(target.parent / unfinished_name(_kind(target, "partial"))) as partial:
            partial.mkdir()
            yield partial
            _finish(partial)
            _put_in_place(partial, target)
            _sync(target.parent)


def refuse_foreign(target: Path, may_replace: Callable[[Path], None]) -> None:
    """Raises DgqcError when something stands at `target` that must not be replaced; to be asked early."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DgqcError(f"{target} exists and is not a folder; choose another output folder.")
    if target.is_dir() and any(target.iterdir()):
        may_replace(target)


def recover(target: Path) -> None:
    """Brings back a folder whose replacement was killed between its two steps; removes other old ones.

    Only where the system can't exchange two folders are there two steps.
    """
    for old in leftovers(target.parent, _kind(target, "old")):
        if not target.exists():
            with suppress(OSError):  # On a medium that can't be written to nothing is recovered.
                os.rename(old, target)
    remove_leftovers(target.parent, _kind(target, "old"))


def _put_in_place(partial: Path, target: Path) -> None:
    if not target.exists():
        os.rename(partial, target)
        return
    if exchange(partial, target):
        return  # The old one stands at `partial` now, and goes with it.
    with claimed(target.parent / unfinished_name(_kind(target, "old"))) as old:
        os.rename(target, old)
        try:
            os.rename(partial, target)
        except BaseException:
            os.rename(old, target)
            raise


def _finish(folder: Path) -> None:
    """Files get the rights that the folder has, and everything goes to the disk."""
    rights = folder.stat().st_mode
    for path, _, names in os.walk(folder, topdown=False):
        for file in (Path(path, name) for name in names):
            executable = file.stat().st_mode & EXECUTABLE
            file.chmod(rights & (FILE_RIGHTS | EXECUTABLE if executable else FILE_RIGHTS))
            _sync(file)
        _sync(Path(path))


def _sync(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk."""
    if path.is_dir() and os.name != "posix":
        return  # Windows opens no folders.
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # A file system that can't.
            raise
    finally:
        os.close(handle)


def _kind(target: Path, state: str) -> str:
    return f".{target.name}.{state}"


@contextmanager
def _said(target: Path, what: str) -> Iterator[None]:
    """Turns the system's errors into sentences."""
    try:
        yield
    except Exception as error:
        # Safetensors and torch wrap the system's error in types of their own.
        if isinstance(error, OSError) or NO_SPACE in str(error):
            reason = getattr(error, "strerror", None) or (NO_SPACE if NO_SPACE in str(error) else str(error))
            raise DgqcError(
                f"{target} can't be written: {reason}; nothing was left behind, so free some space or choose "
                f"another {what}."
            ) from error
        raise
