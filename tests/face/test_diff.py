"""`dgqc diff`: what differs between bundles, and where values part."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import architectures
import pytest
import torch
from safetensors.torch import load_file, save_file

from dgqc.execution import parting
from dgqc.execution.compiled_program import CompiledProgram, load
from dgqc.execution.one_call import random_floats
from dgqc.execution.parting import Traced, first_bits_apart, layers_beside, traced

from .conftest import compiled_small

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with other bits."""
    program = compiled_small("small", "w8a8", samples=1)
    return program.save(tmp_path_factory.mktemp("bundles") / "wider.dgqc", targets=["reference"])


def reported(bundle: Path) -> dict[str, float]:
    """The summary of a bundle's own report."""
    return dict(json.loads((bundle / "report.json").read_text())["summary"])


def test_two_bundles_side_by_side(saved: Path, wider: Path, run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "values.safetensors"
    code, out, _ = run("diff", saved, wider, "-o", kept, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["papers"]["asked"]["opt"] == ["w4a6", "w8a8"]
    assert "- quantize-weights{bits=4}" in found["papers"]["passes"]
    figures = found["papers"]["figures"]
    assert figures["weight_bits"] == [4, 8]
    assert figures["size_mb"] == [reported(one)["size_mb"] for one in (saved, wider)]
    assert figures["bops_t"][0] < figures["bops_t"][1]
    assert all(len(pair) == 2 for pair in found["papers"]["layers"].values())
    plans = found["papers"]["plans"].values()
    assert any(own.startswith("weights of 4 bits, codes of 6 bits in 8 groups of ") for own, _ in plans)
    assert all(other.startswith(("weights of 8 bits", "codes of ")) for _, other in plans)
    values = load_file(kept)
    assert not torch.equal(values["a"], values["b"])
    code, out, _ = run("diff", saved, wider)
    assert "w4a6" in out
    assert "plans of" in out
    assert f"The first to part is {found['first']['where']}" in out


def test_a_bundle_beside_itself(saved: Path, run: Run) -> None:
    code, out, _ = run("diff", saved, saved)
    assert code == 0
    assert "On these inputs no value parts." in out


def test_a_changed_bias_is_found(program: CompiledProgram, saved: Path) -> None:
    """One constant changed in the middle: the op that reads it is the first whose bits part."""
    other = load(saved)
    own = traced(program, random_floats(program, 0), 0)
    nodes = list(other.program.graph.graph.nodes)
    reader = [node for node in nodes if "conv2d" in str(node.target)][2]
    weight = next(one for one in reader.all_input_nodes if one.op == "get_attr" and "weight" in one.target)
    constant = other.program.graph.get_buffer(weight.target)
    constant.copy_(torch.where(constant == 0, 1, 0).to(constant.dtype))
    found = first_bits_apart(own, traced(other, random_floats(program, 0), 0))
    assert found is not None
    assert found.where == reader.name


def test_a_bundle_beside_its_model(saved: Path, model_folder: Path, run: Run, tmp_path: Path) -> None:
    given = tmp_path / "in.safetensors"
    save_file({"sample": torch.randn(1, 3, 8, 8)}, given)
    kept = tmp_path / "values.safetensors"
    code, out, _ = run("diff", saved, model_folder, "--inputs", given, "--least", "99", "-o", kept, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["layers_db"]["conv_in"] > 15
    assert found["first"]["where"] == next(iter(found["layers_db"]))
    assert {name: value.dtype for name, value in load_file(kept).items()} == {
        "a": torch.float32,
        "b": torch.float32,
    }
    assert "The first to part is" in run("diff", saved, model_folder, "--least", "99")[1]
    assert "no layer is below 3.5 dB (--least)." in run("diff", saved, model_folder, "--least", "3.5")[1]


def test_other_models_are_named_as_such(saved: Path, model_folder: Path, run: Run, tmp_path: Path) -> None:
    conditional = compiled_small("class_conditional", "naive-w8a8", samples=1, steps=1)
    other = conditional.save(tmp_path / "other.dgqc", targets=["reference"])
    code, out, error = run("diff", saved, other)
    assert (code, out) == (2, "")
    assert f"{saved} takes sample (1, 3, 8, 8) and {other} takes sample (1, " in error
    assert "give two bundles of one model and one size." in error
    architectures.class_conditional().save_pretrained(tmp_path / "model")
    code, out, error = run("diff", saved, tmp_path / "model")
    assert (code, out) == (2, "")
    assert "The float model can't be called as the program is (" in error
    assert "give the model that was compiled." in error


def test_a_model_without_a_layer_in_common_is_refused(
    saved: Path, model_folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parting, "float_layers", lambda *_: {"elsewhere": torch.ones(1, 2)})
    code, _, error = run("diff", saved, model_folder)
    assert code == 2
    assert "The float model has none of the program's layers" in error


def test_scales_of_channels_are_fitted() -> None:
    real = torch.tensor([[1.0, 20.0], [2.0, 40.0]])
    codes = torch.tensor([[100, 1], [200, 2]], dtype=torch.int16)
    assert layers_beside({"layer": real}, {"layer": codes})["layer"].decibels == float("inf")


def test_codes_of_two_programs_are_compared_at_scales_that_fit() -> None:
    """A code stands for another number in each of them."""

    def of(codes: list[list[int]]) -> Traced:
        return Traced({"op": torch.tensor(codes, dtype=torch.int16)}, {}, {"op": "kind"}, {"op": "layer"})

    found = first_bits_apart(of([[100, 1], [200, 2]]), of([[50, 4], [100, 8]]))
    assert found is not None
    assert found.decibels == float("inf")
    found = first_bits_apart(of([[100, 1], [200, 2]]), of([[50, 4], [110, 8]]))
    assert found is not None
    assert found.decibels is not None
    assert 20 < found.decibels < 40


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["{saved}", "nowhere"], "nowhere"),
        (["nowhere", "{saved}"], "nowhere"),
        (["{saved}", "{saved}", "--step", "99"], "Step 99 is outside the program's schedule"),
        (["{saved}", "{saved}", "--inputs", "nofile"], "nofile can't be read"),
        (["{saved}", "{saved}", "--html", "page.html"], "--html shows two bundles, and both are"),
        (["{saved}", "{model}", "--html", "page.html"], "--html shows two bundles, and .*unet is none"),
    ],
)
def test_mistakes_are_said_before_any_work_is_announced(
    saved: Path, model_folder: Path, run: Run, tmp_path: Path, wrong: list[str], said: str
) -> None:
    code, _, told = run("diff", *(one.format(saved=saved, model=model_folder) for one in wrong))
    assert code == 2
    assert re.search(said, told)
    assert len(told.strip().splitlines()) == 1
