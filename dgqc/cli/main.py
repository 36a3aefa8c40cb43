"""The command `dgqc`: exit code 0 for done, 1 for a failed check, 2 for wrong input, never a traceback."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

try:
    import resource
except ImportError:  # Windows has no such limits.
    resource = None  # type: ignore[assignment]

from ..ir.errors import DgqcError
from ..ir.ranks import LostOthers, joined, rank, ranks
from . import build as command_build
from . import compare as command_compare
from . import difference as command_difference
from . import draw as command_draw
from . import inspect as command_inspect
from . import passes as command_passes
from . import targets as command_targets
from .console import LIBRARIES, quiet_libraries, ready_streams, result
from .display import say
from .loudness import with_loudness
from .neighbours import broken_neighbour

DONE, WRONG_INPUT, INTERRUPTED = 0, 2, 130
TRACEBACK = "DGQC_TRACEBACK"
"""Set it to 1 to see where an error came from."""
SHARED = ("compile", "calibrate", "compare")
"""Commands that several processes can share."""
LEAST_MEMORY = 1400 * 2**20
"""Bytes of address space, for PyTorch and diffusers with their threads."""


def show_version(asked: bool) -> None:
    """What `--version` does."""
    if asked:
        result(f"dgqc {importlib.metadata.version('dgqc')}")
        raise typer.Exit


app = typer.Typer(
    name="dgqc",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


ShowVersion = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
]


@app.callback()
def options(context: typer.Context, version: ShowVersion = False) -> None:
    """Compile diffusion UNets into integers."""
    check_memory_limit()
    if ranks() > 1 and context.invoked_subcommand not in SHARED:
        raise DgqcError(
            f"dgqc {context.invoked_subcommand} is work for one process; start it without torchrun, which "
            f"{', '.join(SHARED[:-1])} and {SHARED[-1]} know."
        )


def check_memory_limit() -> None:
    """Raises DgqcError where this process may not use what PyTorch needs; libraries abort at such a limit."""
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        raise DgqcError(
            f"This process may use {limit >> 20} MiB of memory, but PyTorch alone needs "
            f"{LEAST_MEMORY >> 20}; raise the limit (ulimit -v)."
        )


COMMANDS = (
    command_build,
    command_compare,
    command_draw,
    command_inspect,
    command_difference,
    command_passes,
    command_targets,
)
for commands in COMMANDS:
    commands.register(app)
for registered in app.registered_commands:
    assert registered.callback is not None
    registered.callback = with_loudness(registered.callback, LIBRARIES)


def main() -> None:
    """Entry point of the console script."""
    # Before PyTorch is there: pages of 2 MB, so that each large activation isn't thousands of faults.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and gives its exit code."""
    quiet_libraries()
    ready_streams()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with joined():
                return _ended(arguments)
        except DgqcError as error:
            say(f"dgqc: {sentence(error)}")
            return WRONG_INPUT


def _ended(arguments: Sequence[str]) -> int:
    """The exit code, once the command is done or has said why it can't be."""
    try:
        command = typer.main.get_command(app)
        code = command.main(list(arguments) or ["--help"], "dgqc", standalone_mode=False)
        if code == INTERRUPTED:
            say("dgqc: interrupted; nothing half-written was left behind.")
        return int(code or DONE)
    except BrokenPipeError:
        # Whoever read the output has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get(TRACEBACK) == "1":
            raise
        # What all processes refuse alike, the first says.
        if not rank() or not isinstance(error, DgqcError) or isinstance(error, LostOthers):
            say(f"dgqc: {sentence(error)}")
        return WRONG_INPUT


def sentence(error: Exception) -> str:
    """What to tell the user about an error."""
    if isinstance(error, DgqcError):
        return str(error)
    if hasattr(error, "format_message"):
        message = error.format_message()
        message = message.replace("Value error, ", "")  # pydantic's, of a choice
        where = getattr(getattr(error, "ctx", None), "command_path", "dgqc")
        return f"{message}{'' if message.endswith(('.', '?')) else '.'} See {where} --help."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"No space is left on the disk for {error.filename or 'the output'}; free some and try again."
    if isinstance(error, OSError) and error.strerror:
        where = error.filename or "A file"
        return f"{where} can't be used: {error.strerror}; check the path and its permissions."
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "The machine has too little memory for this; give fewer --samples, or use a larger machine."
    if broken := broken_neighbour(error):
        return broken
    detail = (str(error).strip().splitlines() or [""])[0]
    return (
        f"Internal error, {type(error).__name__}: {detail}; please report it with the output of the same "
        f"command under {TRACEBACK}=1."
    )


if __name__ == "__main__":
    main()
