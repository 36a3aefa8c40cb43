"""A program at the integer level as a folder: the module, its signature, test vectors, a script to run them.

model.mlir          `func`, `linalg` on tensors, `tensor`, `arith`: one function @main
model.safetensors   the constants of a large program, as IREE parameters
interface.json      names, shapes and sizes
vectors/NAME/*.npy  inputs and outputs that must come out
run.sh              compiles with stock `iree-compile` and compares with the vectors by `iree-run-module`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import fx
from torch_mlir import ir

from ....ir.arithmetic.operands import ensure_shapes, shape_of
from ....ir.caching import ALL_FULL, CACHE, full_entry, has_both_calls, kinds_of, shallow_entry
from ....ir.errors import DgqcError
from ....ir.level import Level
from ....ir.program import Program
from ....ir.tensors import constants
from ....ir.vector import Vector
from ..lowering.importer import FUNCTION
from ..lowering.pipeline import ModuleWatch, ignore, run
from .flags import FLAGS, TILED
from .interface import INTERFACE, MODULE, PARAMETERS, SHALLOW, Interface
from .parameters import SCOPE, ConstantStore, Stored, rename, same_parameters, write_parameters

LARGE = 32 * 2**20
"""Constants of more bytes leave the module for a file of parameters."""


def emit(
    program: Program,
    directory: Path,
    *,
    store: ConstantStore | None = None,
    vectors: Sequence[Vector] = (),
    watch: ModuleWatch = ignore,
    name: str | None = None,
    first: Mapping[str, Stored] | None = None,
) -> Mapping[str, Stored]:
    """Writes the program into `directory`, which is made if need be.

    store: where constants lie; None keeps up to `LARGE` bytes of them in the module.
    vectors: what `run.sh` compares. watch: told each pass and the module it left. name: of the module, so
    that several can be loaded together; without vectors it has no script of its own. first: parameters of the
    program in the folder above, of which those that are the same are read from there.
    Where a value is cached, the folder is the full calls', whose module returns what is kept as well, and the
    folder `shallow` in it those of shallow calls, which take that before the step. Which calls are which,
    and the amends, are left to the caller; the interface has what it takes.
    Returns the parameters that the module reads.
    Raises DgqcError when the program is not at the integer level or has several outputs.
    """
    calls = ALL_FULL
    if has_both_calls(program.graph.graph):
        calls = kinds_of(program.graph)
        shallow = [vector for vector in vectors if vector.cache is not None]
        vectors = [vector for vector in vectors if vector.cache is None]
        named = None if name is None else f"{name}_{SHALLOW}"
        entry = shallow_entry(program)
        emit(entry, directory / SHALLOW, store=store, vectors=shallow, watch=watch, name=named)
        program = full_entry(program)
    interface = interface_of(program).with_calls(calls)
    store = store or store_for(program)
    lowered = run(program, store, watch)
    shared = same_parameters(lowered.parameters, first or {})
    if name is not None:
        rename(lowered.module, name, shared)
    directory.mkdir(parents=True, exist_ok=True)
    write_module(lowered.module, directory / MODULE)
    own = {key: stored for key, stored in lowered.parameters.items() if key not in shared}
    if own:
        write_parameters(own, directory / PARAMETERS)
        interface = interface.with_parameters()
    (directory / INTERFACE).write_text(interface.to_json(), encoding="utf-8", newline="\n")
    for vector in vectors:
        _write_vector(vector, interface, directory / "vectors" / f"step_{vector.step}")
    if name is None or vectors:
        above = f" --parameters={SCOPE}=../{PARAMETERS}" if shared else ""
        script = directory / "run.sh"
        text = _script(interface, vectors, name or SCOPE, above)
        script.write_text(text, encoding="utf-8", newline="\n")
        script.chmod(0o755)
    return lowered.parameters


def interface_of(program: Program) -> Interface:
    """The signature of the emitted function."""
    if program.level is not Level.INTEGER:
        raise DgqcError(
            f"The MLIR backend takes programs at the integer level, not {program.level}; lower it first."
        )
    ensure_shapes(program)
    result = next(node for node in program.graph.graph.nodes if node.op == "output").args[0]
    kept = None
    if isinstance(result, tuple) and len(result) == 2:  # a full call's
        result, kept = result
    if not isinstance(result, fx.Node):
        raise DgqcError("The MLIR backend takes graphs with one output, and this one has several.")
    inputs = tuple((item.name, item.shape) for item in program.inputs)
    held = None if kept is None else shape_of(kept)
    return Interface(FUNCTION, inputs, shape_of(result), len(program.schedule), kept=held)


def store_for(program: Program) -> ConstantStore:
    """Resources for a program whose constants are few enough to be text."""
    total = sum(value.nbytes for _, value in constants(program.graph))
    return ConstantStore.PARAMETERS if total > LARGE else ConstantStore.RESOURCES


def write_module(module: ir.Module, path: Path) -> None:
    """As text, values named after the nodes they come from."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        module.operation.print(file=file, use_name_loc_as_prefix=True, assume_verified=True)


def _write_vector(vector: Vector, interface: Interface, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    step = torch.tensor(vector.step)
    held = {} if vector.cache is None else {CACHE: vector.cache}
    output = vector.output if vector.alone is None else vector.alone
    for name, value in {**vector.inputs, **held, "step": step, "output": output}.items():
        np.save(folder / f"{name}.npy", value.numpy())


def _script(interface: Interface, vectors: Sequence[Vector], scope: str, above: str) -> str:
    """scope: of the parameters beside the module. above: the flag for those that are another program's."""
    names = [name for name, _ in interface.inputs] + ["step"]
    inputs = " ".join(f'--input="@$vector/{name}.npy"' for name in names)
    parameters = f" --parameters={scope}={interface.parameters}" if interface.parameters else ""
    parameters = above + parameters
    flags = " ".join(FLAGS)
    folders = " ".join(f"vectors/step_{vector.step}" for vector in vectors)
    return f"""#!/bin/sh
# Compiles the module for this machine and compares its outputs with the vectors, bit by bit.
set -e
cd "$(dirname "$0")"
[ model.vmfb -nt {MODULE} ] || iree-compile {MODULE} {flags} {TILED} -o model.vmfb ||
    iree-compile {MODULE} {flags} -o model.vmfb
for vector in {folders}; do
    iree-run-module --module=model.vmfb{parameters} --device=local-task --function={interface.function} \\
        {inputs} --output=@output.npy{" --output=@kept.npy" if interface.kept else ""}
    cmp output.npy "$vector/output.npy"
    echo "$vector: every bit agrees"
done
"""
