"""Python programs in processes of their own that begin with everything imported.

PyTorch and diffusers take ten seconds to import. A server does it once for each worker of pytest and forks a
child for each program; nothing else has happened in it. What is about importing itself starts Python anew.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

IMPORTED = ("diffusers", "dgqc.frontends", "dgqc.compiler.driver", "dgqc.execution.verify")


def run(
    program: str | Path,
    *arguments: str | Path,
    folder: Path | None = None,
    paths: Sequence[str | Path] = (),
    environment: Mapping[str, str] | None = None,
) -> CompletedProcess[str]:
    """What `python program arguments` would do in `folder`.

    program: a file, or Python itself. paths: searched for modules before all others. environment: variables
    beside today's.
    """
    file = program if isinstance(program, Path) else None
    text = file.read_text(encoding="utf-8") if file else str(program)
    words = [str(file or "-c"), *map(str, arguments)]
    further = [str(path) for path in ([file.parent] if file else []) + list(paths)]
    with TemporaryDirectory() as place:
        streams = Path(place, "stdout"), Path(place, "stderr")
        given = (text, words, str(folder or Path.cwd()), further, {**os.environ, **(environment or {})})
        process = _server().Process(target=_run, args=(*given, *map(str, streams)))
        process.start()
        process.join()
        said = [stream.read_text(encoding="utf-8") for stream in streams]
    return CompletedProcess(words, process.exitcode or 0, *said)


def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def _run(
    text: str,
    words: list[str],
    folder: str,
    paths: list[str],
    environment: dict[str, str],
    stdout: str,
    stderr: str,
) -> None:
    """In the child: the program as `__main__`, with its output in files."""
    for number, stream in ((1, stdout), (2, stderr)):
        file = os.open(stream, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    import torch

    gc.freeze()  # what was imported is looked at by no collection, and stays shared with the server
    torch.set_num_threads(1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = paths
    sys.argv[:] = words
    exec(compile(text, words[0], "exec", dont_inherit=True), {"__name__": "__main__", "__file__": words[0]})
