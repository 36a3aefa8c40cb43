"""The step of the previous call, which tells apart calls at a timestep that stands in the schedule twice."""

from __future__ import annotations

import threading


class LastStep(threading.local):
    """Each thread draws pictures of its own, so each has its own previous call; -1 before the first."""

    value: int = -1
