"""What `program.json` holds, place by place: said once as types, which a library compares."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from .schema import JSON, LARGEST_SIZE, Record, ScheduleRecord, Text

MOST_NODES = 1_000_000
"""Of a graph; SDXL's integer graph has some 20,000."""
MOST_ELEMENTS = 2**40
"""Of a tensor that a graph computes."""
WEIGHT_BITS = "weight-bits"
"""The report entry that says how wide weights are: constant name to bits."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=1000)]
"""torch.fx turns a graph into Python source. Only plain identifiers may get there from a file."""
SizeName = Annotated[str, Field(pattern=r"^[1-9]\d{0,7}(x[1-9]\d{0,7}){1,2}$", max_length=30)]
"""A sample's size, and the name of a folder."""
AttributePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=1000)]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Shape = Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_SIZE)]], Field(max_length=16)]
Type = Literal[
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"
]


class NodeNameRecord(Record):
    """`{"node": name}`: what an earlier node computed."""

    node: Identifier


class TupleRecord(Record):
    """`{"tuple": [...]}`"""

    tuple: list[Value]


class NumberRecord(Record):
    """`{"number": "inf"}`: what JSON has no number for."""

    number: Literal["inf", "-inf", "nan"]


class TypeRecord(Record):
    """`{"dtype": "int16"}`"""

    dtype: Type


class TensorRecord(Record):
    """`{"tensor": key}`: one of the tensors beside the document."""

    tensor: Text


class EnumRecord(Record):
    """`{"enum": [type, value]}`"""

    enum: Annotated[list[Text], Field(min_length=2, max_length=2)]


class PlanRecord(Record):
    """`{"plan": [type, fields]}`: a frozen dataclass; what its fields may be is said by its class."""

    plan: Annotated[list[Any], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _of_a_name_and_fields(self) -> PlanRecord:
        _NamedFields.model_validate({"kind": self.plan[0], "fields": self.plan[1]})
        return self


def _kind(value: Any) -> str:
    """Which of the forms a value has: of an object, its one key."""
    if isinstance(value, dict):
        return next(iter(value), "") if len(value) == 1 else "an object of several keys"
    return "list" if isinstance(value, list) else "plain"


Value = TypeAliasType(
    "Value",
    Annotated[
        Annotated[bool | Integer | float | Text | None, Tag("plain")]
        | Annotated["list[Value]", Tag("list")]
        | Annotated[NodeNameRecord, Tag("node")]
        | Annotated[TupleRecord, Tag("tuple")]
        | Annotated[NumberRecord, Tag("number")]
        | Annotated[TypeRecord, Tag("dtype")]
        | Annotated[TensorRecord, Tag("tensor")]
        | Annotated[EnumRecord, Tag("enum")]
        | Annotated[PlanRecord, Tag("plan")],
        Discriminator(_kind),
    ],
)
"""What `encode` makes of a value."""


class _NamedFields(Record):
    kind: Text
    fields: dict[Identifier, Value]


class ShapeRecord(Record):
    """A tensor's type and shape."""

    dtype: Type
    shape: Shape

    @model_validator(mode="after")
    def _of_a_size(self) -> ShapeRecord:
        elements = 1
        for size in self.shape:
            elements *= size
        if elements > MOST_ELEMENTS:
            raise ValueError(f"{elements} elements are more than a program computes")
        return self


class SavedConstantRecord(Record):
    """What is said of a constant beside its values. bits: 2, 3 or 4 where they are packed."""

    bits: Literal[2, 3, 4] | None
    shape: Shape
    parameter: bool


class SavedNodeRecord(Record):
    """One node of a graph."""

    name: Identifier
    op: Literal["call_function", "get_attr", "placeholder", "output"]
    target: Text
    args: list[Value]
    kwargs: dict[Identifier, Value]
    value: ShapeRecord | list[ShapeRecord | None] | None
    module: Text | None


class SavedGraphRecord(Record):
    """A graph with its constants."""

    constants: dict[AttributePath, SavedConstantRecord]
    nodes: Annotated[list[SavedNodeRecord], Field(min_length=1, max_length=MOST_NODES)]


class SavedInputRecord(Record):
    """One input of a program."""

    name: Identifier
    shape: Shape
    scale: Value
    exponent: Value = None


class SavedProgramRecord(Record):
    """The body of `program.json`. sizes: folders of the same model at other sizes."""

    level: Literal["captured", "planned", "simulated", "integer"]
    schedule: ScheduleRecord
    facts: Annotated[list[Text], Field(max_length=1000)]
    batched: bool
    inputs: Annotated[list[SavedInputRecord], Field(max_length=64)]
    output_scale: Value
    loop: Value = None
    step_factors: Value = None
    tokenizer: Value = None
    picture: Value = None
    plans: dict[Text, Value]
    layout: Value = None
    report: dict[Text, JSON]
    sizes: Annotated[list[SizeName], Field(max_length=100, default_factory=list)]
    graph: SavedGraphRecord
    prologue: SavedGraphRecord | None

    @model_validator(mode="after")
    def _with_a_report_that_is_read(self) -> SavedProgramRecord:
        _ReportRecord.model_validate(self.report)
        return self


class _WorkRecord(Record):
    model_config = ConfigDict(extra="allow")

    macs_g: Annotated[float, Field(ge=0, le=1e30)] = 0.0


class _ReportRecord(Record):
    """What is read of a report where a program is emitted and run."""

    model_config = ConfigDict(extra="allow")

    weight_bits: dict[Text, Annotated[int, Field(ge=1, le=8)]] = Field(default={}, alias=WEIGHT_BITS)  # type: ignore[literal-required]
    summary: _WorkRecord | None = None
