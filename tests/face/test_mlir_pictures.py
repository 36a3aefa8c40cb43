"""Whole pictures with MLIR's programs, and all parts of a pipeline as one MLIR project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("torch_mlir")
pytest.importorskip("iree.compiler")

from iree import runtime

import dgqc
from dgqc.backends.mlir.emission.emit import emit
from dgqc.backends.mlir.emission.joined import PROJECT, SCRIPT
from dgqc.backends.mlir.emission.parameters import ConstantStore
from dgqc.backends.mlir.execution.iree import compiled as compiled_by_iree
from dgqc.bundle.bundle import PARTS
from dgqc.bundle.vectors import random_inputs
from dgqc.cli.verified import verified

from .test_parts import HOW, QUICK, pipeline

pytestmark = pytest.mark.slow
PROMPT = "a red circle"


@pytest.fixture(scope="module")
def program() -> dgqc.CompiledProgram:
    return dgqc.compile(pipeline(), QUICK, **HOW)


@pytest.fixture(scope="module")
def bundle(program: dgqc.CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.save(tmp_path_factory.mktemp("mlir") / "all.dgqc", targets=("mlir",))


def test_iree_draws_the_reference_s_picture(program: dgqc.CompiledProgram) -> None:
    how = {"seed": 3, "negative": "blue", "guidance_scale": 2.5}
    wanted, found = (np.asarray(program.draw(PROMPT, backend=name, **how)) for name in ("reference", "iree"))
    assert np.array_equal(found, wanted)


def test_one_project_has_an_entry_point_for_each_part(program: dgqc.CompiledProgram, bundle: Path) -> None:
    """All modules loaded together, each called by its own name, give the reference's bits."""
    project = bundle / PARTS / "mlir"
    described = json.loads((project / PROJECT).read_text())
    assert list(described) == ["unet", "decoder", "text_encoder"]
    assert "iree-compile" in (project / SCRIPT).read_text()
    config = runtime.Config("local-task")
    modules = [
        runtime.VmModule.copy_buffer(config.vm_instance, compiled_by_iree(project / part / "model.mlir"))
        for part in described
    ]
    loaded = runtime.SystemContext(vm_modules=modules, config=config).modules
    for part, told in described.items():
        module, function = told["entry"].split(".")
        own = program if part == "unet" else program.part(part)
        inputs = random_inputs(own.program, 7)
        given = [inputs[name].numpy() for name, _ in told["inputs"]]
        result = loaded[module][function](*given, np.asarray(0, dtype=np.int64)).to_host()
        wanted = own.run_integers(inputs, 0, backend="reference")
        assert torch.equal(torch.from_numpy(np.array(result, dtype=np.int16)), wanted), part


def test_parameters_of_parts_have_scopes_of_their_own(program: dgqc.CompiledProgram, tmp_path: Path) -> None:
    """Two parts may call different constants alike."""
    emit(program.decoder.program, tmp_path, store=ConstantStore.PARAMETERS, name="decoder")
    config, index = runtime.Config("local-task"), runtime.ParameterIndex()
    index.load(str(tmp_path / "model.safetensors"))
    provider = index.create_provider(scope="decoder")
    modules = [
        runtime.create_io_parameters_module(config.vm_instance, provider),
        runtime.VmModule.copy_buffer(config.vm_instance, compiled_by_iree(tmp_path / "model.mlir")),
    ]
    loaded = runtime.SystemContext(vm_modules=modules, config=config).modules
    inputs = random_inputs(program.decoder.program, 7)
    result = loaded["decoder"]["main"](inputs["sample"].numpy(), np.asarray(0, dtype=np.int64)).to_host()
    wanted = program.decoder.run_integers(inputs, 0, backend="reference")
    assert torch.equal(torch.from_numpy(np.array(result, dtype=np.int16)), wanted)


def test_the_project_s_files_are_verified(program: dgqc.CompiledProgram, bundle: Path) -> None:
    found = verified(bundle, dgqc.load(bundle), steps_sampled=1, backends=["iree"])
    assert found.all_right
    assert found.picture is not None
    assert found.picture.compared == ("reference", "iree")
