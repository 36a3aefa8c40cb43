"""Each op of the integer level has a C kernel, the runtime's sizes are those of C, and others may bring
kernels."""

from __future__ import annotations

import operator
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from dgqc.backends import reference
from dgqc.backends.c import CProgram, emit
from dgqc.backends.c.emission.project import source_names
from dgqc.backends.c.emission.storage import Storage
from dgqc.backends.c.kernels import registry
from dgqc.backends.c.kernels.kernel import Kernel, by_rows
from dgqc.backends.c.kernels.kernel_call import struct
from dgqc.backends.c.kernels.registry import FAMILIES, kernels, register_kernel
from dgqc.backends.c.kernels.runtime_header import RUNTIME, defined, defined_numbers
from dgqc.ir.errors import DgqcError
from dgqc.ir.ops.integer import integer_ops

from .integer_graph import IntegerGraph
from .kernels import planned

aten, dgqc = torch.ops.aten, torch.ops.dgqc
PLACES = {aten.reshape.default, operator.getitem, dgqc.at_step.default}
"""Ops whose values lie inside others: nothing is computed."""
STRUCTS = {
    "DGQC_PRODUCT_BYTES": "dgqc_product",
    "DGQC_ACCUMULATION_BYTES": "dgqc_accumulation",
    "DGQC_GENERAL_BYTES": "dgqc_general",
    "DGQC_SEGMENT_BYTES": "dgqc_segment",
    "DGQC_RUN_BYTES": "dgqc_run",
}


@pytest.mark.parametrize("op", [op for op in integer_ops() if op not in PLACES], ids=str)
def test_every_op_has_a_kernel(op: Any) -> None:
    assert op in kernels(), (
        f"{op} has no C kernel: write runtime/dgqc_{str(op).split('.')[1]}.c in backends/c, its struct and "
        "prototypes in runtime/dgqc_runtime.h, and a Kernel in one of backends/c/kernels/: "
        f"{', '.join(family.__name__.rpartition('.')[2] for family in FAMILIES)} (docs/c-backend.md)."
    )


def test_every_kernel_is_of_an_op() -> None:
    assert set(kernels()) <= set(integer_ops())


def test_a_second_kernel_of_an_op_is_refused() -> None:
    with pytest.raises(ValueError, match=r"linear\.default has a C kernel already"):
        register_kernel(kernels()[dgqc.linear.default])


def test_numbers_of_the_headers_are_those_of_c(tmp_path: Path) -> None:
    """What Python reads is what a compiler sees, and structs fit what is set aside for them."""
    names = ("product", "general", "attend", "matmul", "norm", "stream", "winograd")
    headers = "".join(f'#include "dgqc_{name}.h"\n' for name in names)
    numbers = "".join(f'printf("{name} %lu\\n", (unsigned long){name});' for name in defined_numbers())
    sizes = "".join(f'printf("{kind} %lu\\n", (unsigned long)sizeof({kind}));' for kind in STRUCTS.values())
    body = f"#include <stdio.h>\n{headers}int main(void) {{ {numbers} {sizes} return 0; }}\n"
    (tmp_path / "sizes.c").write_text(body)
    command = ["gcc", "-std=c99", f"-I{RUNTIME}", "sizes.c", "-o", "sizes"]
    subprocess.run(command, cwd=tmp_path, check=True)
    lines = subprocess.run(["./sizes"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    found = {name: int(number) for name, number in (line.split() for line in lines.splitlines())}
    assert {name: found[name] for name in defined_numbers()} == defined_numbers()
    for name, kind in STRUCTS.items():
        assert found[kind] <= defined(name) < found[kind] + defined("DGQC_ALIGNMENT")


@pytest.fixture
def negation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An op of another package, -max(x, -32767) of int16, with a kernel of its own in C."""
    prototype = (
        "void dgqc_negate_rows(const dgqc_negate_parameters *p, size_t step, dgqc_rows rows,\n"
        "                      const int16_t *x, int16_t *y)"
    )
    (tmp_path / "stranger_negate.h").write_text(
        f"typedef struct {{\n    size_t columns;\n}} dgqc_negate_parameters;\n\n{prototype};\n"
    )
    (tmp_path / "stranger_negate.c").write_text(
        f'#include "dgqc_runtime.h"\n#include "stranger_negate.h"\n\n{prototype}\n{{\n    (void)step;\n'
        "    for (size_t i = 0; i < rows.count * p->columns; i++) {\n"
        "        y[i] = (int16_t)(x[i] < -32767 ? 32767 : -x[i]);\n    }\n}\n"
    )

    def negate(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return -x.clamp(min=-32767)

    with torch.library._scoped_library("stranger", "FRAGMENT") as library:
        library.define("negate(Tensor x, Tensor step) -> Tensor")
        library.impl("negate", negate, "CompositeExplicitAutograd")
        monkeypatch.setattr(registry, "_kernels", dict(registry._kernels))
        op = torch.ops.stranger.negate.default
        register_kernel(
            Kernel(
                op,
                lambda node, a, context: context.by_rows(
                    "negate", node, struct(columns=node.meta["val"].shape[-1]), (context.rows(a["x"]),)
                ),
                by_rows("x"),
                sources=(tmp_path / "stranger_negate.h", tmp_path / "stranger_negate.c"),
            )
        )
        yield op


def test_a_kernel_of_another_package_runs(negation: Any, tmp_path: Path) -> None:
    g = IntegerGraph()
    (x,) = g.take(x=(1, 40, 16))
    scale = (g.table(2**29, 2**30, g.steps), g.table(30, 31, g.steps))
    turned = g.call(negation, g.call(dgqc.rescale.default, x, g.step, *scale), g.step)
    program = planned(g.finish(g.call(dgqc.rescale.default, turned, g.step, *scale)))
    emit(program, tmp_path / "out")
    assert (tmp_path / "out" / "src" / "stranger_negate.c").exists()
    inputs = {"x": torch.arange(640).reshape(1, 40, 16).mul(97).to(torch.int16)}
    found = CProgram(tmp_path / "out").run(inputs, 1)
    assert torch.equal(found, reference.run(program, inputs, 1))


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(DgqcError, match=r"Two C files would be called dgqc_add\.c; rename"):
        source_names("model", Storage.ARRAY, False, [Path("elsewhere/dgqc_add.c")])
