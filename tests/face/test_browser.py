"""A page in a browser draws what the host draws: WebAssembly from the same C."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import make_page
import numpy as np
import pytest

import dgqc

from .test_parts import HOW, QUICK, pipeline

EXAMPLE = Path(make_page.__file__).parent
PROMPT, NEGATIVE, SEED, GUIDANCE = "a red circle", "blue", 3, 2.5
WAIT = 120_000
"""Milliseconds; a busy machine is no defect."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def compiled() -> dgqc.CompiledProgram:
    return dgqc.compile(pipeline(), QUICK, parts="all", **HOW)


@pytest.fixture(scope="module")
def site(compiled: dgqc.CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := make_page.lacking():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("browser")
    make_page.build(compiled.save(folder / "all.dgqc", targets=("c",)), folder / "site")
    return folder / "site"


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


def wanted(compiled: dgqc.CompiledProgram) -> bytes:
    given = {"negative": NEGATIVE, "guidance_scale": GUIDANCE, "backend": "reference"}
    return np.asarray(compiled.draw(PROMPT, SEED, **given)).tobytes()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", ""),
        ("case $* in *.wasm) echo clang: error: no wasm-ld-14 >&2; exit 1; esac; echo version 14.0.6",
         r"links no WebAssembly \(no wasm-ld-14\); install .* package lld-14\)\."),
        ("echo no such target >&2; exit 1", r"makes no WebAssembly \(no such target\); install LLVM's clang"),
        (None, r"nowhere/clang is missing; install LLVM's clang and lld"),
    ],
)  # fmt: skip
def test_tools_are_tried_by_using_them(tmp_path: Path, script: str | None, said: str) -> None:
    """A stand-in for clang, since a linker's name is clang's own business."""
    place = tmp_path / "nowhere" / "clang"
    if script is not None:
        place = tmp_path / "clang"
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
    found = make_page.lacking(str(place))
    assert re.search(said, found) if said else not found


@pytest.mark.slow
def test_webassembly_draws_the_hosts_picture(compiled: dgqc.CompiledProgram, site: Path) -> None:
    """Without a page, where there is no browser."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    asked = [EXAMPLE / "draw.mjs", site, PROMPT, NEGATIVE, str(GUIDANCE), str(SEED)]
    shown = subprocess.run(["node", *asked], check=True, capture_output=True).stdout
    assert shown == wanted(compiled)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(390, 844), (1280, 800)], ids=["phone", "desktop"])
def test_a_page_draws_the_hosts_picture(
    compiled: dgqc.CompiledProgram, address: str, size: tuple[int, int]
) -> None:
    """Byte for byte, and at once when it is opened; nothing of the page is wider than a screen."""
    playwright = pytest.importorskip("playwright.sync_api")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"], timeout=WAIT)
        page = opened.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(WAIT)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        page.wait_for_function("window.drawn !== undefined")
        assert "Drawn in" in page.inner_text("#said")
        for name, value in {
            "prompt": PROMPT,
            "negative": NEGATIVE,
            "seed": str(SEED),
            "guidance": str(GUIDANCE),
        }.items():
            page.fill(f"#{name}", value)
        page.evaluate("window.drawn = undefined")
        page.click("#draw")
        page.wait_for_function("window.drawn !== undefined")
        found = np.array(page.evaluate("window.drawn"), dtype=np.uint8)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.fill("#prompt", "a " * 4000)
        page.click("#draw")
        page.wait_for_function("document.getElementById('said').textContent.includes('too many')")
        opened.close()
    assert said == []
    assert found.tobytes() == wanted(compiled)


def test_a_bundle_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="compile a pipeline with `--parts all --loop own`"):
        make_page.build(tmp_path, tmp_path / "site")
    assert not (tmp_path / "site").exists()
