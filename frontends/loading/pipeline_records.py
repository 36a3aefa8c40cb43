"""What is read from a pipeline's folder, document by document; the rest is diffusers' business."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field

from ...ir.storage.json_text import read_json_object
from ...ir.storage.schema import Record, Text, checked

LARGEST_NUMBER = 10**30
"""Tokenizers without a limit say a number with thirty digits; no config has a larger one."""
REMEDY = "give the folder as save_pretrained wrote it"

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=255)]
Count = Annotated[int, Field(ge=0, le=2**31)]


class _Described(Record):
    """A document of which only some places are read."""

    model_config = ConfigDict(extra="allow")


Names = Annotated[list[Text | None], Field(min_length=2, max_length=2)]


class PipelineIndexRecord(_Described):
    """`model_index.json`: of each part, its library and its class; options of the pipeline beside them."""

    __pydantic_extra__: dict[str, Names | Text | bool | int | float | None] = Field(init=False)

    class_name: Text | Names = Field(alias="_class_name")
    scheduler: Names | None = None


class EncoderRecord(_Described):
    """`config.json` of a text encoder."""

    model_type: Text | None = None
    max_position_embeddings: Count | None = None
    hidden_size: Count | None = None
    projection_dim: Count | None = None


class SchedulerRecord(_Described):
    """`scheduler_config.json`. The rest is looked at where a scheduler is built of it."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=True)

    class_name: Text | None = Field(default=None, alias="_class_name")


class TokenizerRecord(_Described):
    """`tokenizer_config.json`. Its length may be a float, as Python writes 10^30."""

    model_max_length: int | float | None = Field(default=None, ge=0, le=10 * LARGEST_NUMBER)


class ShardsRecord(_Described):
    """An index of weights that are stored in several files: for each weight, the name of its file."""

    weight_map: Annotated[dict[Text, FileName], Field(min_length=1)]


_AnyRecord = TypeVar("_AnyRecord", bound=Record)


def read_record(path: Path, kind: type[_AnyRecord]) -> tuple[_AnyRecord, dict[str, Any]]:
    """A JSON file as a record, and as it is. Raises DgqcError where it is something else."""
    document = read_json_object(path, infinite=bool(kind.model_config.get("allow_inf_nan")))
    return checked(kind, document, str(path), REMEDY), document
