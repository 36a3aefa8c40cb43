"""Pipelines as text: what is written can be read, and what can't be read is explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgqc.backends.registry import pass_modules
from dgqc.ir.errors import PipelineError
from dgqc.ir.level import Level
from dgqc.ir.program import Program
from dgqc.passes.base import Pass
from dgqc.passes.manager import registry
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.methods import METHODS
from dgqc.passes.manager.pipeline import format_pipeline, parse_pipeline
from dgqc.passes.manager.presets import PRESETS, pipeline_for
from dgqc.passes.manager.registry import find_pass, pass_names, register_pass


class Color(StrEnum):
    RED = "red"
    DARK_BLUE = "dark-blue"


@dataclass(frozen=True)
class Painted(Pass):
    """A pass with every kind of option."""

    needed: int
    glossy: bool = False
    layer_count: int = 3
    rate: float = 0.5
    module: str = "*"
    color: Color = Color.RED
    limit: int | None = None
    title: str | None = None

    name: ClassVar[str] = "painted"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        return program


@dataclass(frozen=True)
class Plain(Pass):
    """A pass without options that refuses nothing."""

    name: ClassVar[str] = "plain"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        return program


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Iterator[None]:
    register_pass(Painted)
    register_pass(Plain)
    yield
    # Only what was added here: built-in passes imported meanwhile won't be imported again.
    for added in (Painted, Plain):
        del registry._registered[added.name]


TEXT = st.text(max_size=12)
PASSES = st.lists(
    st.one_of(
        st.just(Plain()),
        st.builds(
            Painted,
            needed=st.integers(),
            glossy=st.booleans(),
            layer_count=st.integers(),
            rate=st.floats(allow_nan=False),
            module=TEXT,
            color=st.sampled_from(Color),
            limit=st.none() | st.integers(),
            title=st.none() | TEXT | st.just("none"),
        ),
    ),
    max_size=4,
).map(tuple)


@given(PASSES)
def test_what_is_written_reads_back(passes: tuple[Pass, ...]) -> None:
    text = format_pipeline(passes)
    assert parse_pipeline(text) == passes
    assert format_pipeline(parse_pipeline(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" plain ,  plain", "plain,plain"),
        ("plain{}", "plain"),
        ("painted{needed=1 glossy}", "painted{needed=1,glossy=true}"),
        ("painted{ layer_count=3 , needed=+07 }", "painted{needed=7}"),
        ("painted{color=dark-blue needed=1,limit=none}", "painted{needed=1,color=dark-blue}"),
        ('painted{needed=1,module="a, \\"b\\" \\\\ }"}', 'painted{needed=1,module="a, \\"b\\" \\\\ }"}'),
        (
            'painted{needed=1,title="none",module=up_blocks.*}',
            'painted{needed=1,module=up_blocks.*,title="none"}',
        ),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert format_pipeline(parse_pipeline(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain,", "The pipeline needs the name of a pass at position 7, but the pipeline ends in 'plain,'."),
        (
            "plain plain",
            "The pipeline needs a comma or the end after plain at position 7, but there is 'plain' in "
            "'plain plain'.",
        ),
        (
            "painted{needed=1",
            "The pipeline needs a comma or } after the option needed of painted at position 17, but the "
            "pipeline ends in 'painted{needed=1'.",
        ),
        (
            "painted{neded=1}",
            "Pass painted has no option neded (did you mean needed?), at position 9; its options are needed, "
            "glossy, layer-count, rate, module, color, limit, title.",
        ),
        ("plain{a=1}", "Pass plain has no option a, at position 7; it takes none."),
        (
            "painted{needed=1.5}",
            "Pass painted has needed=1.5 at position 9, but needed takes a whole number.",
        ),
        (
            "painted{needed=1,color=green}",
            "Pass painted has color=green at position 18, but color takes red or dark-blue.",
        ),
        (
            "painted{needed=1,limit=x}",
            "Pass painted has limit=x at position 18, but limit takes a whole number or none.",
        ),
        ("painted{needed=1,rate=nan}", "Pass painted has rate=nan at position 18, but rate takes a number."),
        (
            "painted{needed=1,needed=2}",
            "Pass painted is given its option needed twice, at position 18; give it once.",
        ),
        ("painted", "Pass painted needs its option needed (a whole number): write painted{needed=...}."),
        ("plian", "There is no pass 'plian': did you mean plain? `dgqc passes` lists them all."),
        ("kmeans-groups{groups=0}", "Pass kmeans-groups refuses its options: "),
    ],
)
def test_errors_say_what_where_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text)
    assert str(caught.value).startswith(message)


@given(st.text(alphabet='plainted{}=," \\x1', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        passes = parse_pipeline(text)
    except PipelineError:
        return
    assert parse_pipeline(format_pipeline(passes)) == passes


@given(
    st.sampled_from(PRESETS),
    st.sampled_from(["", "g1", "g16", "g256"]),
    st.sampled_from(["", ",edges=4", ",scale=tensor", ",probabilities=uniform,scale=row,edges=16"]),
)
def test_presets_are_pipelines_in_order(preset: str, groups: str, settings: str) -> None:
    passes = parse_pipeline(pipeline_for(preset + groups + settings))
    PassManager(passes).check(Level.CAPTURED)
    assert passes[-1].leaves is Level.INTEGER


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_pipeline_in_order_at_every_width(method: str, preset: str) -> None:
    passes = parse_pipeline(pipeline_for(f"{method}-{preset}"))
    PassManager(passes).check(Level.CAPTURED)
    assert passes[-1].leaves is (Level.SIMULATED if method == "dgq-exact" else Level.INTEGER)


def test_options_of_methods_reach_their_passes() -> None:
    assert "fbr{iterations=20,rate=0.5}" in pipeline_for("eda-w4a6,iterations=20,rate=0.5")
    assert "step-groups{groups=16}" in pipeline_for("dgq-exact-w4a6g16")
    assert "method=minmax" in pipeline_for("naive-w4a4")
    assert "quantize-weights{bits=4,edges=8,wide=up.conv+in}" in pipeline_for("w4a6,w8=up.conv+in")
    assert "brecq" in pipeline_for("dgq-w8a8")
    assert "low-rank{rank=16,share=1000},quantize-weights{bits=4" in pipeline_for("svdquant-w4a4,rank=16")
    assert "balance-channels{method=dilate,gain=0.01}" in pipeline_for("dilatequant-w4a4")
    assert "brecq" not in pipeline_for("w8a8")


@pytest.mark.parametrize(
    ("opt", "present", "absent"),
    [
        ("w4a6", "error-groups{groups=8}", "kmeans"),
        ("w4a6g16,grouping=kmeans", "kmeans-groups{groups=16}", "error-groups"),
        ("dgq-w4a6", "kmeans-groups{groups=8}", "error-groups"),
        ("w4a6", "error-groups{groups=8},widen-ranges,choose-", "search-ranges"),
        ("w4a6", "observe-ranges{attentions=5},balance-channels,outlier-dims", "search-ranges"),
        ("w4a6", "balance-queries,split-start-token", "search-ranges"),
        ("w8a4", "error-groups{groups=8},search-ranges{", "kmeans"),
        ("w8a4,ranges=minmax", "error-groups{groups=8},widen-ranges,choose-", "search-ranges"),
        ("auto,size=300MB", "insert-sites{bits=8,edges=8},merge-quantizers,quantize-weights{bits=4", "keep"),
        ("auto,size=2.5MB", "timestep-tables,assign-bits{budget=2.5},gptq,measure-error,", "keep"),
        ("w4a6,size=3MB,keep=30", "assign-bits{budget=3},gptq,keep-wide{poor=30", "poor=16"),
        ("w4a6", "timestep-tables,gptq,keep-wide", "assign-bits"),
        ("mixdq-w4a6", "assign-bits{weights=4,activations=6},measure-error", "gptq"),
        ("w3a6", "quantize-weights{bits=3,edges=8},", "keep-wide"),
        ("w2a8", "widen-ranges,choose-probabilities,choose-exponents,absorb-multiples,", "keep-wide"),
        ("w4a6", "choose-probabilities,", "log-quant"),
        ("w4a6", "timestep-tables,gptq,", "brecq"),
        ("w8a6", "timestep-tables,gptq,", "search-ranges"),
        ("w4a6,rounding=nearest", "timestep-tables,keep-wide{poor=16,enough=30},measure-error,", "gptq"),
        ("w8a8", "keep-wide{poor=28,enough=38,few=16},measure-error,", "poor=16"),
        ("w8a8,keep=none", "gptq,measure-error,", "keep-wide"),
        ("w8a4", "gptq,measure-error,", "keep-wide"),
        ("w4a4", "merge-quantizers,low-rank{share=10", "search-ranges{samples"),
        ("w4a4,branches=none", "merge-quantizers,quantize-weights", "low-rank"),
        ("w4a6", "merge-quantizers,low-rank{share=10,large=leave},quantize-weights", "share=7"),
        ("w4a6,branches=none", "merge-quantizers,quantize-weights", "low-rank"),
        ("w4a8", "merge-quantizers,quantize-weights", "low-rank"),
        ("w8a8", "merge-quantizers,quantize-weights", "low-rank"),
        ("w8a8,interval=3", "cache-schedule{interval=3},measure-error", "cache-schedule{interval=5}"),
        (
            "cachequant-w8a8",
            "rate=0.03},cache-schedule{interval=5,weigh=false,extrapolate=false,amend=false},measure",
            "gptq",
        ),
        ("cachequant-w8a8,interval=1", "rate=0.03},measure-error", "cache-schedule"),
        ("w4a4,branches=7.5", "merge-quantizers,low-rank{share=7.5},quantize-weights", "share=10"),
        ("w4a4,keep=31", "gptq,keep-wide{poor=31,enough=31},measure-error,", "poor=16"),
        ("w4a6,keep=36.5", "gptq,keep-wide{poor=36.5,enough=36.5},measure-error,", "poor=16"),
        ("w8a8,rounding=gptq", "timestep-tables,gptq,", "most"),
        ("w8a8,rounding=fbr", "fbr{iterations=1000", "gptq"),
        ("w4a6,probabilities=log2", "log-quant{scale=row}", "choose-prob"),
        ("w4a6,scale=tensor", "log-quant{scale=tensor}", "choose-prob"),
    ],
)
def test_what_holds_where_nothing_is_said(opt: str, present: str, absent: str) -> None:
    assert present in pipeline_for(opt)
    assert absent not in pipeline_for(opt)


def test_preset_options_reach_their_passes() -> None:
    text = pipeline_for("w4a6g16,edges=4,scale=tensor")
    for part in (
        "insert-sites{bits=6,edges=4}",
        "quantize-weights{bits=4,edges=4}",
        "groups=16",
        "scale=tensor",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("opt", "message"),
    [
        ("w3a3", "There is no preset 'w3a3' for -O: choose one of w8a8, w8a6, w8a4, w4a8, w4a6, w4a4"),
        ("auto", "-O auto takes a size: write auto,size=300MB"),
        ("auto,size=300", "size is megabytes of all weights, as in 300MB"),
        ("naive-w4a6,size=3MB", "'size=3MB' after the preset, where only edges=, w8= may stand"),
        ("w4a6g0", "There is no preset 'w4a6g0'"),
        ("w4a6g257", "There is no preset 'w4a6g257'"),
        ("w4a6,edge=8", "'edge=8' after the preset, where only edges=, w8=, grouping=, scale="),
        ("smooth-w4a6", "There is no method 'smooth' in the preset smooth-w4a6: choose one of naive, "),
        ("naive-w4a6,scale=row", "'scale=row' after the preset, where only edges=, w8= may stand"),
        ("w4a6,tile=8", "has 'tile=8', an option of the target c now: write --target 'c{tile=8}'"),
        ("tfmq-w4a6g16", "asks for groups, but tfmq has none"),
        ("eda-w4a6,iterations=0", "iterations is a number above 0"),
        ("w4a6,scale=tensor,probabilities=auto", "which goes with scale=row alone"),
        ("w4a6,scale=static", "asks for a static scale, which only uniform probabilities have"),
        ("w4a6,rounding=up", "rounding is one of auto, nearest, gptq, brecq, fbr"),
        ("w4a6,scale=column", "scale is one of row, tensor"),
        ("w4a6,branches=few", "branches is auto, none, or the percent of multiply-adds"),
        ("w4a6,keep=some", "keep is auto, none, or the decibels that the output is to have"),
    ],
)
def test_unknown_presets_are_refused(opt: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        pipeline_for(opt)


def test_built_in_names_are_those_of_the_files() -> None:
    room = Path(registry.__file__).parents[1].resolve()
    ours = {**registry.BUILT_IN, **dict(pass_modules())}
    decorated = {
        path.stem.replace("_", "-")
        for folder in (room, room.parent / "backends")
        for path in folder.rglob("*.py")
        if "\n@register_pass\n" in path.read_text(encoding="utf-8")
    }
    assert set(ours) == decorated
    assert all(find_pass(name).name == name for name in ours)
    assert pass_names()[: len(ours)] == tuple(ours)


def test_a_former_name_is_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="stream-rows is called fuse-rows now"):
        (item,) = parse_pipeline("stream-rows{rows=2}")
    assert format_pipeline([item]) == "fuse-rows{rows=2}"


def test_a_former_fact_is_replaced_with_a_warning() -> None:
    facts = {"__module__": __name__, "name": "moved", "invalidates": frozenset({"streams", "memory-plan"})}
    moved = dataclass(frozen=True)(type("Moved", (Plain,), facts))
    with pytest.warns(DeprecationWarning, match="invalidates streams, which is called fusion-groups now"):
        register_pass(moved)
    assert moved.invalidates == {"fusion-groups", "memory-plan"}


def test_two_classes_of_one_name_are_refused() -> None:
    other = type("Other", (Plain,), {"__module__": "elsewhere.passes", "__qualname__": "Other"})
    with pytest.raises(
        PipelineError, match=r"Pass plain is defined by .*Plain and by elsewhere.passes.Other"
    ):
        register_pass(dataclass(frozen=True)(other))


def test_incomplete_passes_are_refused() -> None:
    class Unfrozen(Pass):
        name = "un-frozen"

    class Nowhere(Plain):
        takes = "captured"

    for incomplete, message in (
        (replaced("Mis_Named"), "kebab-case"),
        (Unfrozen, "must be a frozen dataclass"),
        (dataclass(frozen=True)(Nowhere), "which level it takes"),
    ):
        with pytest.raises(PipelineError, match=message):
            register_pass(incomplete)


def replaced(name: str) -> type[Pass]:
    """`Plain` under another name."""
    return dataclass(frozen=True)(type("Renamed", (Plain,), {"name": name}))
