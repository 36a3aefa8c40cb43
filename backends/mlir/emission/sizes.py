"""The same model at other sizes of its sample, beside the first: modules over one file of constants.

model.mlir, model.safetensors   the first's, as a program alone has them; large constants are parameters
96x64/model.mlir                module @size_96x64; what is the first's it reads from the scope `model`
96x64/model.safetensors         what is its own alone, in the scope `size_96x64`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ....ir.program import Program
from ....ir.vector import Vector
from ..lowering.pipeline import ModuleWatch, ignore
from .emit import emit
from .parameters import ConstantStore


def module_name(size: str) -> str:
    """What the module of another size is called; a name can't begin with a digit."""
    return f"size_{size}"


def emit_sizes(
    program: Program,
    directory: Path,
    vectors: Sequence[Vector],
    vectors_by_size: Mapping[str, Sequence[Vector]],
    watch: ModuleWatch = ignore,
) -> None:
    """Writes a program and those of its other sizes. vectors: of the first. watch: told of the first."""
    store = ConstantStore.PARAMETERS
    first = emit(program, directory, store=store, vectors=vectors, watch=watch)
    for size, one in program.sizes.items():
        own = {"name": module_name(size), "vectors": vectors_by_size[size], "first": first}
        emit(one, directory / size, store=store, **own)  # type: ignore[arg-type]
