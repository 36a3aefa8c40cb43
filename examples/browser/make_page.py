"""A page that draws: the C of a bundle with all parts, compiled to WebAssembly, and the page around it.

    dgqc compile examples/demo_model/pipeline -O w4a6 -o build/picture
    python examples/browser/make_page.py build/picture -o build/browser
    python -m http.server --directory build/browser

Wants LLVM's clang and lld (14 or later), on Debian the packages clang and lld; no Emscripten, since the C
needs no C library. Another clang than the first one on the path: --clang clang-16.
"""

from __future__ import annotations

import argparse
import re
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
LINK = ("-Wl,--no-entry", f"-Wl,-z,stack-size={STACK_BYTES}", "-Wl,--gc-sections", "-Wl,--strip-all")
CLANG = "clang"


def build(bundle: Path, site: Path, clang: str = CLANG) -> None:
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
    if missing := lacking(clang):
        sys.exit(missing)
    name = headers[0].name.removesuffix("_draw.h")
    site.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        page = Path(work) / "page.c"
        templates = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined)
        page.write_text(templates.get_template("page.c.jinja").render(name=name, upper=name.upper()))
        sources = [page, HERE / "freestanding" / "string.c", *sorted((project / "src").glob("*.c"))]
        with ThreadPoolExecutor() as pool:
            objects = list(pool.map(lambda source: _object(clang, source, project, Path(work)), sources))
        _run(clang, *TARGET, *LINK, *objects, "-o", site / "program.wasm")
    shutil.copy(project / f"{name}_weights.bin", site / "weights.bin")
    for file in (HERE / "page").iterdir():
        shutil.copy(file, site / file.name)


def lacking(clang: str = CLANG) -> str:
    """What isn't installed, as a sentence; nothing where a page can be made.

    It is tried by using it: a clang calls its linker by a name of its own, wasm-ld-14 for instance.
    """
    if shutil.which(clang) is None:
        return f"{clang} is missing; install LLVM's clang and lld (Debian's packages clang and lld)."
    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "nothing.c")
        source.write_text("int nothing(void) { return 0; }\n")
        compiled = _tried(clang, *TARGET, "-c", source, "-o", source.with_suffix(".o"))
        if compiled:
            return f"{clang} makes no WebAssembly ({compiled}); install LLVM's clang, 14 or later."
        linked = _tried(clang, *TARGET, *LINK, source.with_suffix(".o"), "-o", source.with_suffix(".wasm"))
    if not linked:
        return ""
    version = re.search(r"version (\d+)", subprocess.check_output([clang, "--version"], text=True))
    package = f"lld-{version[1]}" if version else "lld"
    return f"{clang} links no WebAssembly ({linked}); install LLVM's lld (Debian's package {package})."


def _object(clang: str, source: Path, project: Path, work: Path) -> Path:
    made = work / f"{source.stem}.o"
    folders = [f"-I{HERE / 'freestanding'}", f"-I{project / 'include'}", f"-I{project / 'src'}"]
    _run(clang, *TARGET, *folders, "-c", source, "-o", made)
    return made


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")


def _tried(*command: str | Path) -> str:
    """The first line of what a command complains about; nothing where it does its work."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    complaint = done.stderr.strip() or f"it ended with {done.returncode}"
    return complaint.splitlines()[0].removeprefix("clang: error: ") if done.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--clang", default=CLANG, help="the compiler, clang-16 for instance")
    asked = parser.parse_args()
    build(asked.bundle, asked.output, asked.clang)
    bytes_ = sum(file.stat().st_size for file in asked.output.iterdir())
    print(f"{asked.output}: {bytes_ / 1e6:.1f} MB; python -m http.server --directory {asked.output}")


if __name__ == "__main__":
    main()
