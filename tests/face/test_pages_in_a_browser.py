"""Pages in a real browser: nothing is wider than the screen, nothing is said on the console, menus draw."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgqc.compare.page import as_page as compared_page
from dgqc.compare.row import Row
from dgqc.compare.run import DrawnColumns
from dgqc.report.page import as_page, as_page_of_two, side_of
from dgqc.report.report import bundle_report

from .conftest import compiled_small

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WAIT = 120_000
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report.html, diff.html, compare.html and view.html of small programs."""
    folder = tmp_path_factory.mktemp("pages")
    from dgqc.cli import main as command_line

    architecture = compiled_small("only_cross_attention")
    bundle = architecture.save(folder / "bundle", ["c"])
    side = side_of(bundle, bundle_report(bundle))
    (folder / "report.html").write_text(as_page(side))
    (folder / "diff.html").write_text(as_page_of_two({"a" * 80: side, "other": side}))
    rows = [
        Row(f"dgq-exact-w{bits}a{bits}", "integers", "", (20.0,) * 25, {"conv_in": 3.0}) for bits in (4, 8)
    ]
    drawn = {f"preset-{place}": np.full((2, 64, 64, 3), 40 * place, dtype=np.uint8) for place in range(6)}
    drawings = {"": DrawnColumns(["a long prompt about a red circle and a blue square"] * 2, drawn)}
    (folder / "compare.html").write_text(compared_page(rows, drawings, ["A model."]))
    import architectures

    architectures.only_cross_attention().save_pretrained(folder / "unet")
    asked = [
        "compile",
        folder / "unet",
        "--steps",
        2,
        "--samples",
        1,
        "--context-length",
        7,
        "--check",
        "off",
    ]
    asked += ["--target", "reference", "--dump-ir", folder / "ir", "-o", folder / "dumped"]
    assert command_line.run([str(one) for one in asked]) == 0
    assert command_line.run(["view", str(folder / "ir"), "-o", str(folder / "view.html")]) == 0
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    place = next(filter(None, map(shutil.which, BROWSERS)), None)
    if place is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=place, args=["--no-sandbox"], timeout=WAIT)
        yield opened
        opened.close()


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def open_page(request: pytest.FixtureRequest, browser: Any, pages: Path) -> Iterator[Callable[[str], Any]]:
    """Opens a page by its name, without a network; afterwards nothing was said on its console."""
    size, scheme = request.param
    width, height = SIZES[size]
    view = {"width": width, "height": height}
    context = browser.new_context(viewport=view, color_scheme=scheme, offline=True)
    said: list[str] = []

    def opened(name: str) -> Any:
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((pages / name).as_uri())
        return page

    yield opened
    context.close()
    assert said == []


def is_within_the_screen(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_names_of_layers_have_room_beside_the_scale(open_page: Callable[[str], Any]) -> None:
    page = open_page("report.html")
    names = page.query_selector_all(".annotation")
    bars = page.query_selector_all(".cbfills")
    assert len(names) > 10
    for bar in (one.bounding_box() for one in bars):
        for name in (one.bounding_box() for one in names):
            beside = name["x"] + name["width"] <= bar["x"] or bar["x"] + bar["width"] <= name["x"]
            assert beside or name["y"] + name["height"] <= bar["y"] or bar["y"] + bar["height"] <= name["y"]


@pytest.mark.parametrize("name", ["report.html", "diff.html", "compare.html"])
def test_pictures_are_drawn_and_fit(open_page: Callable[[str], Any], name: str) -> None:
    page = open_page(name)
    for place in page.query_selector_all(".chosen"):
        options = place.query_selector_all("option")
        assert place.query_selector(".drawn .main-svg") is not None
        place.query_selector("select").select_option(options[-1].inner_text())
        assert place.query_selector(".drawn .main-svg") is not None
    assert page.query_selector_all(".plotly-graph-div .main-svg")
    assert is_within_the_screen(page)
    for details in page.query_selector_all("details"):
        details.evaluate("one => one.open = true")
    assert is_within_the_screen(page)
    table = page.query_selector("table.sorted")
    last = table.query_selector_all("th")[-1]
    before = table.inner_text()
    last.click()
    last.click()
    assert sorted(table.inner_text().split()) == sorted(before.split())


def test_one_steps_through_passes(open_page: Callable[[str], Any]) -> None:
    page = open_page("view.html")
    assert page.inner_text("#said").startswith("fold-time-embedding: ")
    page.click("#on")
    assert page.inner_text("#said").startswith("split-prologue: ")
    names = [one.inner_text() for one in page.query_selector_all("#pass option")]
    page.select_option("#pass", label=next(name for name in names if "error-groups" in name))
    assert "GroupedOperand(" in page.inner_text("#lines")
    assert page.text_content("#lines a").startswith("// ")
    page.fill("#search", "down_blocks.0.resnets.0.conv1")
    assert "dB at call 0" in page.inner_text("#layer")
    assert "1 lines new, 1 gone" in page.inner_text("#said")
    assert is_within_the_screen(page)
    page.fill("#search", "")
    page.check("#whole")
    assert is_within_the_screen(page)
