"""Where float work is computed: on the CPU, or on an accelerator that torch has.

What is computed with, a weight or a batch of values, is moved there when it is needed, and what is found
comes back: plans, files and integers are the CPU's. Functions compute where their tensors lie; who chooses is
here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import torch

from .errors import DgqcError

CPU = torch.device("cpu")
LOCAL_RANK = "LOCAL_RANK"
"""Of torchrun: which of a machine's processes this is."""
WITHOUT_DOUBLES = ("mps",)
"""Kinds of devices without double precision, which moments of inputs are computed in."""

_device: ContextVar[torch.device | None] = ContextVar("dgqc_device", default=None)
"""None where nobody has chosen one."""


def device_here() -> torch.device:
    """Where float work is computed by now: the CPU, unless somebody has chosen another."""
    return _device.get() or CPU


def device_for(asked: str | None = None) -> torch.device:
    """The device that is asked for, as torch names them: cpu, cuda, cuda:1. None takes the accelerator that
    torch has, or the CPU.

    One without a number is this process's own: torchrun's processes on a machine take turns with its devices.
    Raises DgqcError for one that isn't there, or can't do the work.
    """
    found = torch.accelerator.current_accelerator(check_available=True)
    if asked is None:
        usable = found is not None and found.type not in WITHOUT_DOUBLES
        return _numbered(found.type) if usable and found is not None else CPU
    try:
        wanted = torch.device(asked)
    except RuntimeError:
        raise DgqcError(f"There is no device {asked!r}; torch has {_names(found)} here.") from None
    if wanted.type == CPU.type:
        return CPU
    if found is None or wanted.type != found.type or (wanted.index or 0) >= torch.accelerator.device_count():
        raise DgqcError(f"There is no device {asked} here; torch has {_names(found)}.")
    if wanted.type in WITHOUT_DOUBLES:
        raise DgqcError(
            f"A device {wanted.type} has no double precision, which calibrating takes; give --device cpu."
        )
    return _numbered(wanted.type) if wanted.index is None else wanted


@contextmanager
def computing_on(asked: str | None = None) -> Iterator[torch.device]:
    """Float work is computed on a device until the block ends, and the same way each time.

    asked: as `device_for` takes it; None leaves a choice that was made before.
    Raises DgqcError as `device_for` does, and where the device's memory is too small for the work.
    """
    device = (_device.get() if asked is None else None) or device_for(asked)
    token = _device.set(device)
    try:
        with _repeatable(device):
            yield device
    except Exception as error:
        if not any(isinstance(one, torch.OutOfMemoryError) for one in _causes(error)):
            raise
        raise DgqcError(
            f"The memory of {device_name(device)} is too small for this; compute on the CPU (--device cpu), "
            "or with fewer samples at a time (--batch-size)."
        ) from error
    finally:
        _device.reset(token)


def free_bytes(device: torch.device) -> int | None:
    """Of an accelerator's memory, what may still be taken; None of the CPU's, which the system knows."""
    if device.type == CPU.type:
        return None
    free, _ = torch.get_device_module(device).mem_get_info(device)
    return int(free)


def device_name(device: torch.device) -> str:
    """`the CPU`, or `cuda:0 (NVIDIA H200)`."""
    return "the CPU" if device.type == CPU.type else f"{device} ({_model(device)})"


def kinds(device: torch.device) -> tuple[str, ...]:
    """What numbers depend on beside what they are computed from, for keys of caches and for reports: `cuda
    (NVIDIA H200)`, since devices of a kind compute alike. None of the CPU's."""
    return () if device.type == CPU.type else (f"{device.type} ({_model(device)})",)


def backends() -> str:
    """What processes tell each other by, as `init_process_group` takes it: gloo for what lies in the CPU's
    memory, and beside it the accelerator's own, where torch has both."""
    import torch.distributed as distributed

    device = device_for()
    if device.type == CPU.type:
        return "gloo"
    own = distributed.get_default_backend_for_device(device.type)
    return f"cpu:gloo,{device.type}:{own}" if distributed.is_backend_available(own) else "gloo"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__


def _model(device: torch.device) -> str:
    return str(torch.get_device_module(device).get_device_name(device))


def _numbered(kind: str) -> torch.device:
    """This process's own of the machine's devices."""
    try:
        turn = int(os.environ.get(LOCAL_RANK, "0"))
    except ValueError:
        turn = 0
    return torch.device(kind, turn % torch.accelerator.device_count())


def _names(found: torch.device | None) -> str:
    """`cpu and cuda:0 to cuda:7`."""
    if found is None:
        return "only cpu"
    count = torch.accelerator.device_count()
    last = f" to {found.type}:{count - 1}" if count > 1 else ""
    return f"cpu and {found.type}:0{last}"


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On an accelerator products keep all bits of single precision, and convolutions are computed the same
    way each time; on the CPU nothing changes."""
    with ExitStack() as before:
        if device.type != CPU.type:
            precision = torch.get_float32_matmul_precision()
            before.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("highest")
            how = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}
            before.enter_context(torch.backends.cudnn.flags(**how))
        yield
