"""On what a compile computes, and whether there is room for it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from .option import option


@dataclass(frozen=True)
class MachineOptions:
    """What a request asks of the machine."""

    _: KW_ONLY
    device: str | None = field(
        default=None,
        metadata=option(
            "--device",
            "What calibrates and rounds: cpu, cuda, cuda:1; else the accelerator that torch has.",
            metavar="DEVICE",
            python="Integers are the CPU's in any case. Sums of other devices round otherwise than a CPU's.",
            recorded=False,  # the report has what it was
        ),
    )
    look_ahead: bool = field(
        default=True,
        metadata=option("--look-ahead", "Say what it takes; refuse without room.", kind=bool, recorded=False),
    )

    def check_device(self) -> None:
        """Raises DgqcError for a device that isn't there. Where none is asked for, torch isn't either."""
        if self.device is None:
            return
        from ..ir.devices import device_for

        device_for(self.device)
