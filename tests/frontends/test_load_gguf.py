"""GGUF in the layout of ComfyUI's node: a checkpoint's own names, blocks of every width, shapes set aside."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gguf_layouts
import numpy as np
import published_layouts
import pytest
import text_parts
import torch
from original_names import original_names
from original_parts import clip, encoder

from dgqc.frontends import load_model

gguf: Any = pytest.importorskip("gguf")

WIDTH = 32
SUPER = 256
"""Numbers of a block of the kinds that end in K, and of a row where a tensor was laid out anew."""
FEW = 512
"""Tensors of fewer numbers keep their shape."""
BLOCKS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
SUPERBLOCKS = {
    "Q2_K": (84, (80, 82)),
    "Q3_K": (110, (108,)),
    "Q4_K": (144, (0, 2)),
    "Q5_K": (176, (0, 2)),
    "Q6_K": (210, (208,)),
}
"""Bytes of a block, and where its halves stand: the scales of all its numbers."""


def superblocks(count: int, kind: str, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """Blocks of any codes with scales near 0.01: the package reads these kinds and doesn't write them."""
    size, halves = SUPERBLOCKS[kind]
    found = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for place in halves:
        scales = generator.uniform(0.005, 0.01, count).astype("<f2")
        found[:, place : place + 2] = scales.view(np.uint8).reshape(count, 2)
    return found


def by_hand(packed: np.ndarray[Any, Any], kind: str) -> np.ndarray[Any, Any]:
    """What 32 numbers' blocks stand for, by their definition: a half for a scale, then codes around zero."""
    size = {"Q4_0": 18, "Q8_0": 34}[kind]
    blocks = packed.reshape(-1, size)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    if kind == "Q8_0":
        return scales * blocks[:, 2:].copy().view(np.int8)
    low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
    return scales * (np.concatenate([low, high], axis=1).astype(np.float32) - 8)


def write(path: Path, tensors: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """Writes them; matrices and kernels of many numbers in blocks. Returns what they stand for."""
    writer = gguf.GGUFWriter(path, "sd1")
    writer.add_quantization_version(2)
    generator, expected = np.random.default_rng(0), {}
    number = gguf.GGMLQuantizationType[kind]
    for name, tensor in tensors.items():
        values = tensor.float().numpy()
        wide = SUPER if kind in SUPERBLOCKS else 32
        if values.ndim < 2 or values.size < FEW or values.size % SUPER:
            writer.add_tensor(name, values)
            expected[name] = tensor
            continue
        if values.shape[-1] % wide:
            key = f"comfy.gguf.orig_shape.{name}"
            writer.add_array(key, [int(size) for size in values.shape])
            values = values.reshape(-1, SUPER)
        if kind in SUPERBLOCKS:
            rows = values.reshape(-1, values.shape[-1])
            packed = superblocks(rows.size // SUPER, kind, generator).reshape(len(rows), -1)
        else:
            packed = gguf.quantize(values, number)
        writer.add_tensor(name, packed, raw_dtype=number)
        floats = by_hand(packed, kind) if kind in ("Q4_0", "Q8_0") else gguf.dequantize(packed, number)
        expected[name] = torch.from_numpy(np.ascontiguousarray(floats, dtype=np.float32)).reshape(
            tensor.shape
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


@pytest.mark.parametrize("kind", [*BLOCKS, *SUPERBLOCKS, "BF16"])
def test_comfyuis_layout(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unet = text_parts.unet(
        cross_attention_dim=24, block_out_channels=(WIDTH,), attention_head_dim=8, norm_num_groups=32
    )
    names = original_names(unet, "")
    expected = write(tmp_path / "a.gguf", names, kind)
    assert len([name for name in names if not torch.equal(expected[name], names[name])]) > 10
    with caplog.at_level(logging.WARNING, "dgqc"):
        found: Any = load_model(tmp_path / "a.gguf").model
    # Floats of sixteen bits are floats.
    assert (f" of {kind}) are taken as the floats that they stand for" in caplog.text) == (kind != "BF16")
    for name, tensor in original_names(found, "").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=0)


def test_a_whole_checkpoint(tmp_path: Path) -> None:
    """stable-diffusion.cpp puts text encoder and VAE into the same file."""
    unet = text_parts.unet(
        cross_attention_dim=24, block_out_channels=(WIDTH,), attention_head_dim=8, norm_num_groups=32
    )
    text = {name: one for name, one in clip(encoder(24)).items() if one.is_floating_point()}
    expected = write(tmp_path / "a.gguf", {**original_names(unet), **text}, "Q8_0")
    text_parts.tokenizer().save_pretrained(tmp_path)
    loaded = load_model(tmp_path / "a.gguf", tokenizer=tmp_path)
    assert loaded.pipeline is not None
    found = loaded.pipeline.load({"unet": loaded.model}).text_encoder
    for name, tensor in clip(found).items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, expected[name])


@pytest.mark.parametrize("made", [published_layouts.second, published_layouts.xl])
def test_as_stable_diffusion_cpp_renames_parts(made: Any, tmp_path: Path) -> None:
    """OpenCLIP's names become transformers', and linear projections kernels of one pixel."""
    pipeline, tensors = made()
    gguf_layouts.whole(tensors, tmp_path / "a.gguf")
    text_parts.tokenizer().save_pretrained(tmp_path)
    loaded: Any = load_model(tmp_path / "a.gguf", tokenizer=tmp_path)
    assert loaded.model.config.use_linear_projection
    assert loaded.model.config.attention_head_dim == pipeline.unet.config.attention_head_dim
    whole = loaded.pipeline.load({"unet": loaded.model})
    assert type(whole) is type(pipeline)
    for part in ("unet", "text_encoder", "text_encoder_2"):
        if (own := getattr(pipeline, part, None)) is None:
            continue
        other = getattr(whole, part)
        assert getattr(other.config, "hidden_act", "") == getattr(own.config, "hidden_act", "")
        theirs = other.state_dict()
        for name, tensor in own.state_dict().items():
            torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=0.02 * float(tensor.abs().max()))
