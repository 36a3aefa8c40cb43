"""Weights that other tools quantized: as those tools themselves turn them back into floats."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from original_names import original_names
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.ir.errors import DgqcError

from .conftest import tiny_unet

STEM = "diffusion_pytorch_model.safetensors"
Tensors = dict[str, torch.Tensor]


def wide(width: int = 32) -> Any:
    """A UNet whose rows are blocks of quantizers."""
    return tiny_unet(block_out_channels=(width,), cross_attention_dim=width)


def matrices(unet: Any) -> Tensors:
    return {name: tensor for name, tensor in unet.state_dict().items() if tensor.dim() == 2}


def loaded(folder: Path, unet: Any, tensors: Tensors, about: Mapping[str, str] | None = None) -> Tensors:
    """What is loaded from a folder with these in the places of some weights. about: the file's metadata."""
    unet.register_to_config(quantization_config={"quant_method": "some tool"})
    unet.save_pretrained(folder)
    gone = {name.partition(".weight")[0].partition("._weight")[0] for name in tensors}
    left = {n: t for n, t in unet.state_dict().items() if n.removesuffix(".weight") not in gone}
    save_file({**left, **tensors}, folder / STEM, metadata=about)
    found: Tensors = load_model(folder).model.state_dict()
    return found


def check(found: Tensors, unet: Any, expected: Tensors) -> None:
    for name, tensor in {**unet.state_dict(), **expected}.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)
    assert all(not torch.equal(found[name], unet.state_dict()[name]) for name in expected)


@pytest.mark.parametrize("nested", [True, False])
def test_bitsandbytes_four_bits(nested: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    # bitsandbytes 0.50 itself is wrong on a CPU where a block is longer than a row.
    unet, stored, expected = wide(64), Tensors(), Tensors()
    for name, tensor in matrices(unet).items():
        codes, state = functional.quantize_4bit(
            tensor, blocksize=64, quant_type="nf4", compress_statistics=nested
        )
        expected[name] = functional.dequantize_4bit(codes, state)
        stored[name] = codes
        stored |= {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}
    with caplog.at_level(logging.WARNING, "dgqc"):
        check(loaded(tmp_path, unet, stored), unet, expected)
    assert f"{len(expected)} weights are quantized by bitsandbytes in four bits" in caplog.text


def test_four_bits_by_hand(tmp_path: Path) -> None:
    """The same form without the tool: codes in the order of halves, a scale for each block."""
    unet, stored, expected = wide(), Tensors(), Tensors()
    levels = torch.linspace(-1, 1, 16)
    for name, tensor in matrices(unet).items():
        codes = torch.arange(tensor.numel()) * 7 % 16
        scales = torch.rand(tensor.numel() // 32) + 0.5
        expected[name] = (levels[codes] * scales.repeat_interleave(32)).reshape(tensor.shape)
        stored[name] = (codes[::2] * 16 + codes[1::2]).to(torch.uint8).reshape(-1, 1)
        stored |= {f"{name}.absmax": scales, f"{name}.quant_map": levels.clone()}
        said = json.dumps(
            {"quant_type": "nf4", "blocksize": 32, "dtype": "float32", "shape": list(tensor.shape)}
        )
        stored[f"{name}.quant_state.bitsandbytes__nf4"] = torch.tensor(list(said.encode()), dtype=torch.uint8)
    check(loaded(tmp_path, unet, stored), unet, expected)
    del stored[f"{name}.absmax"]
    with pytest.raises(DgqcError, match=r"stored by bitsandbytes in four bits in a form that is not known"):
        loaded(tmp_path, unet, stored)


def eight_bits(unet: Any) -> tuple[Tensors, Tensors]:
    """Codes and scales, by rows."""
    codes, scales = Tensors(), Tensors()
    for name, tensor in matrices(unet).items():
        scales[name] = tensor.abs().amax(1, keepdim=True) / 127
        codes[name] = (tensor / scales[name]).round().to(torch.int8)
    return codes, scales


def test_bitsandbytes_eight_bits(tmp_path: Path) -> None:
    unet = wide()
    codes, scales = eight_bits(unet)
    stored = {**codes, **{f"{n.removesuffix('.weight')}.SCB": 127 * s.flatten() for n, s in scales.items()}}
    stored |= {
        f"{n.removesuffix('.weight')}.weight_format": torch.tensor(0, dtype=torch.uint8) for n in codes
    }
    check(loaded(tmp_path, unet, stored), unet, {name: codes[name] * scales[name] for name in codes})


def test_quanto(tmp_path: Path) -> None:
    unet = wide()
    codes, scales = eight_bits(unet)
    stored = {f"{name}._data": tensor for name, tensor in codes.items()}
    stored |= {f"{name}._scale": tensor for name, tensor in scales.items()}
    stored |= {f"{n.removesuffix('.weight')}.input_scale": torch.tensor(1.0) for n in codes}
    check(loaded(tmp_path, unet, stored), unet, {name: codes[name] * scales[name] for name in codes})
    packed = {name.replace("._data", "._data._data"): tensor for name, tensor in stored.items()}
    with pytest.raises(DgqcError, match="stored by quanto in a form that is not known"):
        loaded(tmp_path, unet, packed)


BLOCK = 16
"""Codes of one scale, along a row."""


def torchao(unet: Any, kind: str) -> tuple[Tensors, dict[str, str], Tensors]:
    """Weights as torchao 0.18 writes them: tensors, metadata, and what they stand for."""
    codes, _ = eight_bits(unet)
    stored, expected = dict[str, torch.Tensor](), dict[str, torch.Tensor]()
    about = {"format": "pt", "tensor_names": json.dumps(list(codes)), "conv_in.bias": '{"_type": "Tensor"}'}
    generator = torch.Generator().manual_seed(3)
    for name, code in codes.items():
        rows, columns = code.shape
        scale = torch.rand(rows, columns // BLOCK, generator=generator) + 0.1
        zero = torch.randint(-5, 5, scale.shape, dtype=torch.int8, generator=generator)
        part = f"{name.removesuffix('.weight')}._weight"
        stored |= {f"{part}_qdata": code, f"{part}_scale": scale, f"{part}_zero_point": zero}
        record = {"block_size": [1, BLOCK], "dtype": {"_type": "torch.dtype", "_data": "float32"}}
        parts = ["zero_point", "qdata", "scale"]
        about[name] = json.dumps({"_type": kind, "_data": record, "_tensor_data_names": parts})
        blocks = code.reshape(rows, -1, BLOCK) - zero[..., None].float()
        expected[name] = (blocks * scale[..., None]).reshape(rows, columns)
    return stored, about, expected


def test_torchao(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unet = wide()
    stored, about, expected = torchao(unet, "Int8Tensor")
    with caplog.at_level(logging.WARNING):
        check(loaded(tmp_path, unet, stored, about), unet, expected)
    assert f"{len(expected)} weights are quantized by torchao; the floats that they stand for" in caplog.text
    assert "quantization_config" not in caplog.text


def test_torchaos_other_forms_are_refused(tmp_path: Path) -> None:
    unet = wide()
    stored, about, expected = torchao(unet, "Int4TilePackedTo4dTensor")
    with pytest.raises(DgqcError, match=r"only its own code can read \(Int4TilePackedTo4dTensor\); load"):
        loaded(tmp_path, unet, stored, about)
    stored, about, expected = torchao(unet, "Int8Tensor")
    first = next(iter(expected)).removesuffix(".weight")
    del stored[f"{first}._weight_scale"]
    with pytest.raises(DgqcError, match=f"the parts of {first}.weight don't fit each other"):
        loaded(tmp_path, unet, stored, about)


def test_integers_without_scales_are_refused(tmp_path: Path) -> None:
    unet = wide()
    codes, _ = eight_bits(unet)
    with pytest.raises(DgqcError, match="no scales say what they stand for"):
        loaded(tmp_path, unet, codes)


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", ""])
def test_gguf(prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gguf = pytest.importorskip("gguf")
    unet = wide()
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "sd1")
    expected = {}
    for name, tensor in original_names(unet, prefix).items():
        values = tensor.numpy()
        if tensor.dim() == 2 and tensor.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            packed = gguf.quantize(values, kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
            expected[name] = torch.from_numpy(gguf.dequantize(packed, kind))
        else:
            half = tensor.dim() == 4
            writer.add_tensor(name, values.astype("float16") if half else values)
            expected[name] = tensor.half().float() if half else tensor
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with caplog.at_level(logging.WARNING, "dgqc"):
        found: Any = load_model(tmp_path / "a.gguf").model
    assert "quantized weights (" in caplog.text
    assert " of Q8_0) are taken" in caplog.text
    for name, tensor in original_names(found, prefix).items():
        torch.testing.assert_close(tensor, expected[name])
    (tmp_path / "a.gguf").write_bytes((tmp_path / "a.gguf").read_bytes()[:5000])
    with pytest.raises(DgqcError, match="it is no complete GGUF file") as caught:
        load_model(tmp_path / "a.gguf")
    assert "\n" not in str(caught.value)


def test_gguf_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(
        DgqcError, match=r"which the package gguf reads; install it with pip install dgqc\[gguf\]"
    ):
        load_model(tmp_path / "a.gguf")
    (tmp_path / "a.safetensors").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(DgqcError, match=r"is a GGUF file; give it the ending \.gguf"):
        load_model(tmp_path / "a.safetensors")
