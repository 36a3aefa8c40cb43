"""Reports as pages: what is in the pictures, that nothing is fetched, that names can't break out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgqc.execution.compiled_program import CompiledProgram
from dgqc.report.choices import choices
from dgqc.report.document import named
from dgqc.report.layers import layers_of
from dgqc.report.page import ReportSide, as_page, as_page_of_two, side_of
from dgqc.report.pictures import beside, pictures
from dgqc.report.report import bundle_report
from dgqc.report.sensitivities import sensitivities

Run = Callable[..., tuple[int, str, str]]
TITLES = {
    "Where the error is made",
    "Where bytes go",
    "Where operations go",
    "Working memory over time",
}
MENUS = {
    "Ranges by call",
    "Outlier channels and pixels",
    "What attention looks at",
    "How coarse groups are rounded, by call",
    "Codes of weights",
}


@pytest.fixture(scope="module")
def side(saved: Path) -> ReportSide:
    return side_of(saved, bundle_report(saved))


def test_layers_are_the_programs(program: CompiledProgram, side: ReportSide) -> None:
    first = layers_of(program.program)[0]
    assert first.path == side.layers[0].path == "conv_in"
    assert sum(first.counts) == 3 * 9 * 8
    assert first.bits == 8
    inner = next(one for one in side.layers if one.bits == 4)
    assert len(inner.counts) <= 16
    assert inner.size == sum(inner.counts) // 2
    assert len(inner.steps) == len(program.program.schedule)


def test_every_picture_has_what_it_is_about(side: ReportSide) -> None:
    drawn = pictures(side.report, side.layers)
    assert set(drawn) == TITLES
    errors = drawn["Where the error is made"].data[0]
    known = side.report["layer_error_db"]
    assert list(errors.y) == list(known)
    assert len(errors.x) == 2
    sizes = drawn["Where bytes go"].data[0]
    assert whole(sizes) == sum(one.size for one in side.layers)
    operations = drawn["Where operations go"].data[0]
    timeless = sum(side.report["macs_by_layer_g"].values())
    assert whole(operations) == round(1e9 * timeless)
    assert 0 < timeless < side.report["macs_g"]
    boxes = drawn["Working memory over time"].data[0]
    assert len(boxes.y) == len(side.report["passes"]["plan-memory"]["buffers"])


def test_the_cost_of_each_width_is_drawn_with_the_one_that_was_taken() -> None:
    found = {
        "bits": {"one": 2, "other": 8},
        "sensitivities": {"one": {"2": 20.5, "8": 50.0}, "other": {"2": 9.0, "8": 41.0, "16": 90.0}},
        "operand-bits": {"site": 6},
        "operand-sensitivities": {"site": {"4": 12.0, "6": 24.0, "8": 36.0}},
    }
    drawn = sensitivities({"gptq": {}, "assign-bits": found})
    two, eight, sixteen, taken = drawn["What each width of a weight costs"].data
    assert list(two.x) == ["one", "other"]
    assert (list(two.y), list(eight.y), list(sixteen.y)) == ([20.5, 9.0], [50.0, 41.0], [None, 90.0])
    assert list(taken.y) == [20.5, 41.0]
    assert list(drawn["What each width of an operand costs"].data[-1].y) == [24.0]
    del found["sensitivities"]
    drawn = sensitivities({"assign-bits": found})
    assert drawn["What each width of a weight costs"] is None
    assert drawn["What each width of an operand costs"] is not None


def whole(boxes: Any) -> int:
    """What the outermost boxes hold."""
    return sum(v for p, v in zip(boxes.parents, boxes.values, strict=True) if not p)


def test_ranges_are_those_that_calibration_saw(side: ReportSide, program: CompiledProgram) -> None:
    sites = side.report["seen"]["sites"]
    first = next(one for one in sites.values() if one["module"] == "conv_in")
    assert len(first["channels"]) == 3
    inner = next(one for one in sites.values() if one["module"] == "down_blocks.0.resnets.0.conv1")
    assert len(inner["low"]) == len(inner["members"]) <= 8
    assert sum(inner["members"]) in (8, 64)
    largest = max(max(map(abs, (*low, *high))) for low, high in zip(inner["low"], inner["high"], strict=True))
    assert largest == pytest.approx(max(inner["channels"]), rel=0.01)
    assert all(len(low) == len(program.program.schedule) for low in inner["low"])


def test_menus_hold_each_layer_once(side: ReportSide) -> None:
    drawn = choices(side.report, side.layers)
    assert set(drawn) == MENUS
    assert list(drawn["Codes of weights"].traces) == [one.path for one in side.layers]
    ranges = drawn["Ranges by call"].traces
    assert set(ranges) == set(side.report["seen"]["sites"])
    bands = next(iter(ranges.values()))
    maps = drawn["What attention looks at"].traces
    assert len(maps) == 2 * len(side.report["probabilities"])
    assert all(0 > power >= -6 for row in next(iter(maps.values()))[0]["z"] for power in row)
    assert len(bands[0]["x"]) == len(bands[0]["y"]) == 2 * len(side.report["seen"]["calls"])


def test_lines_below_a_figure_stand_further_in_and_axes_have_short_names(side: ReportSide) -> None:
    assert "<td class='inner'>of it weights</td>" in as_page(side)
    axes = beside({"build/one.dgqc": side.report, "build/other.dgqc/": side.report}).layout
    assert (axes.xaxis.title.text, axes.yaxis.title.text) == ("dB in one.dgqc", "dB in other.dgqc")
    axes = beside({"one/unet.dgqc": side.report, "other/unet.dgqc": side.report}).layout
    assert axes.xaxis.title.text == "dB in one/unet.dgqc"


def test_time_is_measured_where_it_is_asked_for(
    saved: Path, run: Run, tmp_path: Path, side: ReportSide
) -> None:
    assert "--time --html PAGE measures it" in as_page(side)
    page = tmp_path / "timed.html"
    code, told, _ = run("report", saved, "--time", "--html", page, "--json")
    assert code == 0
    seconds = json.loads(told)["seconds_by_layer"]
    assert "down_blocks.0.resnets.0.conv1" in seconds
    assert all(0 <= one < 1 for one in seconds.values())
    assert sum(seconds.values()) > 0
    assert "<h2>Where time goes</h2>" in page.read_text()
    assert "measures it" not in page.read_text()


def test_a_page_needs_nothing_else(side: ReportSide) -> None:
    text = as_page(side)
    assert "default-src 'none'" in text
    outside = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", text)
    assert outside == []
    assert all(f"<h2>{title}</h2>" in text for title in TITLES | MENUS)
    assert len(text) < 6e6
    assert "<td>conv_<wbr>in</td>" in text


def test_names_of_strangers_stay_text(side: ReportSide) -> None:
    bad = "</script><script>alert(1)</script>"
    report = {**side.report, "model": bad, "notes": [bad]}
    layers = [type(side.layers[0])(bad, bad, 4, 1, 0, [1], [[1]])]
    bad_site = {"module": bad, "channels": [1.0], "pixels": [1.0]}
    report["seen"] = {"calls": [0], "sites": {bad: bad_site}}
    assert bad not in as_page(ReportSide(report, layers))


def test_a_model_without_a_bundle(model_folder: Path, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "model.html"
    assert run("report", model_folder, "--html", page, "--json")[0] == 0
    code, _, told = run("report", model_folder, "--time")
    assert code == 2
    assert "compile it first" in told
    assert "Where operations go" in page.read_text()


def test_two_bundles_on_one_page(side: ReportSide, saved: Path, run: Run, tmp_path: Path) -> None:
    text = as_page_of_two({"one": side, "other": side})
    assert "Layers beside each other" in text
    assert text.count("<h2>Codes of weights</h2>") == 2
    code, _, told = run("diff", saved, saved, "--html", tmp_path / "page.html")
    assert code == 2
    assert "give another one" in told


def test_names_go_on_in_the_next_line_between_their_parts() -> None:
    assert named("down_blocks.0.ff.net.2") == "down_<wbr>blocks.0.<wbr>ff.<wbr>net.2"
    assert named("UNet2DConditionModel at w4a6,<b>") == "UNet2DCondition<wbr>Model at w4a6,<wbr>&lt;b&gt;"
    assert named("0.4104 G, 1,234") == "0.4104 G, 1,234"
    assert named("55.6 dB, 69.1 KiB") == "55.6 dB, 69.1 KiB"
