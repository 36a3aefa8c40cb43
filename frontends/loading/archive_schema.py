"""What a `torch.export` archive of a UNet may hold, place by place: torch/_export/serde/schema.py, narrowed.

PyTorch turns these texts into Python: names into the source of a module, sizes through `sympify`, op names
into attributes of the torch package, contexts of nested inputs into imports. So each place takes only what
is harmless there. What this reader doesn't need (stack traces, guards, notes) is left out of what it gives.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ...ir.errors import one_line
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import Record
from .archive_values import (
    MOST_ELEMENTS,
    ArgumentRecord,
    ConstantRecord,
    Int,
    Name,
    NamedRecord,
    OneOf,
    SymBoolRecord,
    SymFloatRecord,
    SymIntRecord,
    TensorMetaRecord,
    TensorPath,
    checked_name,
)
from .size_expressions import checked_symbol

OPS = re.compile(
    r"torch\.ops\.aten\.(?!from_file\b)_?[A-Za-z0-9]\w*\.[A-Za-z]\w*|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|eq|ne|ge|gt|le|lt)"
)
MODULE_STACK = re.compile(r"[\w.,;@\[\]'() -]{0,20000}", re.ASCII)
CONTAINERS = frozenset(
    {
        "builtins.tuple",
        "builtins.list",
        "builtins.dict",
        "collections.OrderedDict",
        "diffusers.models.unets.unet_2d.UNet2DOutput",
        "diffusers.models.unets.unet_2d_condition.UNet2DConditionOutput",
    }
)
"""What inputs and outputs may be nested in."""
MOST = 200_000
"""Nodes, tensors, arguments."""


Symbol = Annotated[str, AfterValidator(checked_symbol)]
Nothing = Annotated[dict[str, Any] | list[Any], Field(max_length=0)]


def _op(target: str) -> str:
    if not OPS.fullmatch(target):
        raise ValueError(f"it calls {one_line(target, 100)}")
    return target


def _container(kind: str) -> str:
    if kind not in CONTAINERS:
        raise ValueError(f"its inputs or outputs come in a {one_line(kind, 100)}")
    return kind


def _module_stack(notes: Any) -> dict[str, str]:
    stack = notes.get("nn_module_stack") if isinstance(notes, dict) else None
    if not isinstance(stack, str) or not MODULE_STACK.fullmatch(stack):
        return {}
    return {"nn_module_stack": stack}


def _outermost(entries: Any) -> Any:
    return entries[:1] if isinstance(entries, list) else entries


class NamedArgumentRecord(Record):
    name: Annotated[str, Field(pattern=r"^[A-Za-z_0-9]{0,100}$")]
    arg: ArgumentRecord
    kind: Literal[0, 1, 2] | None = None


class NodeRecord(Record):
    target: Annotated[str, AfterValidator(_op)]
    inputs: Annotated[list[NamedArgumentRecord], Field(max_length=MOST)]
    outputs: Annotated[list[ArgumentRecord], Field(max_length=MOST)]
    metadata: Annotated[dict[str, str], BeforeValidator(_module_stack)]
    is_hop_single_tensor_return: bool | None = None
    name: Name | None = None


class GraphRecord(Record):
    inputs: Annotated[list[ArgumentRecord], Field(max_length=MOST)]
    outputs: Annotated[list[ArgumentRecord], Field(max_length=MOST)]
    nodes: Annotated[list[NodeRecord], Field(max_length=MOST)]
    tensor_values: dict[Name, TensorMetaRecord]
    sym_int_values: dict[Name, SymIntRecord]
    sym_bool_values: dict[Name, SymBoolRecord]
    is_single_tensor_return: Literal[False] = False
    custom_obj_values: Nothing = Field(default_factory=dict)
    sym_float_values: dict[Name, SymFloatRecord] = Field(default_factory=dict)


class UserInputRecord(Record):
    arg: ArgumentRecord


class ParameterRecord(Record):
    arg: NamedRecord
    parameter_name: TensorPath


class BufferRecord(Record):
    arg: NamedRecord
    buffer_name: TensorPath
    persistent: bool


class TensorConstantRecord(Record):
    arg: NamedRecord
    tensor_constant_name: TensorPath


class ConstantInputRecord(Record):
    name: Name
    value: ConstantRecord


class InputSpecRecord(OneOf):
    user_input: UserInputRecord | None = None
    parameter: ParameterRecord | None = None
    buffer: BufferRecord | None = None
    tensor_constant: TensorConstantRecord | None = None
    constant_input: ConstantInputRecord | None = None


class OutputSpecRecord(OneOf):
    user_output: UserInputRecord | None = None


class SignatureRecord(Record):
    input_specs: Annotated[list[InputSpecRecord], Field(max_length=MOST)]
    output_specs: Annotated[list[OutputSpecRecord], Field(max_length=MOST)]


class StructureRecord(Record):
    """How inputs or outputs nest; a leaf has no type."""

    type: Annotated[str, AfterValidator(_container)] | None
    context: Annotated[str, Field(max_length=10_000)] | None
    children_spec: Annotated[list[StructureRecord], Field(max_length=1000)]

    @model_validator(mode="after")
    def _plain_context(self) -> StructureRecord:
        keys = None if self.context is None else parse_json(self.context, "the context of an input")
        if keys is not None and not isinstance(keys, list):
            raise ValueError("a context should be a list of names")
        for key in keys or ():
            checked_name(key if isinstance(key, str) else "")
        if self.type is None and (self.context is not None or self.children_spec):
            raise ValueError("a leaf has no children")
        return self


def _structure(text: str) -> str:
    """A structure in JSON, written again from what was understood."""
    found = parse_json(text, "the structure of the inputs")
    if not isinstance(found, list) or len(found) != 2 or type(found[0]) is not int or found[0] != 1:
        raise ValueError("the structure of the inputs should be of version 1")
    return json.dumps([1, StructureRecord.model_validate(found[1]).model_dump()])


class CallSignatureRecord(Record):
    inputs: Nothing
    outputs: Nothing
    in_spec: Annotated[str, AfterValidator(_structure)]
    out_spec: Annotated[str, AfterValidator(_structure)]
    forward_arg_names: list[Name] | None = None


class CallRecord(Record):
    fqn: Literal[""]
    signature: CallSignatureRecord


class GraphModuleRecord(Record):
    graph: GraphRecord
    signature: SignatureRecord
    module_call_graph: Annotated[list[CallRecord], BeforeValidator(_outermost), Field(min_length=1)]
    metadata: Annotated[dict[str, str], BeforeValidator(lambda _: {})] = Field(default_factory=dict)
    treespec_namedtuple_fields: Nothing = Field(default_factory=dict)


class RangeRecord(Record):
    min_val: Int | None
    max_val: Int | None


class SchemaVersionRecord(Record):
    major: Int
    minor: Int


class ProgramRecord(Record):
    """`models/model.json`."""

    graph_module: GraphModuleRecord
    opset_version: dict[Name, Int]
    range_constraints: dict[Symbol, RangeRecord]
    schema_version: SchemaVersionRecord
    verifiers: list[Literal["TRAINING", "ATEN"]] = Field(default_factory=list)
    torch_version: Annotated[str, Field(pattern=r"^[\w.+<=-]{1,100}$")] = "<=2.4"
    guards_code: Annotated[list[str], BeforeValidator(lambda _: [])] = Field(default_factory=list)


class StoredSizeRecord(Record):
    as_int: Annotated[int, Field(ge=0, le=MOST_ELEMENTS)]


class StoredMetaRecord(TensorMetaRecord):
    """Of a stored tensor, whose sizes are numbers."""

    sizes: Annotated[list[StoredSizeRecord], Field(max_length=8)]  # type: ignore[assignment]
    strides: Annotated[list[StoredSizeRecord], Field(max_length=8)]  # type: ignore[assignment]
    storage_offset: StoredSizeRecord  # type: ignore[assignment]


class PayloadRecord(Record):
    """One stored tensor: where its bytes lie and what they mean."""

    path_name: Annotated[str, Field(pattern=r"^(weight|tensor)_[0-9]{1,9}$")]
    is_param: bool
    use_pickle: Literal[False]
    tensor_meta: StoredMetaRecord


class PayloadsRecord(Record):
    """`model_weights_config.json` and `model_constants_config.json`."""

    config: dict[TensorPath, PayloadRecord]
