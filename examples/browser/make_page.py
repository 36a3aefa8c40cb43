"""A page that draws: the C of a bundle with all parts, compiled to WebAssembly, and the page around it.

    dgqc compile examples/demo_model/pipeline -O w4a6 -o build/picture
    python examples/browser/make_page.py build/picture -o build/browser
    python -m http.server --directory build/browser

Wants clang and wasm-ld (LLVM 14 or later); no Emscripten, since the C needs no C library.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
TARGET = ("--target=wasm32", "-msimd128", "-mbulk-memory", "-O3", "-nostdlib", "-ffreestanding", "-std=c11")
STACK_BYTES = 2**20


def build(bundle: Path, site: Path) -> None:
    """Writes index.html, page.js, worker.js, program.wasm and weights.bin into a folder.

    Raises SystemExit with a sentence where the bundle doesn't draw, or where a tool is missing or fails.
    """
    project = bundle / "parts" / "c"
    headers = list((project / "include").glob("*_parts_draw.h"))
    if len(headers) != 1:
        sys.exit(
            f"{bundle} has no C that draws from a prompt; compile a pipeline with `--parts all --loop own`."
        )
    if (project / "stream_weights.c").exists():
        sys.exit(f"{bundle} reads its constants while it runs, which a page can not; leave --weights out.")
    for tool in ("clang", "wasm-ld"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing; install LLVM's clang and lld.")
    name = headers[0].name.removesuffix("_draw.h")
    site.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        page = Path(work) / "page.c"
        templates = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined)
        page.write_text(templates.get_template("page.c.jinja").render(name=name, upper=name.upper()))
        sources = [page, HERE / "freestanding" / "string.c", *sorted((project / "src").glob("*.c"))]
        with ThreadPoolExecutor() as pool:
            objects = list(pool.map(lambda source: _object(source, project, Path(work)), sources))
        link = ("-Wl,--no-entry", f"-Wl,-z,stack-size={STACK_BYTES}", "-Wl,--gc-sections", "-Wl,--strip-all")
        _run("clang", *TARGET, *link, *objects, "-o", site / "program.wasm")
    shutil.copy(project / f"{name}_weights.bin", site / "weights.bin")
    for file in (HERE / "page").iterdir():
        shutil.copy(file, site / file.name)


def _object(source: Path, project: Path, work: Path) -> Path:
    made = work / f"{source.stem}.o"
    folders = [f"-I{HERE / 'freestanding'}", f"-I{project / 'include'}", f"-I{project / 'src'}"]
    _run("clang", *TARGET, *folders, "-c", source, "-o", made)
    return made


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    build(asked.bundle, asked.output)
    bytes_ = sum(file.stat().st_size for file in asked.output.iterdir())
    print(f"{asked.output}: {bytes_ / 1e6:.1f} MB; python -m http.server --directory {asked.output}")


if __name__ == "__main__":
    main()
