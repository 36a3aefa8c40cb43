"""`--headroom`: room is added to ranges right after they are observed, before decisions are made of them."""

from __future__ import annotations

from ..ir.errors import DgqcError
from ..passes.activations.add_headroom import AddHeadroom
from ..passes.base import Pass


def with_headroom(passes: tuple[Pass, ...], headroom: float | None) -> tuple[Pass, ...]:
    """The passes with one that widens what is observed; as they are where none is asked for.

    Raises DgqcError for room that can't be, and where nothing is observed.
    """
    if headroom is None:
        return passes
    try:
        room = AddHeadroom(headroom)
    except ValueError as error:
        raise DgqcError(f"--headroom {headroom} can't be: {error}") from error
    for place, item in enumerate(passes):
        if "observed-ranges" in item.provides:
            return (*passes[: place + 1], room, *passes[place + 1 :])
    raise DgqcError("--headroom widens observed ranges, but this pipeline has no pass that observes any.")
