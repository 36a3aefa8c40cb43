"""`--print-ir-after` and `--timing` for the passes of the MLIR pipeline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from torch_mlir import ir

    from ..passes.manager.instruments import Timing

ELIDED = 32
"""Constants of more elements are left out of what is printed."""


class MlirWatch:
    """Told each pass and the module it left; prints some and notes how long each took."""

    def __init__(self, printed: list[str], stream: TextIO, clock: Timing) -> None:
        """printed: names of passes, or "all"."""
        self._printed, self._stream, self._clock = printed, stream, clock
        self._last = time.perf_counter()

    def __call__(self, name: str, module: ir.Module) -> None:
        now = time.perf_counter()
        self._clock.seconds.append((name, now - self._last))
        if name in self._printed or "all" in self._printed:
            text = module.operation.get_asm(
                large_elements_limit=ELIDED, large_resource_limit=ELIDED, use_name_loc_as_prefix=True
            )
            self._stream.write(f"// after {name}\n{text}\n")
        self._last = time.perf_counter()
