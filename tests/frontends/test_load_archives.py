"""Exported programs: read by a schema, and nothing of the file runs."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from dgqc.frontends import ExportedUNet, capture, load_model
from dgqc.frontends.loading.size_expressions import checked_size
from dgqc.ir.errors import DgqcError

from .conftest import Hostile, tiny_unet

MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
INPUTS = "data/sample_inputs/model.pt"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_unet()


@pytest.fixture(scope="module")
def archive(unet: UNet2DConditionModel) -> bytes:
    """The UNet as a .pt2."""
    buffer = io.BytesIO()
    torch.export.save(exported(unet), buffer)
    return buffer.getvalue()


def exported(unet: UNet2DConditionModel, batch: Any = None, size: int = 1) -> Any:
    arguments = (torch.randn(size, 4, 8, 8), torch.tensor([5]), torch.randn(size, 3, 16))
    shapes = None if batch is None else ({0: batch}, None, {0: batch}, None)
    options = {} if shapes is None else {"dynamic_shapes": shapes}
    if shapes is not None:
        return torch.export.export(unet, (*arguments, None), strict=False, **options)
    return torch.export.export(unet, arguments, {"return_dict": False}, strict=False)


@pytest.mark.parametrize("dynamic", [False, True])
def test_exported_program(unet: UNet2DConditionModel, archive: bytes, tmp_path: Path, dynamic: bool) -> None:
    if dynamic:
        torch.export.save(exported(unet, torch.export.Dim("batch"), 2), tmp_path / "unet.pt2")
    else:
        (tmp_path / "unet.pt2").write_bytes(archive)
    loaded = load_model(tmp_path / "unet.pt2")
    assert isinstance(loaded.model, ExportedUNet)
    captured = capture(loaded.model)
    inputs = {"sample": torch.randn(2, 4, 8, 8), "encoder_hidden_states": torch.randn(2, 3, 16)}
    with torch.no_grad():
        expected = unet(**inputs, timestep=torch.tensor([5.0])).sample
        found = captured.graph(timestep=torch.tensor([5.0]), **inputs)
        itself = loaded.model(timestep=torch.tensor([5.0]), **{k: v[:1] for k, v in inputs.items()})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(itself, expected[:1], rtol=1e-5, atol=1e-5)
    assert captured.batched
    names = {node.name for node in captured.graph.graph.nodes}
    assert "down_blocks_0_resnets_0_conv1" in names


class Summed(nn.Module):
    """A network whose products are written as sums over letters."""

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        flat = sample.flatten(2)
        weights = torch.einsum("bct, bcs -> bts", flat, flat).softmax(-1)
        found: torch.Tensor = torch.einsum("bts,bcs->bct", weights, flat).reshape(sample.shape)
        return found + timestep.reshape(-1, 1, 1, 1)


def test_einsum_is_read(tmp_path: Path) -> None:
    """Its equation is the one free text that an op of a UNet takes."""
    inputs = {"sample": torch.randn(1, 4, 4, 4), "timestep": torch.tensor([3.0])}
    exported = torch.export.export(Summed(), tuple(inputs.values()))
    torch.export.save(exported, tmp_path / "einsum.pt2")
    found: Any = load_model(tmp_path / "einsum.pt2").model
    torch.testing.assert_close(found(**inputs), Summed()(**inputs))


class Smoothed(nn.Module):
    """Makes its kernel of numbers as it runs, as networks with filters of their own do."""

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
        taps = torch.outer(kernel, kernel).expand(4, 1, 3, 3)
        return torch.nn.functional.conv2d(sample, taps, padding=1, groups=4) * timestep


def test_constants_made_of_numbers_are_captured(tmp_path: Path) -> None:
    inputs = {"sample": torch.randn(1, 4, 8, 8), "timestep": torch.ones(1)}
    torch.export.save(torch.export.export(Smoothed().eval(), (), inputs), tmp_path / "smoothed.pt2")
    captured = capture(load_model(tmp_path / "smoothed.pt2").model)
    assert torch.allclose(captured.graph(**inputs), Smoothed()(**inputs))


def test_exported_at_another_batch_is_refused(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            return sample * timestep

    program = torch.export.export(Two(), (torch.ones(2, 4, 8, 8), torch.ones(1)))
    torch.export.save(program, tmp_path / "unet.pt2")
    with pytest.raises(DgqcError, match="export at batch 1"):
        load_model(tmp_path / "unet.pt2")


def test_exported_something_else_is_refused(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)), tmp_path / "linear.pt2")
    with pytest.raises(DgqcError, match="not a UNet's inputs"):
        load_model(tmp_path / "linear.pt2")


def rewritten(archive: bytes, change: Callable[[str, bytes], bytes], **more: bytes) -> bytes:
    """An archive with changed members, as torch's reader likes it (stored, not compressed)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        root = old.namelist()[0].split("/")[0]
        for member in old.namelist():
            new.writestr(member, change(member.removeprefix(f"{root}/"), old.read(member)))
        for name, data in more.items():
            new.writestr(f"{root}/{name}", data)
    return buffer.getvalue()


def edited(archive: bytes, member: str, change: Change) -> bytes:
    """An archive in which one JSON member is changed."""

    def changed(name: str, data: bytes) -> bytes:
        if name != member:
            return data
        value = json.loads(data)
        change(value)
        return json.dumps(value).encode()

    return rewritten(archive, changed)


def graph(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["graph_module"]["graph"]
    return found


def first_tensor(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(graph(model)["tensor_values"].values()))
    return found


def first_output(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = graph(model)["nodes"][0]["outputs"][0]["as_tensor"]
    return found


def first_input(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = graph(model)["nodes"][0]["inputs"][0]
    return found


@pytest.mark.parametrize(
    "name", ["stack_trace", "torch_fn", "nn_module_stack", "source_fn_stack", "guards_code", "more"]
)
def test_no_size_is_evaluated_wherever_it_stands(archive: bytes, tmp_path: Path, name: str) -> None:
    file, proof = tmp_path / "unet.pt2", tmp_path / "proof"
    code = f"__import__('os').system('touch {proof}')"

    def renamed(member: str, data: bytes) -> bytes:
        return data.replace(b'"silu"', f'"{name}"'.encode()) if member == MODEL else data

    def add(model: dict[str, Any]) -> None:
        graph(model)["tensor_values"][name]["sizes"][0] = {"as_expr": {"expr_str": code, "hint": None}}

    file.write_bytes(edited(rewritten(archive, renamed), MODEL, add))
    with pytest.raises(DgqcError, match=rf"tensor_values\.{name}\.sizes.* is no symbolic size"):
        load_model(file)
    assert not proof.exists()
    # PyTorch does what the file threatens, so that the test is one.
    with contextlib.suppress(Exception):
        torch.export.load(file)
    assert proof.exists()


def an_enum(model: dict[str, Any]) -> None:
    """PyTorch imports what this context names."""
    call = model["graph_module"]["module_call_graph"][0]["signature"]
    enum = json.dumps([{"__enum__": True, "fqn": "antigravity:x", "name": "y"}])
    call["in_spec"] = call["in_spec"].replace('"context": "[', f'"context": {json.dumps(enum)}, "x": "[', 1)


EDITS: dict[str, Change] = {
    "it calls torch.hub.load": lambda model: graph(model)["nodes"][0].update(target="torch.hub.load"),
    "it calls torch.ops.aten.from_file.default": lambda model: graph(model)["nodes"][0].update(
        target="torch.ops.aten.from_file.default"
    ),
    "open.* is no name": lambda model: first_output(model).update(name="silu=0\nopen(1)#"),
    r"nodes.0.outputs.0.as_tensor.name: \'lambda\' is no name": lambda model: graph(model)["nodes"][0][
        "outputs"
    ][0]["as_tensor"].update(name="lambda"),
    "as_string": lambda model: graph(model)["nodes"][0]["inputs"][0].update(arg={"as_string": "/etc/passwd"}),
    "as_operator": lambda model: graph(model)["nodes"][0]["inputs"][0].update(
        arg={"as_operator": "os.system"}
    ),
    "exactly one key": lambda model: graph(model)["nodes"][0]["inputs"][0].update(
        arg={"as_int": 1, "as_none": True}
    ),
    "custom_obj_values": lambda model: graph(model).update(custom_obj_values={"a": {}}),
    "come in a collections.defaultdict": lambda model: model["graph_module"]["module_call_graph"][0][
        "signature"
    ].update(in_spec='[1, {"type": "collections.defaultdict", "context": null, "children_spec": []}]'),
    "in_spec": an_enum,
    "is no symbol": lambda model: model.update(range_constraints={"print()": {"min_val": 0, "max_val": 1}}),
    "verifiers": lambda model: model.update(verifiers=["else"]),
    "Extra inputs": lambda model: model.update(anything={}),
    "device.type": lambda model: first_tensor(model)["device"].update(type="meta"),
    "layout": lambda model: first_tensor(model).update(layout=2),
    "dtype": lambda model: first_tensor(model).update(dtype=10),
    "no tensor has the sizes": lambda model: first_tensor(model).update(sizes=[{"as_int": 2**20}] * 2),
}


@pytest.mark.parametrize("reason", EDITS)
def test_hostile_programs_are_refused(archive: bytes, tmp_path: Path, reason: str) -> None:
    (tmp_path / "unet.pt2").write_bytes(edited(archive, MODEL, EDITS[reason]))
    with pytest.raises(DgqcError, match=f"is not what it should be: .*{reason}.*could run code"):
        load_model(tmp_path / "unet.pt2")


def weight(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["config"]["conv_in.weight"]
    return found


WEIGHT_EDITS: dict[str, Change] = {
    "use_pickle": lambda config: weight(config).update(use_pickle=True),
    "path_name": lambda config: weight(config).update(path_name="../../weight_0"),
    "it holds no data/weights/weight_999": lambda config: weight(config).update(path_name="weight_999"),
    "is no tensor's name": lambda config: config["config"].update({"a b": weight(config)}),
    "is larger than the bytes": lambda config: weight(config)["tensor_meta"].update(
        sizes=[{"as_int": 2**32}], strides=[{"as_int": 0}]
    ),
    "2 sizes and 1 strides": lambda config: weight(config)["tensor_meta"].update(
        sizes=[{"as_int": 1}, {"as_int": 1}], strides=[{"as_int": 1}]
    ),
    "less than or equal": lambda config: weight(config)["tensor_meta"].update(sizes=[{"as_int": 86 * 10**9}]),
    "greater than or equal": lambda config: weight(config)["tensor_meta"].update(
        storage_offset={"as_int": -4}
    ),
}


@pytest.mark.parametrize("reason", WEIGHT_EDITS)
def test_hostile_weights_are_refused(archive: bytes, tmp_path: Path, reason: str) -> None:
    (tmp_path / "unet.pt2").write_bytes(edited(archive, WEIGHTS, WEIGHT_EDITS[reason]))
    with pytest.raises(DgqcError, match=f"is not what it should be: .*{reason}.*could run code"):
        load_model(tmp_path / "unet.pt2")


def test_pickles_in_an_archive_are_not_read(archive: bytes, tmp_path: Path) -> None:
    file, proof = tmp_path / "unet.pt2", tmp_path / "proof"
    hostile = io.BytesIO()
    torch.save(Hostile(proof), hostile)
    file.write_bytes(rewritten(archive, lambda name, data: hostile.getvalue() if name == INPUTS else data))
    assert isinstance(load_model(file).model, ExportedUNet)
    assert not proof.exists()
    with contextlib.suppress(Exception):
        torch.export.load(file)
    assert proof.exists()


def test_other_members_and_packed_ones_are_refused(archive: bytes, tmp_path: Path) -> None:
    def packed(more: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
        buffer = io.BytesIO(rewritten(archive, lambda _, data: data))
        with zipfile.ZipFile(buffer, "a", compression) as zipped:
            for name, data in more.items():
                zipped.writestr(name, data)
        return buffer.getvalue()

    for data, message in [
        (packed({"archive/data/aotinductor/model/a.so": b"x"}), "it holds archive/data/aotinductor"),
        (packed({"else/version": b"x"}), "it holds else/version"),
        (packed({"archive/data/weights/weight_7777": bytes(100)}, zipfile.ZIP_DEFLATED), "is packed"),
    ]:
        (tmp_path / "unet.pt2").write_bytes(data)
        with pytest.raises(DgqcError, match=message):
            load_model(tmp_path / "unet.pt2")


def test_damaged_archives(archive: bytes, tmp_path: Path) -> None:
    file = tmp_path / "unet.pt2"
    for kept in (0, 10, len(archive) // 2, len(archive) - 100):
        file.write_bytes(archive[:kept])
        with pytest.raises(DgqcError, match=r"unet\.pt2"):
            load_model(file)
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        place = members.getinfo("archive/data/weights/weight_3").header_offset + 200
    flipped = bytearray(archive)
    flipped[place] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(DgqcError, match="Bad CRC-32"):
        load_model(file)


def test_weights_that_are_not_finite_are_refused(archive: bytes, tmp_path: Path) -> None:
    def spoiled(name: str, data: bytes) -> bytes:
        return b"\0\0\xc0\x7f" + data[4:] if name == "data/weights/weight_0" else data

    (tmp_path / "unet.pt2").write_bytes(rewritten(archive, spoiled))
    with pytest.raises(DgqcError, match=r"conv_in\.weight holds NaN"):
        load_model(tmp_path / "unet.pt2")


def test_a_program_from_a_gpu_comes_to_the_cpu(archive: bytes, tmp_path: Path) -> None:
    def move(model: dict[str, Any]) -> None:
        for tensor in graph(model)["tensor_values"].values():
            tensor["device"] = {"type": "cuda", "index": 0}

    (tmp_path / "unet.pt2").write_bytes(edited(archive, MODEL, move))
    loaded = load_model(tmp_path / "unet.pt2")
    assert {value.device.type for value in loaded.model.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("s53", True),
        ("4*s53 - (s0 // 2) % 3", True),
        ("Symbol('s53', positive=True, integer=True)", True),
        ("Mul(Integer(4), Symbol('s0', integer=True))", True),
        ("9**9**9", False),
        ("9" * 30, False),
        ("1.5", False),
        ("True", False),
        ("x", False),
        ("Symbol('s0').__class__", False),
        ("Symbol('s0', integer=print())", False),
        ("Symbol('print()')", False),
        ("Symbol(Symbol('s0'))", False),
        ("Mul(*s0)", False),
        ("Pow(s0, 2)", False),
        ("(lambda: s0)()", False),
        ("[s0 for s0 in s1]", False),
        ("s0 if s1 else s2", False),
        ("s0!", False),
        ("s0\nimport os", False),
        ("1" * 5000, False),
        ("(" * 900 + "1" + ")" * 900, False),
        ("-" * 1900 + "1", False),
        ("\x00", False),
    ],
)
def test_symbolic_sizes(text: str, safe: bool) -> None:
    if safe:
        assert checked_size(text) == text
    else:
        with pytest.raises(ValueError, match="symbolic size"):
            checked_size(text)
