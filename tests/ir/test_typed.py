"""Arguments are checked by what their annotations say, and a wrong one is refused by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import pytest
import torch

from dgqc.ir.errors import DgqcError
from dgqc.ir.typed import WrongArguments, typed

if TYPE_CHECKING:
    from decimal import Decimal


@typed
def taken(
    count: int = 0,
    scale: float | None = None,
    name: str = "",
    place: str | Path = ".",
    places: str | Path | Sequence[str | Path] = (),
    told: bool = False,
    ids: tuple[int, ...] = (),
    noise: torch.Tensor | None = None,
    inputs: Mapping[str, torch.Tensor] | None = None,
    say: Callable[[str], None] | None = None,
    later: Later | None = None,
    unknown: Decimal | None = None,
    **others: Any,
) -> None:
    """Takes all that it is given."""


class Later:
    """Defined below what takes it."""


@pytest.mark.parametrize(
    "good",
    [
        {"count": numpy.int64(3), "scale": 3, "name": "x", "place": Path("x"), "told": True},
        {"scale": Fraction(1, 3), "place": "x", "places": ["x", Path("y")], "ids": [1, 2]},
        {"scale": numpy.float32(0.5), "noise": torch.zeros(1), "inputs": {"x": torch.zeros(1)}, "say": print},
        {"later": Later(), "unknown": 3, "others": object(), "place": "caf\udce9"},
    ],
)
def test_what_an_annotation_says_is_taken(good: dict[str, Any]) -> None:
    taken(**good)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": True}, "count is True, but a whole number is needed."),
        ({"count": 1.0}, "count is 1.0, but a whole number is needed."),
        ({"count": None}, "count is None, but a whole number is needed."),
        ({"scale": float("nan")}, "scale is nan, but a finite number is needed."),
        ({"scale": 10**400}, "scale is of type int, but a finite number is needed."),
        ({"name": b"x"}, "name is b'x', but a text is needed."),
        ({"place": 3}, "place is 3, but a path is needed."),
        ({"place": "a\0b"}, r"place is 'a\x00b', but a path is needed."),
        ({"place": "\ud800"}, r"place is '\ud800', but a path is needed."),
        ({"places": 3}, "places is 3, but a path or a list of paths is needed."),
        ({"places": [3]}, "places is [3], but a path or a list of paths is needed."),
        ({"told": 1}, "told is 1, but True or False is needed."),
        ({"ids": "12"}, "ids is '12', but a list of whole numbers is needed."),
        ({"noise": numpy.zeros(2)}, "noise is of type ndarray, but a Tensor is needed."),
        ({"inputs": {3: torch.zeros(1)}}, "inputs is {3: tensor([0.])}, but a dictionary is needed."),
        ({"inputs": {"x": 3}}, "inputs is {'x': 3}, but a dictionary is needed."),
        ({"say": "x"}, "say is 'x', but a function is needed."),
        ({"later": 3}, "later is 3, but a Later is needed."),
    ],
)
def test_anything_else_is_refused_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError) as caught:
        taken(**wrong)
    assert str(caught.value) == message


def test_an_argument_too_many_is_refused_with_those_that_there_are() -> None:
    @typed
    class Pair:
        def __init__(self, left: int, right: int = 0) -> None:
            self.both = (left, right)

        def at(self, place: int) -> int:
            return self.both[place]

    assert Pair(1, right=2).at(1) == 2
    for call in (lambda: Pair(), lambda: Pair(1, 2, 3), lambda: Pair(1, middle=2)):  # type: ignore[call-arg]
        with pytest.raises(WrongArguments, match=r"These arguments can't be taken .* give left, right\."):
            call()
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'middle'.*; give place"):
        Pair(1).at(place=0, middle=2)  # type: ignore[call-arg]
    assert list(inspect.signature(Pair).parameters) == ["left", "right"]
