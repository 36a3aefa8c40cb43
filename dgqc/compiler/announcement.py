"""Before the first pass: what a compile will do and take is said, and refused where there is no room."""

from __future__ import annotations

import logging
from pathlib import Path

from ..ir.devices import device_here, device_name
from ..ir.errors import DgqcError
from ..ir.peak_memory import peak_memory
from ..ir.progress import CHECKING, WRITING, expect
from ..ir.spans import amount
from ..report.foresight import Foresight, Work, foresee
from ..report.machine import free_disk, this_machine
from ..report.work import work_of
from .prepare import Start
from .request import Request

log = logging.getLogger("dgqc")

SURE = 0.75
"""So much of what is foreseen is needed in any case."""


def announce(request: Request, start: Start) -> None:
    """Says what the compile will do, and how long it thinks it takes.

    Raises DgqcError where memory or the disk is too small for it.
    """
    (program,) = start.program
    calls, checked = len(program.schedule), request.check or request.repair
    work = work_of(program, start.costs, request.passes, start.sampling, calls=calls, checked=checked)
    machine = this_machine()
    foreseen = foresee(work, machine)
    log.info(
        "Compiling a %s of %s to %s: %s, calibrated on %s of each, on %s. It takes %s, if the machine stays "
        "as busy as it is.",
        start.provenance.model,
        counted(work),
        request.opt if request.pass_pipeline is None else "passes of your own",
        f"{calls} calls" if calls > 1 else "one call",
        samples(work),
        device_name(device_here()),
        foreseen.sentence(),
    )
    coming = [*(item.name for item in request.passes), *([CHECKING] if checked else ()), WRITING]
    expect(*foreseen.seconds, {name: foreseen.phases[name] for name in coming if name in foreseen.phases})
    check_room(foreseen, machine.memory + peak_memory(), request.output)


def check_room(foreseen: Foresight, memory: int, output: Path | None) -> None:
    """Raises DgqcError for what there is no room for. memory: that is free, or this process has already."""
    if SURE * foreseen.memory > memory:
        raise DgqcError(
            f"Compiling takes about {amount(foreseen.memory)} of memory, and {amount(memory)} can be had; "
            "end other programs or use a larger machine (--look-ahead=off tries all the same)."
        )
    free = None if output is None else free_disk(output)
    if free is not None and SURE * foreseen.disk > free:
        raise DgqcError(
            f"The bundle takes about {amount(foreseen.disk)}, and {amount(free)} are free on the disk of "
            f"{output}; free some or give another place with -o (--look-ahead=off tries all the same)."
        )


def counted(work: Work) -> str:
    """`5.9 M parameters, 0.41 G multiply-adds a call`."""
    return f"{work.weights / 1e6:.3g} M parameters, {work.macs / 1e9:.3g} G multiply-adds a call"


def samples(work: Work) -> str:
    """`16 to 64 samples`."""
    if work.least == work.most:
        return f"{work.least} sample{'s' if work.least > 1 else ''}"
    return f"{work.least} to {work.most} samples"
