"""What a program has no input for: refused in one sentence that says what to do instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import every_pipeline
import picture_adapters
import pytest
import text_parts
import torch
from diffusers.models.embeddings import IPAdapterFaceIDPlusImageProjection

import dgqc
from dgqc.frontends import capture, config_only, load_model
from dgqc.frontends.calibrating.drawings import Drawings
from dgqc.frontends.calibrating.pipeline_calls import Settings
from dgqc.frontends.calibrating.pipeline_parts import part_of
from dgqc.frontends.calibrating.recorder import recording
from dgqc.frontends.loading.unet_config import INSTEAD
from dgqc.ir.errors import DgqcError


def refused(error: pytest.ExceptionInfo[DgqcError], message: str) -> None:
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        (
            {"ip_adapter_masks": [torch.ones(1, 1, 8, 8)]},
            "draw without masks, for which pictures count every",
        ),
        ({"scale": 0.5}, "merge the LoRA into the weights, with its strength (--lora FILE:0.8, or"),
    ],
)
def test_keywords_of_attention(keyword: dict[str, Any], message: str) -> None:
    unet = text_parts.unet()
    call = {"sample": torch.zeros(1, 4, 8, 8), "timestep": 5, "encoder_hidden_states": torch.zeros(1, 6, 16)}
    with recording(unet), pytest.raises(DgqcError) as error:
        unet(**call, cross_attention_kwargs=keyword)
    refused(error, message)


def test_a_face_and_a_picture() -> None:
    """FaceID Plus, loaded by diffusers: embeddings of faces alone would not do."""
    whole = picture_adapters.pipeline(picture_adapters.face_projection(0))
    projections = whole.unet.encoder_hid_proj.image_projection_layers
    projections[0] = IPAdapterFaceIDPlusImageProjection(
        embed_dims=text_parts.WIDTH, output_dims=text_parts.WIDTH, hidden_dims=8, id_embeddings_dim=8, heads=2
    )
    for refuses in (lambda: Drawings(whole, Settings(2)), lambda: capture(whole.unet)):
        with pytest.raises(DgqcError) as error:
            refuses()
        refused(error, "The UNet's adapter is an IP-Adapter FaceID Plus, which is shown a picture behind")


@pytest.mark.parametrize("name", INSTEAD)
def test_models_of_other_kinds(name: str, tmp_path: Path) -> None:
    """As folders: no list of what is compiled, but what to do with this one."""
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": name}))
    with pytest.raises(DgqcError) as error:
        config_only(tmp_path)
    refused(error, f" {name}, which dgqc does not compile{INSTEAD[name]}.")


def test_a_controlnet_that_is_one_with_its_unet() -> None:
    whole = every_pipeline.built("StableDiffusionControlNetXSPipeline")
    with pytest.raises(DgqcError) as error:
        dgqc.compile(whole, "w8a8")
    refused(error, "dgqc does not compile a UNetControlNetXSModel; in ControlNet-XS both networks are one")


def test_an_adapter_of_pictures_in_the_place_of_a_model(tmp_path: Path) -> None:
    torch.save({"image_proj": {"a": torch.ones(1)}, "ip_adapter": {"b": torch.ones(1)}}, tmp_path / "ip.bin")
    with pytest.raises(DgqcError) as error:
        load_model(tmp_path / "ip.bin")
    refused(error, "holds an IP-Adapter: compile the pipeline that it is for, and give this file with --ip-")


def test_one_network_for_many_kinds_of_pictures(tmp_path: Path) -> None:
    unet = text_parts.unet(
        cross_attention_dim=2 * text_parts.WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12 + 4 * 6,
    )
    network = diffusers.ControlNetUnionModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8))
    network.save_config(tmp_path)
    with pytest.raises(DgqcError) as error:
        config_only(tmp_path)
    refused(error, "; this one stays float, and what it adds are inputs of its UNet's program: call the pipe")

    class Pipeline:
        controlnet = network

    with pytest.raises(DgqcError) as error:
        part_of(Pipeline(), "controlnet")
    refused(
        error, "is one for many kinds of pictures, which stays float; what it adds are inputs of the UNet"
    )
    assert json.loads((tmp_path / "config.json").read_text())["_class_name"] == "ControlNetUnionModel"
