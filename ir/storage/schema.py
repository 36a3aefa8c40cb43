"""What a file must hold, said once as a type; a library compares."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..errors import DgqcError, one_line


class Record(BaseModel):
    """A JSON object with exactly these keys, whose values have exactly these types; 1 is no true or "1"."""

    # Older releases of pydantic warn of any field that is called model_something.
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


LARGEST_SIZE = 2**24
"""Of one axis of a tensor: the pixels of a row, the tokens of a prompt, the classes of a model."""
Size = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]
AxisSizes = Annotated[list[Size], Field(max_length=16)]
NamedShape = Annotated[tuple[Annotated[str, Field(max_length=1000)], AxisSizes], Field(strict=False)]
"""JSON has lists where Python has tuples."""
Bytes = Annotated[int, Field(ge=0, le=2**48)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=100_000)]
JSON = JsonValue
"""Whatever JSON can hold; its depth and its numbers have limits of their own (`json_text.py`)."""


class ScheduleRecord(Record):
    """A schedule's `to_json`."""

    scheduler: Text
    timesteps: Annotated[list[float], Field(min_length=1, max_length=100_000)]
    origin: Text = ""


AnyRecord = TypeVar("AnyRecord", bound=Record)


def checked(kind: type[AnyRecord], value: Any, what: str, remedy: str) -> AnyRecord:
    """The value as a record.

    what: the file. remedy: how the message ends. Raises DgqcError naming the first place that is wrong.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        place = one_line(".".join(str(part) for part in first["loc"]), 120) or "the whole"
        raise DgqcError(
            f"{what} is not what it should be: {place}: {message} ({error.error_count()} such places); "
            f"{remedy}."
        ) from error
