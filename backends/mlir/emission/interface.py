"""What a caller of an emitted module must know; `interface.json` holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator

from ....ir.caching import ALL_FULL, CallKinds
from ....ir.errors import DgqcError
from ....ir.reading import reading
from ....ir.storage.json_text import parse_json
from ....ir.storage.schema import AxisSizes, NamedShape, Record, Text, checked
from ...checked_input import checked_input

MODULE, PARAMETERS, INTERFACE = "model.mlir", "model.safetensors", "interface.json"

SHALLOW = "shallow"
"""The folder of shallow calls in that of the full ones."""


Calls = Annotated[list[int], Field(max_length=100_000)]


class CallsRecord(Record):
    """A `CallKinds`."""

    sources: Calls
    two: bool
    amends: Calls


class InterfaceRecord(Record):
    """What `interface.json` holds."""

    function: Text
    inputs: Annotated[list[NamedShape], Field(max_length=64)]
    output: AxisSizes
    steps: Annotated[int, Field(ge=1)]
    parameters: Literal["model.safetensors"] | None
    kept: AxisSizes | None = None
    calls: CallsRecord | None = None

    @model_validator(mode="after")
    def _has_all_calls(self) -> InterfaceRecord:
        calls = self.calls
        if calls and not (len(calls.sources) == self.steps and len(calls.amends) in (0, self.steps)):
            raise ValueError(f"calls are not {self.steps}")
        return self


@dataclass(frozen=True)
class Interface:
    """The function's name and signature: @function(inputs..., step) -> output.

    inputs: name and shape of each, int16. The step is an int64 of rank 0, from 0 to steps - 1.
    output: shape, int16. parameters: the parameter file's name, where there is one. kept: shape of a second
        result, int16, which full calls leave for shallow ones. calls: which are full, where that is so.
    """

    function: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    output: tuple[int, ...]
    steps: int
    parameters: str | None = None
    kept: tuple[int, ...] | None = None
    calls: CallKinds = ALL_FULL

    def record(self) -> dict[str, Any]:
        """What `interface.json` holds."""
        written = asdict(self)
        if self.kept is None:
            del written["kept"], written["calls"]
        return written

    def to_json(self) -> str:
        return json.dumps(self.record(), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Interface:
        """Raises DgqcError where it isn't what `to_json` writes."""
        found = checked(InterfaceRecord, parse_json(text, INTERFACE), INTERFACE, "emit the program again")
        inputs = tuple((name, tuple(shape)) for name, shape in found.inputs)
        kept = None if found.kept is None else tuple(found.kept)
        signature = (found.function, inputs, tuple(found.output), found.steps, found.parameters, kept)
        if (calls := found.calls) is None:
            return Interface(*signature)
        return Interface(*signature, CallKinds(tuple(calls.sources), calls.two, tuple(calls.amends)))

    def with_parameters(self) -> Interface:
        """Of a program whose constants lie in a file of their own."""
        return replace(self, parameters=PARAMETERS)

    def with_calls(self, calls: CallKinds) -> Interface:
        """Of the full calls of a program."""
        return replace(self, calls=calls)

    def arranged(self, inputs: Mapping[str, torch.Tensor], step: int) -> list[torch.Tensor]:
        """The inputs in order. Raises DgqcError for a missing or wrong one and for a step out of range."""
        if not 0 <= step < self.steps:
            raise DgqcError(f"Step {step} is outside the program's schedule, 0 .. {self.steps - 1}.")
        return [checked_input(inputs, name, shape) for name, shape in self.inputs]


def read_interface(directory: Path) -> Interface:
    """Of an emitted folder. Raises DgqcError when it holds none."""
    path = directory / INTERFACE
    if not path.exists():
        raise DgqcError(
            f"{directory} holds no emitted MLIR program ({INTERFACE} is missing); emit one there first."
        )
    with reading(str(path), "emit the program again"):
        return Interface.from_json(path.read_text(encoding="utf-8"))
