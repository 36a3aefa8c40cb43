"""What `dgqc verify` finds of a bundle: of its program, and of each of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..bundle.bundle import PARTS
from ..bundle.shipped import Shipped, compare_shipped
from ..execution.compiled_program import CompiledProgram
from ..execution.sizes import programs_of
from ..execution.verify import Verification, verify
from ..execution.verify_picture import PictureComparison, verify_picture
from .console import result


@dataclass(frozen=True)
class Verified:
    """outcomes: of comparing backends, by the sample's size. shipped: of comparing files. parts: the same
    of each part, by name.

    picture: of a prompt, drawn by all of them together; None where they draw none.
    """

    outcomes: Mapping[str, Verification]
    shipped: Shipped
    parts: Mapping[str, Verified]
    picture: PictureComparison | None = None

    @property
    def all_right(self) -> bool:
        """Whether all backends agree, and every file is what dgqc writes."""
        drawn = self.picture is None or self.picture.difference is None
        own = all(one.bit_exact for one in self.outcomes.values()) and drawn and not self.shipped.altered
        return own and all(part.all_right for part in self.parts.values())

    def to_json(self) -> dict[str, Any]:
        first, *others = self.outcomes
        own = {**self.outcomes[first].to_json(), "projects": asdict(self.shipped)}
        if others:
            own["sizes"] = {size: one.to_json() for size, one in self.outcomes.items()}
            own["bit_exact"] = all(one.bit_exact for one in self.outcomes.values())
        if self.picture is not None:
            own["picture"] = self.picture.to_json()
        parts = {name: part.to_json() for name, part in self.parts.items()}
        return {**own, "parts": parts} if parts else own


def verified(bundle: Path, compiled: CompiledProgram, size: str | None = None, **how: Any) -> Verified:
    """Compares a bundle's programs. size: of the sample, of those that there are; None takes all.

    how: as `verify` takes it."""
    asked = programs_of(compiled, size)
    parts = {name: verified(bundle / PARTS / name, part, **how) for name, part in compiled.parts.items()}
    programs = {name: part.program for name, part in compiled.parts.items()}
    outcomes = {name: verify(one, **how) for name, one in asked.items()}
    backends = next(iter(outcomes.values())).backends
    shipped = compare_shipped(bundle, compiled.program, programs)
    picture = verify_picture(compiled, backends, how.get("seed", 0)) if parts else None
    return Verified(outcomes, shipped, parts, picture)


def tell(found: Verified) -> None:
    """Says it, the parts' after the UNet's."""
    for sentence in _sentences(found):
        result(sentence)
    for name, part in found.parts.items():
        for sentence in _sentences(part):
            result(f"{name}: {sentence}")
    if found.picture is not None:
        result(found.picture.sentence())


def _sentences(found: Verified) -> Iterator[str]:
    """Of one program."""
    shipped = found.shipped
    for name, reason in next(iter(found.outcomes.values())).skipped.items():
        yield f"Skipped {name}: {reason}."
    for size, outcome in found.outcomes.items():
        at = f"{size}: " if len(found.outcomes) > 1 else ""
        names = " and ".join(outcome.backends)
        if outcome.difference is None:
            drawn = " and in a whole drawing" if outcome.drawing else ""
            calls = f"{len(outcome.steps)} calls{drawn}"
            yield f"{at}{names} agree on all {outcome.elements} output elements at {calls}."
        else:
            yield f"{at}{names} differ. {outcome.difference.sentence()}"
    for name, reason in shipped.skipped.items():
        yield f"{name}/ was not compared: {reason}."
    for sentence in shipped.altered.values():
        yield f"{sentence}; don't build it, or compile the model again."
    if shipped.compared and not shipped.altered:
        names = " and ".join(f"{name}/" for name in shipped.compared)
        yield f"Every file in {names} is what dgqc writes for this program."
