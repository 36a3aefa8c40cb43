"""IP-Adapters from files, in the layouts that are published, against diffusers' own `load_ip_adapter`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import picture_adapters
import pytest
import text_parts
import torch
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.frontends.adapters.adapter import adapters_of
from dgqc.frontends.adapters.picture_adapters import picture_adapters_of
from dgqc.frontends.loading.answering import answer_of
from dgqc.ir.errors import DgqcError

STRENGTH = 0.6
EMBEDDING, HIDDEN, FACE = picture_adapters.EMBEDDING, picture_adapters.HIDDEN, picture_adapters.FACE
PATCHES = 5
"""Of a picture, its class among them."""

Make = Callable[[Any], Any]
LAYOUTS: Mapping[str, tuple[Make, tuple[int, ...]]] = {
    "ip-adapter_sd15.safetensors": (
        lambda unet: picture_adapters.adapter(unet, picture_adapters.plain_projection(0)),
        (1, EMBEDDING),
    ),
    "ip-adapter_sd15_light.bin": (
        lambda unet: picture_adapters.adapter(unet, picture_adapters.plain_projection(1)),
        (1, EMBEDDING),
    ),
    "ip-adapter-plus_sd15.bin": (
        lambda unet: picture_adapters.adapter(unet, picture_adapters.resampler(0)),
        (1, PATCHES, HIDDEN),
    ),
    "ip-adapter-full-face_sd15.safetensors": (
        lambda unet: picture_adapters.adapter(unet, picture_adapters.patches_projection(0)),
        (1, PATCHES, HIDDEN),
    ),
    "ip-adapter-faceid_sd15.bin": (
        lambda unet: picture_adapters.with_changes(
            unet, picture_adapters.adapter(unet, picture_adapters.face_projection(0))
        ),
        (1, FACE),
    ),
}
"""By the published name, how such a file is made, and the shape of what the UNet is given of a picture."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pipeline")
    whole = picture_adapters.pipeline()
    whole.register_modules(image_encoder=None, feature_extractor=None)
    whole.save_pretrained(place)
    return place


def written(name: str, place: Path) -> Path:
    """A file as it is published, with the image encoder beside it."""
    file = LAYOUTS[name][0](text_parts.unet())
    path = place / "models" / name
    picture_adapters.image_encoder().save_pretrained(path.parent / "image_encoder")
    if path.suffix == ".safetensors":
        save_file(picture_adapters.flat(file), str(path))
    else:
        torch.save(file, path)
    return path


@pytest.mark.parametrize("name", LAYOUTS)
def test_as_diffusers_loads_them(name: str, folder: Path, tmp_path: Path) -> None:
    if "faceid" in name:
        pytest.importorskip("peft")  # by which diffusers loads what changes attention
    path = written(name, tmp_path)
    loaded = load_model(folder, shown=picture_adapters_of(f"{path}:{STRENGTH}", None))
    whole = picture_adapters.pipeline()
    whole.load_ip_adapter(str(tmp_path), subfolder="models", weight_name=name, image_encoder_folder=None)
    whole.set_ip_adapter_scale(STRENGTH)
    generator = torch.Generator().manual_seed(1)
    inputs = {
        "sample": torch.randn(1, 4, 8, 8, generator=generator),
        "encoder_hidden_states": torch.randn(1, 6, text_parts.WIDTH, generator=generator),
        "image_embeds_0": torch.randn(1, *LAYOUTS[name][1], generator=generator),
    }
    found, expected = (answer_of(unet, inputs, torch.tensor(9)) for unet in (loaded.model, whole.unet))
    torch.testing.assert_close(found, expected)
    other = answer_of(loaded.model, {**inputs, "image_embeds_0": -inputs["image_embeds_0"]}, torch.tensor(9))
    assert not torch.allclose(found, other)


def test_its_image_encoder_lies_beside_it(folder: Path, tmp_path: Path) -> None:
    path = written("ip-adapter_sd15.safetensors", tmp_path)
    loaded = load_model(folder, shown=picture_adapters_of([path], None))
    assert loaded.pipeline is not None
    whole = loaded.pipeline.load({"unet": loaded.model})
    assert whole.image_encoder.config.projection_dim == EMBEDDING
    assert whole.feature_extractor is not None
    named = load_model(folder, shown=picture_adapters_of([path], folder / "text_encoder")).pipeline
    assert named is not None
    with pytest.raises(DgqcError, match="holds a clip_text_model, which reads no pictures for an IP-Adapter"):
        named.load({"unet": loaded.model})
    (tmp_path / "models" / "image_encoder" / "config.json").rename(tmp_path / "config.json")
    with pytest.raises(DgqcError, match="has no image encoder beside it with a projection_dim of 12"):
        loaded.pipeline.load({"unet": loaded.model})


def test_what_is_no_adapter_of_this_model(folder: Path, tmp_path: Path) -> None:
    path = written("ip-adapter_sd15.safetensors", tmp_path)

    def refused(text: Any, message: str, encoder: Path | None = None) -> None:
        with pytest.raises(DgqcError, match=message):
            load_model(folder, shown=picture_adapters_of(text, encoder))

    refused(tmp_path, "is a folder; give an IP-Adapter's .safetensors or .bin, as load_ip_adapter takes it")
    refused(tmp_path / "none.bin", "does not exist; give an IP-Adapter's")
    refused((), "An image encoder reads pictures for an IP-Adapter; name that with --ip-adapter", tmp_path)
    other = tmp_path / "other.safetensors"
    save_file({"lora_unet_x.lora_up.weight": torch.ones(1)}, str(other))
    refused(other, "holds a LoRA or one of its relatives: compile the model .* give this file with --lora")
    file = LAYOUTS[path.name][0](text_parts.unet(cross_attention_dim=8))
    layers = {key: one[:, :8] for key, one in file["ip_adapter"].items()}
    save_file(picture_adapters.flat({**file, "ip_adapter": layers}), str(other))
    refused(other, "for 4 cross attentions with contexts of 8 numbers, and the UNet has 4 of 16; give an")
    file["image_proj"]["perceiver_resampler.proj_in.weight"] = torch.ones(1, 1)
    save_file(picture_adapters.flat(file), str(other))
    with pytest.raises(DgqcError, match=r"holds an IP-Adapter: .* give this file with --ip-adapter"):
        load_model(folder, adapters=adapters_of(path))
    refused(other, "is an IP-Adapter FaceID Plus, which is shown a picture behind the UNet's back")
