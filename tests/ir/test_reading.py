"""What comes from outside meets limits first; every message is one line of bounded length."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from dgqc.backends.c.execution.build import read_signature
from dgqc.backends.mlir.emission.interface import read_interface
from dgqc.ir.errors import LONGEST_MESSAGE, DgqcError, reason
from dgqc.ir.reading import reading
from dgqc.ir.storage.json_text import parse_json, read_json_object


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * 500 + "]" * 500, "nested more than 100 deep"),
        ("9" * 5000, "a number of 5000 digits"),
        ("1e999", "out of range"),
        ("0." + "1" * 5000, "out of range"),
        ("NaN", "NaN is no JSON"),
        ('{"a": -Infinity}', "-Infinity is no JSON"),
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' twice"),
        ('"\\ud800"', "surrogates not allowed"),
        ('{"\\ud800": 1}', "surrogates not allowed"),
        ("{", "Expecting"),
        ("", "Expecting"),
        (b"\xff\xfe{}", "can't decode"),
    ],
)
def test_json_beyond_the_limits(text: str | bytes, message: str) -> None:
    with pytest.raises(DgqcError, match=message) as caught:
        parse_json(text, "config.json")
    assert str(caught.value).startswith("config.json is not valid JSON (")
    assert len(str(caught.value)) < 400


def test_json_within_them() -> None:
    assert parse_json('[1, -2.5e-3, {"a": null}, "\\u00e9"]', "x") == [1, -2.5e-3, {"a": None}, "é"]


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json_object(tmp_path / "config.json") == {"a": 1}
    with pytest.raises(DgqcError, match="can't be read"):
        read_json_object(tmp_path)


def test_messages_are_short_and_printable() -> None:
    message = str(DgqcError(f"The file holds {'x' * 100_000}\n\x1b[31m and more."))
    assert len(message) <= LONGEST_MESSAGE
    assert message.startswith("The file holds xxx")
    assert message.endswith("x \\x1b[31m and more.")
    assert str(DgqcError("One line.", "  its\n  detail")) == "One line.\n  its\n  detail"
    for error in (copy.copy(DgqcError("a", "b")), pickle.loads(pickle.dumps(DgqcError("a", "b")))):
        assert str(error) == "a\nb"


@pytest.mark.parametrize(
    "error", [KeyError("a"), RecursionError(), MemoryError(), ValueError("\n\nwhy.\nmore")]
)
def test_what_is_left_becomes_a_sentence(error: Exception) -> None:
    with (
        pytest.raises(DgqcError, match=r"^x\.pt can't be read \(.*\w\)?\); save it again\.$") as caught,
        reading("x.pt", "save it again"),
    ):
        raise error
    assert "\n" not in str(caught.value)


def test_reasons_are_single_sentences() -> None:
    assert reason(ValueError("Shapes differ.\nfull text")) == "Shapes differ"
    assert reason(ValueError()) == "ValueError"


def test_an_interface_that_is_damaged_is_told(tmp_path: Path) -> None:
    for text in ("", "[]", '{"inputs": 3}', "[" * 9999):
        (tmp_path / "interface.json").write_text(text)
        for read in (read_signature, read_interface):
            with pytest.raises(DgqcError, match=r"interface\.json .*"):
                read(tmp_path)
