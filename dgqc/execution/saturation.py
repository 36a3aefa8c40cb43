"""Inputs beyond what calibration saw: counted, and said once."""

from __future__ import annotations

import logging
from collections import Counter

log = logging.getLogger("dgqc")


class Saturation:
    """counted: how many values of each input 16 bits could not hold so far."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._told = False

    def tell(self) -> None:
        """Warns where there are any, the first time."""
        if self._told or not self.counted.total():
            return
        self._told = True
        (name, count), *_ = self.counted.most_common(1)
        log.warning(
            "%d values of the input %s lie beyond what calibration saw and are clipped; calibrate with such "
            "inputs, or compile with more --headroom. Said once; the program's `saturated` counts on.",
            count,
            name,
        )
