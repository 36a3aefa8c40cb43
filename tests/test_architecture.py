"""The architecture page's picture is the code's."""

from __future__ import annotations

from pathlib import Path

import architecture

DOCS = Path(__file__).parent.parent / "docs"


def test_the_picture_is_what_the_code_looks_like() -> None:
    same = architecture.PICTURE.read_text(encoding="utf-8") == architecture.Picture().draw()
    assert same, "run `python docs/architecture.py`"


def test_every_room_is_in_the_picture() -> None:
    picture = (DOCS / "images" / "architecture.svg").read_text(encoding="utf-8")
    rooms = {path.parent for path in DOCS.parent.glob("*/__init__.py")} - {DOCS.parent / "tests"}
    assert {room.name for room in rooms if f">{room.name}/<" not in picture} == set()
