"""Ops of other packages. An entry point of the group `dgqc.ops` names a module that defines ops and registers
their records, rules, lowerings and kernels when it is imported (docs/adding-an-op.md)."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.metadata import EntryPoint

from ..entry_points import offered, package_of

ENTRY_POINT_GROUP = "dgqc.ops"

log = logging.getLogger("dgqc")


def import_packages() -> None:
    """Imports the modules that installed packages offer. One that can't be imported is reported and left out,
    since it may have nothing to do with the program at hand."""
    for point in offered(ENTRY_POINT_GROUP):
        _load(point)


@lru_cache(maxsize=256)
def _load(point: EntryPoint) -> None:
    try:
        point.load()
    except Exception as error:  # anything may go wrong in a module of others
        log.warning(
            "The ops of the package %s can't be loaded from %s (%s); repair or reinstall the package.",
            package_of(point),
            point.value,
            error,
        )
