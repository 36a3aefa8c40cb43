"""What `dgqc verify` finds of a bundle: of its program, and of each of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..bundle.bundle import PARTS
from ..bundle.shipped import Shipped, compare_shipped
from ..execution.compiled_program import CompiledProgram
from ..execution.verify import Verification, verify
from ..execution.verify_picture import PictureComparison, verify_picture
from .console import result


@dataclass(frozen=True)
class Verified:
    """outcome: of comparing backends. shipped: of comparing files. parts: the same of each part, by name.

    picture: of a prompt, drawn by all of them together; None where they draw none.
    """

    outcome: Verification
    shipped: Shipped
    parts: Mapping[str, Verified]
    picture: PictureComparison | None = None

    @property
    def all_right(self) -> bool:
        """Whether all backends agree, and every file is what dgqc writes."""
        drawn = self.picture is None or self.picture.difference is None
        own = self.outcome.bit_exact and drawn and not self.shipped.altered
        return own and all(part.all_right for part in self.parts.values())

    def to_json(self) -> dict[str, Any]:
        own = {**self.outcome.to_json(), "projects": asdict(self.shipped)}
        if self.picture is not None:
            own["picture"] = self.picture.to_json()
        parts = {name: part.to_json() for name, part in self.parts.items()}
        return {**own, "parts": parts} if parts else own


def verified(bundle: Path, compiled: CompiledProgram, **how: Any) -> Verified:
    """Compares a bundle's programs. how: as `verify` takes it."""
    parts = {name: verified(bundle / PARTS / name, part, **how) for name, part in compiled.parts.items()}
    programs = {name: part.program for name, part in compiled.parts.items()}
    outcome, shipped = verify(compiled, **how), compare_shipped(bundle, compiled.program, programs)
    picture = verify_picture(compiled, outcome.backends, how.get("seed", 0)) if parts else None
    return Verified(outcome, shipped, parts, picture)


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
    outcome, shipped = found.outcome, found.shipped
    for name, reason in outcome.skipped.items():
        yield f"Skipped {name}: {reason}."
    names = " and ".join(outcome.backends)
    if outcome.difference is None:
        drawn = " and in a whole drawing" if outcome.drawing else ""
        calls = f"{len(outcome.steps)} calls{drawn}"
        yield f"{names} agree on all {outcome.elements} output elements at {calls}."
    else:
        yield f"{names} differ. {outcome.difference.sentence()}"
    for name, reason in shipped.skipped.items():
        yield f"{name}/ was not compared: {reason}."
    for sentence in shipped.altered.values():
        yield f"{sentence}; don't build it, or compile the model again."
    if shipped.compared and not shipped.altered:
        names = " and ".join(f"{name}/" for name in shipped.compared)
        yield f"Every file in {names} is what dgqc writes for this program."
