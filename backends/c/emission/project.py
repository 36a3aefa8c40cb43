"""The files around the calls: header, constants, test program, Makefile, CMake, runtime."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import torch

from ....ir.caching import ALL_FULL, CallKinds
from ....ir.denoising import DenoisingLoop
from ....ir.errors import DgqcError
from ....ir.storage.json_text import parse_json
from ....ir.storage.schema import checked
from ....ir.tokenizer import Tokenizer
from ....ir.vector import DrawingVector, Vector
from ..kernels.runtime_header import RUNTIME
from ..layout.memory_plan import ALIGNMENT
from .constants import ConstantBlock
from .literals import lookup_source, values
from .loop import write_loop, written_drawing
from .signature_record import EmittedSignatureRecord
from .storage import Storage, header_words, members, weights_file, write_block
from .streaming import Stream
from .symbols import symbols_source
from .tokenizer import write_tokenizer

if TYPE_CHECKING:
    from .functions import Function

TEMPLATES = Path(__file__).parents[1] / "templates"
INTERFACE = "interface.json"
POOL, READER = "dgqc_pool.h", "dgqc_reader.h"
"""Of the runtime's headers those that a caller needs; one where constants are read while a program runs."""


@dataclass(frozen=True)
class Ratios:
    """Factors of an input's scale, in turn for each `run` numbers that lie one after another."""

    run: int
    factors: tuple[float, ...]


@dataclass(frozen=True)
class Signature:
    """What a caller of the emitted program must know; `interface.json` holds it for `run.py`.

    inputs: name and shape, in the order of the C parameters. output: shape. steps: T.
    shared_bytes, thread_bytes: of the arena's part for all threads, and of each thread's part.
    storage, weights_bytes: where the constants are, and how many.
    sources: the files in `src` that make up the program, without their `.c`.
    timesteps: of the schedule's calls. scales: what an integer step of each input, and of the `output`, is
        worth at each call.
    ratios: of inputs some of whose channels have other scales.
    draw_bytes, noise_pictures: what a drawing needs besides, and how many pictures of noise it takes; 0 where
        the program has none.
    cache_bytes, cache_offset: what outlives a call, and where it lies in the arena; 0 where nothing does.
    """

    name: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    output: tuple[int, ...]
    steps: int
    shared_bytes: int
    thread_bytes: int
    storage: Storage
    weights_bytes: int
    sources: tuple[str, ...]
    timesteps: tuple[float, ...]
    scales: dict[str, tuple[float, ...]]
    draw_bytes: int = 0
    ratios: dict[str, Ratios] = field(default_factory=dict)
    noise_pictures: int = 0
    cache_bytes: int = 0
    cache_offset: int = 0

    def to_json(self) -> str:
        young = ("ratios", "cache_bytes", "cache_offset")
        written = {name: value for name, value in asdict(self).items() if name not in young or value}
        return json.dumps(written, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Signature:
        """Raises DgqcError where it isn't what `to_json` writes."""
        found = checked(
            EmittedSignatureRecord, parse_json(text, INTERFACE), INTERFACE, "emit the program again"
        )
        return Signature(
            found.name,
            tuple((name, tuple(shape)) for name, shape in found.inputs),
            tuple(found.output),
            found.steps,
            found.shared_bytes,
            found.thread_bytes,
            Storage(found.storage),
            found.weights_bytes,
            tuple(found.sources),
            tuple(found.timesteps),
            {name: tuple(scale) for name, scale in found.scales.items()},
            found.draw_bytes,
            {name: Ratios(one.run, tuple(one.factors)) for name, one in found.ratios.items()},
            found.noise_pictures,
            found.cache_bytes,
            found.cache_offset,
        )


@dataclass(frozen=True)
class Project:
    """Everything that goes into a folder.

    functions: the fusion groups. copies: what brings the result to the output. drawing: what the loop must
        draw. kernel_sources: C files of kernels that other packages register. shipped: a folder that may hold
        these constants already. tokenizer: of a text encoder. stream: the windows in which constants are
        read while the program runs. kinds: of calls. weights: the name of the program whose constants
        these are, of another size; None where they are its own. sizes: that are written beside this one.
    """

    signature: Signature
    functions: list[Function]
    copies: list[str]
    constants: ConstantBlock
    vectors: tuple[Vector, ...]
    loop: DenoisingLoop | None = None
    drawing: DrawingVector | None = None
    kernel_sources: tuple[Path, ...] = ()
    shipped: Path | None = None
    tokenizer: Tokenizer | None = None
    stream: Stream | None = None
    kinds: CallKinds = ALL_FULL
    weights: str | None = None
    sizes: tuple[str, ...] = ()


def runtime_sources() -> list[Path]:
    """The hand-written kernels and headers."""
    return sorted(path for path in RUNTIME.iterdir() if path.suffix in (".c", ".h"))


def source_names(
    name: str,
    storage: Storage,
    loop: bool = False,
    kernel_sources: Sequence[Path] = (),
    tokenizer: bool = False,
    sizes: Sequence[str] = (),
) -> tuple[str, ...]:
    """What a program's folder `src` holds to be compiled, constants first since they take longest.

    sizes: what programs of other sizes bring.
    Raises DgqcError where two files would have one name.
    """
    kernels = sorted(path.stem for path in (*runtime_sources(), *kernel_sources) if path.suffix == ".c")
    own = (name, *([f"{name}_loop"] if loop else ()), *([f"{name}_tokenizer"] if tokenizer else ()))
    constants = () if storage.apart else (f"{name}_weights",)
    found = (*constants, *own, *sizes, "dgqc_lookup", *kernels)
    twice = next((source for source in found if found.count(source) > 1), None)
    if twice is not None:
        raise DgqcError(f"Two C files would be called {twice}.c; rename the kernel's source.")
    return found


def templates() -> jinja2.Environment:
    """What templates are read with."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def write_project(project: Project, directory: Path) -> None:
    """Writes all files, each whole, over those of an earlier emission."""
    signature = project.signature
    name, sources = signature.name, directory / "src"
    (directory / "include").mkdir(parents=True, exist_ok=True)
    sources.mkdir(exist_ok=True)
    kernels = (*runtime_sources(), *project.kernel_sources)
    for path in kernels:
        shutil.copyfile(path, sources / path.name)
    (sources / "dgqc_lookup.c").write_text(lookup_source(), encoding="utf-8", newline="\n")
    texts = [lookup_source(), *(path.read_text(encoding="utf-8") for path in kernels)]
    (sources / "dgqc_symbols.h").write_text(symbols_source(texts), encoding="utf-8", newline="\n")
    files = {
        "model.h": directory / "include" / f"{name}.h",
        "model.c": sources / f"{name}.c",
        "main.c": directory / "main.c",
        "vectors.h": directory / "vectors.h",
        "vectors.c": directory / "vectors.c",
        "paths.c": directory / "paths.c",
        "Makefile": directory / "Makefile",
        "CMakeLists.txt": directory / "CMakeLists.txt",
        "config.cmake": directory / f"{name}-config.cmake.in",
        "pkg-config.pc": directory / f"{name}.pc.in",
        "scales.h": directory / "include" / f"{name}_scales.h",
        "program.py": directory / f"{name}.py",
    }
    environment = templates()
    if signature.storage.apart:
        host = signature.storage.host
        files |= {f"{host}.{kind}": directory / f"{host}.{kind}" for kind in "hc"}
    else:
        files |= {f"weights_{signature.storage}.c": sources / f"{name}_weights.c"}
    for header in (POOL, *([READER] if signature.storage is Storage.STREAM else ())):
        shutil.copyfile(RUNTIME / header, directory / "include" / header)
    if signature.storage is not Storage.ARRAY:
        shipped = project.shipped / weights_file(name) if project.shipped else None
        write_block(project.constants, directory / weights_file(name), shipped)
    if project.loop is not None:
        caches = signature.cache_bytes
        write_loop(environment, project.loop, directory, signature.name, signature.inputs, caches)
    if project.tokenizer is not None:
        write_tokenizer(environment, project.tokenizer, directory, signature.name)
    context = context_of(project)
    for template, path in files.items():
        path.write_text(
            environment.get_template(f"{template}.jinja").render(context), encoding="utf-8", newline="\n"
        )
    (directory / INTERFACE).write_text(signature.to_json(), encoding="utf-8", newline="\n")


def context_of(project: Project) -> dict[str, Any]:
    """What the templates know."""
    signature, name, kinds = project.signature, project.signature.name, project.kinds
    weights = project.weights or name
    return {
        "name": name,
        "version": version("dgqc"),
        "upper": name.upper(),
        "signature": signature,
        "inputs": [(item, " x ".join(map(str, shape)), math.prod(shape)) for item, shape in signature.inputs],
        "output": (" x ".join(map(str, signature.output)), math.prod(signature.output)),
        "functions": project.functions,
        "copies": project.copies,
        "storage": signature.storage.value,
        "host": signature.storage.host if signature.storage.apart else "",
        "stream": project.stream,
        "full_calls": kinds.sources,
        "keeps_two": kinds.two,
        "amends": kinds.amends,
        "answer_bytes": 2 * math.prod(signature.output),
        "foretold_by": [kinds.foretold_by(step) for step in range(len(kinds.sources))],
        "weights": weights,
        "weights_file": weights_file(weights),
        "vectors_name": f"vectors{name.removeprefix(weights)}",
        "sizes": project.sizes,
        "header": [f"0x{word:016x}U" for word in header_words(project.constants)],
        "members": members(project.constants) if signature.storage is Storage.ARRAY else [],
        "vectors": _vectors(project),
        "drawing": written_drawing(project.drawing, signature.inputs),
        "sources": signature.sources,
        "common": common_sources(name),
        "timesteps": _numbers(signature.timesteps),
        "scales": [(item, _numbers(scale)) for item, scale in signature.scales.items()],
        "ratios": [
            (item, one.run, len(one.factors), _numbers(one.factors)) for item, one in signature.ratios.items()
        ],
        "kernel_headers": [path.name for path in project.kernel_sources if path.suffix == ".h"],
        "alignment": ALIGNMENT,
    }


def common_sources(name: str) -> frozenset[str]:
    """The sources of a program that a library of several paths has once: what doesn't run in a call, and
    tables."""
    return frozenset(
        {"dgqc_lookup", *(f"{name}_{kind}" for kind in ("weights", "loop", "tokenizer", "sizes"))}
    )


def _numbers(values: Sequence[float]) -> str:
    """C initializers that give back the same double precision numbers."""
    return ",\n    ".join(repr(float(value)) for value in values)


def _vectors(project: Project) -> list[dict[str, object]]:
    """Test vectors as C initializers."""
    signature, written = project.signature, []
    for number, vector in enumerate(project.vectors):
        shapes = {**dict(signature.inputs), "the output": signature.output}
        tensors = {**vector.inputs, "the output": vector.output}
        for name, shape in shapes.items():
            tensor = tensors.get(name)
            if tensor is None or tensor.dtype != torch.int16 or tuple(tensor.shape) != shape:
                found = "missing" if tensor is None else f"{tensor.dtype} of shape {tuple(tensor.shape)}"
                raise DgqcError(
                    f"Test vector {number}: {name} must be int16 of shape {shape} but is {found}."
                )
        if not 0 <= vector.step < signature.steps:
            raise DgqcError(
                f"Test vector {number}: step {vector.step} is outside 0 .. {signature.steps - 1}."
            )
        inputs = [values(vector.inputs[name].contiguous()) for name, _ in signature.inputs]
        written.append({"step": vector.step, "inputs": inputs, "output": values(vector.output.contiguous())})
    return written
