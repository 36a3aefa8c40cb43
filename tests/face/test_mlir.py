"""A small UNet as MLIR: the command line, the runners, and stock tools outside dgqc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

pytest.importorskip("torch_mlir")
pytest.importorskip("iree.compiler")

from torch_mlir import ir

import dgqc
from dgqc.backends.mlir.emission.emit import emit
from dgqc.backends.mlir.emission.parameters import ConstantStore
from dgqc.backends.mlir.execution.iree import loaded
from dgqc.bundle.vectors import random_inputs, reference_vectors
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.verify import verify
from dgqc.ir.errors import DgqcError

TOOLS = [Path(sys.executable).parent, Path(ir.__file__).parents[4] / "bin"]
"""Where `iree-compile`, `iree-run-module` and `torch-mlir-opt` are installed."""


def one_level(attention: bool) -> CompiledProgram:
    """One resnet each way, with or without attention in the middle."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=4,
        in_channels=2,
        out_channels=2,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        add_attention=attention,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    return dgqc.compile(unet.eval(), "w4a6", steps=2, samples=2, check=False)


@pytest.fixture(scope="module")
def tiny() -> CompiledProgram:
    return one_level(attention=True)


@pytest.fixture(scope="module")
def bundle(tiny: CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("mlir") / "tiny.dgqc", targets=("c", "mlir"))


def stock(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with the installed tools on the path, in a folder."""
    path = os.pathsep.join([*map(str, TOOLS), os.environ["PATH"]])
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_all_backends_agree(tmp_path: Path) -> None:
    """Without attention, which the stock tools run below."""
    found = verify(dgqc.load(one_level(attention=False).save(tmp_path / "plain.dgqc")))
    assert found.backends == ("reference", "c", "iree", "llvm")
    assert found.bit_exact, found.difference


def test_stock_tools_give_the_same_bits(tiny: CompiledProgram, bundle: Path, tmp_path: Path) -> None:
    """With constants in a file of their own; the bundle has them in the module."""
    emit(tiny.program, tmp_path, store=ConstantStore.PARAMETERS, vectors=reference_vectors(tiny.program)[:2])
    assert "dense_resource" not in (tmp_path / "model.mlir").read_text()
    done = stock(tmp_path, "sh", "run.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("every bit agrees") == 2
    inputs = random_inputs(tiny.program, 5)
    program = loaded((tmp_path / "model.vmfb").read_bytes(), tmp_path / "model.safetensors")
    found = program["main"](inputs["sample"].numpy(), np.asarray(1)).to_host()
    assert np.array_equal(found, tiny.run_integers(inputs, 1, backend="reference").numpy())
    output = tmp_path / "vectors" / "step_0" / "output.npy"
    wrong = np.load(output)
    wrong.flat[0] ^= 1
    np.save(output, wrong)
    assert stock(tmp_path, "sh", "run.sh").returncode != 0


def test_stock_tools_read_the_module(tiny: CompiledProgram, bundle: Path, tmp_path: Path) -> None:
    emit(tiny.program, tmp_path, store=ConstantStore.PARAMETERS)
    opt = ("torch-mlir-opt", "model.mlir", "-o", os.devnull)
    assert stock(bundle / "mlir", *opt).returncode == 0
    assert stock(tmp_path, *opt, "--allow-unregistered-dialect").returncode == 0


def test_a_wrong_call_is_refused(tiny: CompiledProgram) -> None:
    with pytest.raises(DgqcError, match="outside the program's schedule"):
        tiny.run_integers(random_inputs(tiny.program, 0), 2, backend="llvm")
    with pytest.raises(DgqcError, match="The input sample is missing"):
        tiny.run_integers({}, 0, backend="llvm")
