"""Runs a lowered module by LLVM in this process: torch-mlir's execution engine. Slow, and right."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_mlir import ir
from torch_mlir.dialects import linalg
from torch_mlir.execution_engine import ExecutionEngine
from torch_mlir.passmanager import PassManager
from torch_mlir.runtime import get_ranked_memref_descriptor

from ....ir.caching import (
    CachingCalls,
    FeatureCache,
    full_entry,
    kinds_of,
    shallow_entry,
)
from ....ir.program import Program
from ..emission.emit import interface_of
from ..lowering.pipeline import run

TO_BUFFERS = (
    "builtin.module(inline,func.func(linalg-fuse-elementwise-ops),canonicalize,cse,"
    "one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map},"
    "buffer-deallocation-pipeline)"
)
TO_LLVM = (
    "builtin.module(func.func(convert-linalg-to-loops),convert-scf-to-cf,expand-strided-metadata,lower-affine,"
    "arith-expand,convert-arith-to-llvm,convert-index-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,"
    "convert-cf-to-llvm,reconcile-unrealized-casts)"
)
ENTRY = "dgqc_run"
TYPES = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}
Array = NDArray[Any]


class LlvmProgram:
    """A program, lowered and compiled in this process at the first call that isn't refused."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._interface = interface_of(program)

    @cached_property
    def _function(self) -> LlvmFunction:
        return LlvmFunction(run(self._program).module)

    @cached_property
    def _caching(self) -> CachingCalls:
        """Where something is cached, calls of either kind by a function of their own."""
        return CachingCalls(kinds_of(self._program.graph), self._full, self._shallow)

    @cached_property
    def _full_function(self) -> LlvmFunction:
        return LlvmFunction(run(full_entry(self._program)).module)

    @cached_property
    def _shallow_function(self) -> LlvmFunction:
        return LlvmFunction(run(shallow_entry(self._program)).module)

    def _full(self, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output, kept = _called(self._full_function, given)
        return output, kept

    def _shallow(self, *given: torch.Tensor) -> torch.Tensor:
        (output,) = _called(self._shallow_function, given)
        return output

    def run(
        self, inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None
    ) -> torch.Tensor:
        """One UNet call. inputs: int16 by name. cache: of the drawing. Returns int16.

        Raises DgqcError for a missing or wrong input, or a step outside the schedule.
        """
        given = self._interface.arranged(inputs, step)
        if not self._caching.kinds.sources:
            (result,) = _called(self._function, (*given, torch.tensor(step)))
            return result
        return self._caching.run(cache or FeatureCache(), step, *given)


def _called(function: LlvmFunction, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [torch.from_numpy(found) for found in function([value.numpy() for value in given])]


class LlvmFunction:
    """The only function of a module, from arrays to arrays."""

    def __init__(self, module: ir.Module) -> None:
        """The module is used up."""
        with module.context, ir.Location.unknown():
            function = module.body.operations[0]
            inputs, self._results = list(function.type.inputs), list(function.type.results)
            _add_entry(module, function.name.value, inputs, self._results)
            PassManager.parse(TO_BUFFERS).run(module.operation)
            _copy_in_loops(module)
            PassManager.parse(TO_LLVM).run(module.operation)
            # Optimizing takes minutes where there are thousands of loops.
            self._engine = ExecutionEngine(module, opt_level=0)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """arrays: of the function's types."""
        results: list[Array] = [
            np.empty(kind.shape, dtype=TYPES[kind.element_type.width]) for kind in self._results
        ]
        descriptors = [ctypes.pointer(get_ranked_memref_descriptor(array)) for array in (*arrays, *results)]
        self._engine.invoke(ENTRY, *(ctypes.pointer(descriptor) for descriptor in descriptors))
        return results


def _add_entry(module: ir.Module, name: str, inputs: Sequence[ir.Type], results: Sequence[ir.Type]) -> None:
    """A function that takes buffers and writes the results into the last ones."""
    ins, outs = ([_buffer(kind) for kind in kinds] for kinds in (inputs, results))
    taken = ", ".join(
        [f"%a{i}: {kind}" for i, kind in enumerate(ins)] + [f"%o{i}: {k}" for i, k in enumerate(outs)]
    )
    read = [
        f"%t{i} = bufferization.to_tensor %a{i} restrict : {ins[i]} to {kind}"
        for i, kind in enumerate(inputs)
    ]
    signature = f"({', '.join(map(str, inputs))}) -> ({', '.join(map(str, results))})"
    call = (
        f"%r:{len(results)} = func.call @{name}({', '.join(f'%t{i}' for i in range(len(ins)))}) : {signature}"
    )
    into = "bufferization.materialize_in_destination"
    written = [
        f"{into} %r#{i} in restrict writable %o{i} : ({kind}, {outs[i]}) -> ()"
        for i, kind in enumerate(results)
    ]
    body = "\n".join([*read, call, *written, "return"])
    text = f"""
    func.func private @{name}{signature}
    func.func @{ENTRY}({taken}) attributes {{llvm.emit_c_interface}} {{ {body} }}"""
    parsed = ir.Module.parse(text)
    parsed.body.operations[1].operation.clone(ip=ir.InsertionPoint(module.body))


def _buffer(kind: ir.Type) -> str:
    return str(kind).replace("tensor<", "memref<", 1)


def _copy_in_loops(module: ir.Module) -> None:
    """Copies become loops; else strided ones would call a C library that torch-mlir doesn't ship."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.operation.name == "memref.copy":
            found.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    for op in found:
        with ir.InsertionPoint(op):
            linalg.copy(op.operands[0], outs=[op.operands[1]])
        op.erase()
