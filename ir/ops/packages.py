"""Ops of other packages. An entry point of the group `dgqc.ops` names a module that defines ops and registers
their records, and kernels and lowerings beside them, when it is imported."""

from __future__ import annotations

from ..entry_points import offered

ENTRY_POINT_GROUP = "dgqc.ops"


def import_packages() -> None:
    """Imports all such modules; one that is imported already stays as it is."""
    for point in offered(ENTRY_POINT_GROUP):
        point.load()
