"""The same model at other sizes of its sample, in one project: their calls, and functions that choose.

Constants are one block that all programs read, each tensor in it once. What is the first's own, tests and
scripts for building, has others beside it whose names end with the size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ....ir.sample_size import size_of
from .project import INTERFACE, Project, context_of, templates

AXES = {2: ("height", "width"), 3: ("frames", "height", "width")}
"""What the numbers of a size are called in C."""


def program_name(name: str, size: str) -> str:
    """What a program of another size is called in C: `model_64x96`."""
    return f"{name}_{size}"


def size_sources(name: str, sizes: Mapping[str, object]) -> tuple[str, ...]:
    """The files in `src` that other sizes bring, without their `.c`."""
    return (*(program_name(name, size) for size in sizes), f"{name}_sizes") if sizes else ()


def write_sizes(first: Project, others: Mapping[str, Project], directory: Path) -> None:
    """Writes the files of other sizes beside those of the first."""
    environment = templates()

    def write(template: str, path: Path, context: Mapping[str, object]) -> None:
        text = environment.get_template(f"{template}.jinja").render(context)
        path.write_text(text, encoding="utf-8", newline="\n")

    for size, project in others.items():
        name, context = project.signature.name, context_of(project)
        write("model.h", directory / "include" / f"{name}.h", context)
        write("scales.h", directory / "include" / f"{name}_scales.h", context)
        write("model.c", directory / "src" / f"{name}.c", context)
        for template in ("main.c", "vectors.h", "vectors.c", "paths.c"):
            stem, _, kind = template.partition(".")
            write(template, directory / f"{stem}_{size}.{kind}", context)
        interface = directory / f"{Path(INTERFACE).stem}_{size}.json"
        interface.write_text(project.signature.to_json(), encoding="utf-8", newline="\n")
    name = first.signature.name
    programs = [_described(one) for one in (first, *others.values())]
    context = {
        **context_of(first),
        "programs": programs,
        "others": [one["name"] for one in programs[1:]],
        "axes": AXES[len(size_of(first.signature.inputs[0][1]))],
    }
    write("sizes.h", directory / "include" / f"{name}_sizes.h", context)
    write("sizes.c", directory / "src" / f"{name}_sizes.c", context)


def _described(project: Project) -> dict[str, object]:
    """A program's name and its size."""
    (_, shape), *_ = project.signature.inputs
    return {"name": project.signature.name, "size": size_of(shape)}
