"""Targets on the command line: what they append runs where one looks, and a bundle keeps the integers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel

import dgqc
from dgqc.backends.selection import select_targets
from dgqc.bundle.vectors import random_inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level

Run = Callable[..., tuple[int, str, str]]
LAYOUT = "split-products,permute-channels,permute-keys,stream-rows,plan-memory"
QUICK = ("--steps", 2, "--samples", 1, "-O", "naive-w8a8")


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One resnet each way, as a diffusers folder."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    unet = UNet2DModel(4, 2, 2, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4, **blocks)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    unet.save_pretrained(folder)
    return folder


def test_what_a_target_appends_is_seen_as_all_passes_are(run: Run, tiny_folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "tiny.dgqc"
    code, _, err = run(
        "compile", tiny_folder, *QUICK, "-o", bundle, "--timing", "--print-ir-after", "plan-memory"
    )
    assert code == 0, err
    assert "// after plan-memory" in err
    assert {"split-products", "fuse-rows", "plan-memory"} <= {
        line.split("  ")[-1] for line in err.splitlines()
    }
    report = json.loads((bundle / "report.json").read_text())
    assert report["plan-memory"]["arena_bytes"] == report["summary"]["arena_bytes"] > 0
    loaded = dgqc.load(bundle)
    assert loaded.program.layout is None, "a bundle keeps the integer graph as no target has laid it out"
    assert "memory-plan" not in loaded.program.facts


def test_compiling_stops_in_a_targets_passes(run: Run, tiny_folder: Path) -> None:
    code, out, err = run("compile", tiny_folder, *QUICK, "--stop-after", "fuse-rows")
    assert code == 0, err
    assert "fusion groups:" in out
    assert "memory:" not in out


def test_a_pipeline_that_names_a_targets_passes_gives_the_same_bits(tiny_folder: Path) -> None:
    plain = dgqc.compile(tiny_folder, "naive-w8a8", steps=2, samples=1, check=False)
    text = f"{plain.provenance.pipeline},{LAYOUT}"
    with pytest.warns(DeprecationWarning, match="stream-rows is called fuse-rows now"):
        laid_out = dgqc.compile(tiny_folder, pass_pipeline=text, steps=2, samples=1, check=False)
    assert laid_out.program.layout is not None
    (target,) = select_targets(["c"])
    assert target.lay_out(laid_out.program) is laid_out.program, "nothing runs twice"
    inputs = random_inputs(plain.program, 0)
    results = [
        one.run_integers(inputs, 1, backend=b) for one in (plain, laid_out) for b in ("reference", "c")
    ]
    assert all(torch.equal(result, results[0]) for result in results)


def test_a_preset_and_what_targets_append(run: Run) -> None:
    _, out, _ = run("passes", "--pipeline", "w4a6", "--target", "c{tile=8},mlir")
    text, for_c, for_mlir = out.splitlines()
    assert text.endswith("lower-integer")
    assert for_c.endswith("permute-keys,cut-bands,fuse-rows{tile=8,rows=1},plan-memory")
    assert for_mlir == "then, for mlir: nothing"
    _, out, _ = run("passes", "--json")
    owners = {one["name"]: one["target"] for one in json.loads(out)}
    assert owners["plan-memory"] == "c"
    assert owners["gptq"] is None


def test_targets_are_listed(run: Run) -> None:
    _, out, _ = run("targets", "--json")
    listed = {one["name"]: one for one in json.loads(out)}
    assert {"reference", "c", "mlir"} <= set(listed)
    assert listed["mlir"]["runners"] == ["iree", "llvm"]
    _, out, _ = run("compile", "--help")
    assert "reference, c, mlir" in " ".join(out.split())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["mlri"], "There is no target 'mlri': did you mean mlir"),
        (["c,c"], "The target c is named twice"),
        (["c{weight=file}"], "Target c has no option weight .did you mean weights"),
        (["c{weights=tape}"], "weights takes array or object or file or stream or none"),
    ],
)
def test_what_can_not_be_meant_is_refused(wanted: list[str], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        select_targets(wanted)


def test_a_layout_is_a_copy(tiny_folder: Path) -> None:
    program = dgqc.compile(tiny_folder, "naive-w8a8", steps=2, samples=1, check=False).program
    before = [node.format_node() for node in program.graph.graph.nodes]
    (target,) = select_targets(["c"])
    laid_out = target.lay_out(program)
    assert laid_out.level is Level.INTEGER
    assert target.working_memory(laid_out)
    assert [node.format_node() for node in program.graph.graph.nodes] == before
