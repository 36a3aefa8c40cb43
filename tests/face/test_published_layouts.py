"""Published checkpoints' layouts, from the file to pictures beside the float pipeline's."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("gguf")

import published_layouts

LEAST = 12.0
"""Decibels about the pictures' mean."""


@pytest.mark.slow
@pytest.mark.parametrize("name", published_layouts.LAYOUTS)
def test_pictures_are_nearly_those_of_float(name: str, tmp_path: Path) -> None:
    assert published_layouts.beside_float(name, tmp_path) > LEAST


def test_a_dozen() -> None:
    assert len(published_layouts.LAYOUTS) >= 12
