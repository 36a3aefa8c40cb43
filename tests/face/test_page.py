"""Reports as pages: what is in the pictures, that nothing is fetched, that names can't break out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dgqc.execution.compiled_program import CompiledProgram
from dgqc.report.layers import layers_of
from dgqc.report.page import ReportSide, as_page, as_page_of_two, side_of
from dgqc.report.pictures import pictures
from dgqc.report.report import bundle_report

Run = Callable[..., tuple[int, str, str]]
TITLES = {
    "Where the error is made",
    "Where bytes go",
    "Where operations go",
    "How coarse groups are rounded, by call",
    "Codes of weights",
    "Working memory over time",
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
    whole = sum(one.size for one in side.layers)
    assert sum(v for p, v in zip(sizes.parents, sizes.values, strict=True) if not p) == whole
    boxes = drawn["Working memory over time"].data[0]
    assert len(boxes.y) == len(side.report["passes"]["plan-memory"]["buffers"])


def test_a_page_needs_nothing_else(side: ReportSide) -> None:
    text = as_page(side)
    assert "default-src 'none'" in text
    outside = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", text)
    assert outside == []
    assert all(f"<h2>{title}</h2>" in text for title in TITLES)
    assert "<td>conv_in</td>" in text


def test_names_of_strangers_stay_text(side: ReportSide) -> None:
    bad = "</script><script>alert(1)</script>"
    report = {**side.report, "model": bad, "notes": [bad]}
    layers = [type(side.layers[0])(bad, bad, 4, 1, 0, [1], [[1]])]
    assert bad not in as_page(ReportSide(report, layers))


def test_a_model_without_a_bundle(model_folder: Path, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "model.html"
    assert run("report", model_folder, "--html", page, "--json")[0] == 0
    assert "Where operations go" in page.read_text()


def test_two_bundles_on_one_page(side: ReportSide, saved: Path, run: Run, tmp_path: Path) -> None:
    text = as_page_of_two({"one": side, "other": side})
    assert "Layers beside each other" in text
    assert text.count("<h2>Codes of weights</h2>") == 2
    code, _, told = run("diff", saved, saved, "--html", tmp_path / "page.html")
    assert code == 2
    assert "give another one" in told
