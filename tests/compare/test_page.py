"""The page of a comparison: every row, every picture, and names of strangers stay text."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
from PIL import Image

from dgqc.compare.page import as_page
from dgqc.compare.row import Row
from dgqc.compare.run import DrawnColumns

BAD = "</script><script>alert(1)</script>"


def row(name: str) -> Row:
    return Row(name, "integers", "", (20.0, 21.0), {"conv_in": 30.0, BAD: 12.0}, size_mb=1.5)


def test_rows_and_pictures_are_there() -> None:
    small = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    large = np.zeros((2, 400, 300, 3), dtype=np.uint8)
    drawings = {
        "": DrawnColumns(["a cat", BAD], {"float": small, "w8a8": small}),
        "unseen": DrawnColumns(["x"], {"float": large}),
    }
    text = as_page([row("w8a8"), row(BAD)], drawings, [BAD])
    assert BAD not in text
    kinds = re.findall(r"src='data:image/(png|jpeg);base64,([^']+)'", text)
    assert [kind for kind, _ in kinds] == ["png"] * 4 + ["jpeg"]
    shown = Image.open(BytesIO(base64.b64decode(kinds[2][1])))
    assert np.array_equal(np.asarray(shown), small[1])
    assert Image.open(BytesIO(base64.b64decode(kinds[4][1]))).size == (144, 192)
    titles = (
        "Figures",
        "Signal to noise, call by call",
        "Size and signal to noise",
        "Layers",
        "Pictures, unseen",
    )
    assert all(f"<h2>{title}</h2>" in text for title in titles)
    assert re.findall(r"<(?:script|link)[^>]*(?:src|href)=", text) == []


def test_a_model_that_draws_nothing_has_a_page() -> None:
    assert "<h2>Pictures" not in as_page([row("w8a8")], {})
