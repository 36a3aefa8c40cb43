"""One program for several sizes of its sample, over one set of weights."""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel

import dgqc
from dgqc.compiler.request import Request
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.errors import DgqcError
from dgqc.ir.tensors import constants, equal_tensors
from dgqc.report.quality import decibels

SIZES = ((8, 8), (8, 12), (12, 8))
PIPELINE = (
    "fold-time-embedding,split-prologue,insert-sites,merge-quantizers,quantize-weights,observe-ranges,"
    "outlier-dims,kmeans-groups{groups=2},uniform-quant,timestep-tables,lower-integer"
)


def tiny() -> UNet2DModel:
    """With attention, whose tokens are pixels."""
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8,
        in_channels=2,
        out_channels=2,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",),
    ).eval()


@pytest.fixture(scope="module")
def compiled() -> CompiledProgram:
    return dgqc.compile(
        tiny(), pass_pipeline=PIPELINE, steps=1, samples=2, sample_size=SIZES, check=False, seed=1
    )


@pytest.fixture(scope="module")
def saved(compiled: CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled.save(tmp_path_factory.mktemp("sizes") / "b", targets=[])


def test_weights_are_the_same_tensors(compiled: CompiledProgram) -> None:
    held = dict(constants(compiled.program.graph))
    for one in compiled.sizes.values():
        own = dict(constants(one.program.graph))
        weights = {name for name, value in own.items() if value.dtype is torch.int8}
        assert weights
        assert all(own[name] is held[name] for name in weights)
        apart = {name for name in own if name in held and own[name] is not held[name]}
        assert apart
        assert not any(equal_tensors(own[name], held[name]) for name in apart)


def test_calls_choose_by_their_sample(compiled: CompiledProgram) -> None:
    """Each is near to the float model, though ranges are those of the first."""
    model, found = tiny(), []
    for height, width in SIZES:
        sample = torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(2))
        timestep = compiled.program.schedule.timesteps[0]
        with torch.no_grad():
            wanted = model(sample, timestep).sample
        answer = compiled.run(sample, timestep, backend="reference")
        assert answer.shape == sample.shape
        found.append(decibels(wanted, answer))
    assert min(found) > 12, found


def test_a_size_that_there_is_not(compiled: CompiledProgram) -> None:
    with pytest.raises(DgqcError, match="no size 9x9; it has 8x8, 8x12, 12x8"):
        compiled.run(torch.zeros(1, 2, 9, 9), step=0)


def test_bundles_store_weights_once(compiled: CompiledProgram, saved: Path) -> None:
    whole, part = (saved / "program" / place / "program.safetensors" for place in ("", "8x12"))
    assert part.stat().st_size < whole.stat().st_size / 4
    again = dgqc.load(saved)
    sample = torch.randn(1, 2, 8, 12)
    assert torch.equal(*(one.run(sample, step=0, backend="reference") for one in (compiled, again)))
    held = dict(constants(again.program.graph))
    assert any(value is held.get(name) for name, value in constants(again.sizes["8x12"].program.graph))
    pickled = pickle.loads(pickle.dumps(compiled))
    assert list(pickled.sizes) == ["8x12", "12x8"]


def test_the_manifest_lists_sizes(saved: Path) -> None:
    text = (saved / "manifest.json").read_text()
    assert '"8x12"' in text
    assert '"12x8"' in text


def test_each_size_once() -> None:
    with pytest.raises(DgqcError, match="name one twice"):
        Request(tiny(), sample_size=((8, 8), (8, 8)))


def test_another_graph_is_refused() -> None:
    """Sizes that the model can't halve exactly make it compute something else."""
    model = UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    with pytest.raises(DgqcError, match=r"9 x 9|9x9"):
        dgqc.compile(model, "naive-w8a8", steps=1, sample_size=((8, 8), (9, 9)), check=False)


CHOICE = """
#include "model_sizes.h"
#include "vectors_8x12.h"
static int16_t result[MODEL_8X12_OUTPUT_ELEMENTS];
static unsigned char memory[(1 << 20) + 64];
int main(void)
{
    unsigned char *arena = memory + (64 - (uintptr_t)memory % 64) % 64;
    model_sized_program program;
    if (model_size_of(9, 9) != MODEL_SIZES || model_size_of(8, 12) != 1) {
        return 2;
    }
    if (model_sized_init(&program, MODEL_SIZES, &model_weights, MODEL_WEIGHTS_BYTES, arena, 1 << 20) !=
            MODEL_SIZE_UNKNOWN ||
        model_sized_init(&program, 1, &model_weights, MODEL_WEIGHTS_BYTES, arena, 1 << 20) != MODEL_OK) {
        return 3;
    }
    for (size_t v = 0; v != VECTOR_COUNT; v++) {
        if (model_sized_run(&program, test_vectors[v].step, test_vectors[v].sample, result) != MODEL_OK) {
            return 4;
        }
        for (size_t i = 0; i < MODEL_8X12_OUTPUT_ELEMENTS; i++) {
            if (result[i] != test_vectors[v].output[i]) {
                return 1;
            }
        }
    }
    return 0;
}
"""


@pytest.mark.slow
def test_c_runs_every_size_over_one_block(compiled: CompiledProgram, tmp_path: Path) -> None:
    """What the reference gives at each size, by its own function and by the one that chooses."""
    project = compiled.save(tmp_path / "b", targets=["c"]) / "c"
    interfaces = [json.loads(path.read_text()) for path in sorted(project.glob("interface*.json"))]
    assert len({one["weights_bytes"] for one in interfaces}) == 1
    plain = ["ARCH=", "OPENMP=0", "CFLAGS=-O1"]
    subprocess.run(["make", *plain, "tests"], cwd=project, check=True, capture_output=True)
    for name in ("model_test", "model_8x12_test", "model_12x8_test"):
        said = subprocess.run([f"./{name}"], cwd=project, check=True, capture_output=True).stdout.decode()
        assert said.endswith("1 vectors, 0 elements wrong\n")
    (project / "choice.c").write_text(CHOICE)
    own = ["choice.c", "build/vectors_8x12.o", "build/libmodel.a", "-o", "choice"]
    subprocess.run(["cc", "-std=c99", "-Iinclude", "-I.", *own], cwd=project, check=True)
    subprocess.run(["./choice"], cwd=project, check=True)


@pytest.mark.slow
def test_mlir_shares_parameters(compiled: CompiledProgram, tmp_path: Path) -> None:
    pytest.importorskip("torch_mlir")
    project = compiled.save(tmp_path / "b", targets=["mlir"]) / "mlir"
    whole, own = (project / place / "model.safetensors" for place in ("", "8x12"))
    assert own.stat().st_size < whole.stat().st_size / 2
    text = (project / "8x12" / "model.mlir").read_text()
    assert '<"model"::' in text
    assert '<"size_8x12"::' in text


@pytest.mark.slow
def test_a_stream_of_constants_is_one_programs(compiled: CompiledProgram, tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="can't emit several sizes"):
        compiled.save(tmp_path / "b", targets=["c{weights=stream}"])
