"""Adapters in each form that tools write, merged as their papers say."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.frontends.adapters.adapter import Adapter, adapters_of
from dgqc.frontends.loading.original_names import original_names
from dgqc.frontends.loading.pipelines import load_pipeline
from dgqc.ir.errors import DgqcError

from .adapter_forms import RANK, Tensors, changed, dotted, kohya, layers_of, low_rank, processors
from .conftest import tiny_unet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A UNet's folder."""
    place = tmp_path_factory.mktemp("unet")
    tiny_unet().save_pretrained(place)
    return place


def merged(folder: Path, *adapters: Adapter) -> Tensors:
    return load_model(folder, adapters=adapters).model.state_dict()


def check(found: Tensors, expected: Tensors) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-5, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
        )


def compvis(name: str) -> str:
    (found,) = original_names(name, 1)
    return found


FORMS: dict[str, Callable[[Any], Tensors]] = {
    "kohya": kohya,
    "kohya, CompVis' names": lambda unet: kohya(unet, compvis),
    "peft": lambda unet: dotted(unet, "base_model.model.", ".lora_A.weight", ".lora_B.weight"),
    "peft's state": lambda unet: dotted(
        unet, "base_model.model.", ".lora_A.default.weight", ".lora_B.default.weight"
    ),
    "diffusers": lambda unet: dotted(unet, "unet.", ".lora_A.weight", ".lora_B.weight"),
    "diffusers before peft": lambda unet: dotted(unet, "unet.", ".lora.down.weight", ".lora.up.weight"),
    "plain": lambda unet: dotted(unet, "diffusion_model.", ".lora_down.weight", ".lora_up.weight"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_every_form_of_lora(form: str, strength: float, folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    save_file(FORMS[form](unet), tmp_path / "lora.safetensors")
    found = merged(folder, Adapter(tmp_path / "lora.safetensors", strength))
    factor = 6 / RANK if form.startswith("kohya") else 1.0
    check(found, changed(unet, strength * factor))
    assert any(not torch.equal(found[name], tensor) for name, tensor in unet.state_dict().items())


def test_attention_processors(folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    torch.save(processors(unet), tmp_path / "pytorch_lora_weights.bin")
    expected, before = changed(unet, 1.0), unet.state_dict()
    attention = {name: tensor if ".attn" in name else before[name] for name, tensor in expected.items()}
    check(merged(folder, Adapter(tmp_path)), attention)


def test_peft_folders_say_their_scale(folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    save_file(FORMS["peft"](unet), tmp_path / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 12, "target_modules": ["to_q"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    check(merged(folder, Adapter(tmp_path)), changed(unet, 4.0))
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "use_rslora": True}))
    check(merged(folder, Adapter(tmp_path)), changed(unet, 12 / RANK**0.5))
    pattern = {"alpha_pattern": {"ff.net.2": 0.0}}
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **pattern}))
    found, before = merged(folder, Adapter(tmp_path)), unet.state_dict()
    left = [f"{name}.weight" for name in layers_of(unet) if name.endswith("ff.net.2")]
    check(found, {**changed(unet, 4.0), **{name: before[name] for name in left}})


def test_metadata_says_the_scale(folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    told = json.dumps({"unet.r": RANK, "unet.lora_alpha": 6})
    save_file(FORMS["diffusers"](unet), tmp_path / "a.safetensors", {"lora_adapter_metadata": told})
    check(merged(folder, Adapter(tmp_path / "a.safetensors")), changed(unet, 2.0))


def test_several_are_merged_one_after_another(folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    save_file(kohya(unet), tmp_path / "a.safetensors")
    file = str(tmp_path / "a.safetensors")
    found = merged(folder, *adapters_of([f"{file}:0.25", file]))
    check(found, changed(unet, 1.25 * 6 / RANK))


def test_lengths_of_rows_and_columns(folder: Path, tmp_path: Path) -> None:
    """DoRA, whose lengths LyCORIS keeps along rows or columns."""
    unet = tiny_unet()
    (name, *_) = (name for name in layers_of(unet) if name.endswith("to_v"))
    weight = unet.get_submodule(name).weight.detach()
    for shape in ((weight.shape[0], 1), (1, weight.shape[1])):
        lengths = torch.rand(shape, generator=torch.Generator().manual_seed(3)) + 0.5
        parts = {key: value for key, value in kohya(unet).items() if "to_v" in key}
        flat = next(iter(parts)).partition(".")[0]
        save_file({**parts, f"{flat}.dora_scale": lengths}, tmp_path / "dora.safetensors")
        found = merged(folder, Adapter(tmp_path / "dora.safetensors"))[f"{name}.weight"]
        axis = 1 if shape[1] == 1 else 0
        torch.testing.assert_close(found.norm(dim=axis, keepdim=True), lengths)
        moved = changed(unet, 6 / RANK)[f"{name}.weight"]
        torch.testing.assert_close(found / lengths, moved / moved.norm(dim=axis, keepdim=True))


def test_whole_differences_and_biases(folder: Path, tmp_path: Path) -> None:
    unet = tiny_unet()
    norm, layer = "conv_norm_out", "conv_in"
    tensors = {
        f"lora_unet_{layer}.diff": torch.ones_like(unet.conv_in.weight),
        f"lora_unet_{layer}.diff_b": torch.ones_like(unet.conv_in.bias),
        f"lora_unet_{norm}.w_norm": torch.ones_like(unet.conv_norm_out.weight),
        f"lora_unet_{norm}.b_norm": torch.ones_like(unet.conv_norm_out.bias),
    }
    save_file(tensors, tmp_path / "full.safetensors")
    found, before = merged(folder, Adapter(tmp_path / "full.safetensors", 0.5)), unet.state_dict()
    moved = {f"{place}.{one}" for place in (norm, layer) for one in ("weight", "bias")}
    check(found, {name: tensor + 0.5 * (name in moved) for name, tensor in before.items()})


def test_what_goes_nowhere_is_named(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tensors = kohya(tiny_unet())
    tensors["lora_unet_somewhere_else.lora_down.weight"] = torch.ones(2, 4)
    tensors["lora_unet_somewhere_else.lora_up.weight"] = torch.ones(4, 2)
    tensors["bundle_emb.thing.string_to_param"] = torch.ones(2)
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.ones(2, 4)
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = torch.ones(4, 2)
    save_file(tensors, tmp_path / "a.safetensors")
    with caplog.at_level(logging.WARNING, "dgqc"):
        merged(folder, Adapter(tmp_path / "a.safetensors"))
    assert (
        "2 of its layers go nowhere in this model and are left out: lora_unet_somewhere_else" in caplog.text
    )
    assert "bundle_emb.thing.string_to_param" in caplog.text
    assert "1 changes of text encoders are left out" in caplog.text


def test_text_encoders_of_the_pipeline(pipeline_folder: Path, tmp_path: Path) -> None:
    plain = load_pipeline(pipeline_folder).text_encoder
    (name,) = (name for name, _ in plain.named_modules() if name.endswith("layers.0.mlp.fc1"))
    weight = plain.get_submodule(name).weight.detach()
    down, up = torch.randn(2, weight.shape[1]), torch.randn(weight.shape[0], 2)
    flat = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    text = {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
    save_file({**kohya(tiny_unet()), **text}, tmp_path / "a.safetensors")
    loaded = load_model(pipeline_folder, adapters=adapters_of(f"{tmp_path / 'a.safetensors'}:0.5"))
    assert loaded.pipeline is not None
    found = loaded.pipeline.load({"unet": loaded.model})
    torch.testing.assert_close(found.text_encoder.get_submodule(name).weight, weight + 0.5 * up @ down)
    check(found.unet.state_dict(), changed(tiny_unet(), 0.5 * 6 / RANK))


def wrong_shape(unet: Any) -> Tensors:
    return {
        key: torch.cat([tensor, tensor]) if "lora_up" in key else tensor
        for key, tensor in kohya(unet).items()
    }


REFUSALS: dict[str, Callable[[Any], Tensors]] = {
    r"the change at lora_unet_\w+\.\w+ does not fit this model's layer": wrong_shape,
    "holds alpha, down alone of the change at": lambda unet: {
        key: tensor for key, tensor in kohya(unet).items() if "lora_up" not in key
    },
    r"changes 1 layers, lora_unet_joint.lora_down.weight for instance, none of which": lambda unet: {
        "lora_unet_joint.lora_down.weight": torch.ones(2, 4),
        "lora_unet_joint.lora_up.weight": torch.ones(4, 2),
    },
    r"holds no changes of layers \(conv_in.bias for instance\)": lambda unet: unet.state_dict(),
    "holds a whole model, not what changes one": lambda unet: {"input_blocks.0.0.weight": torch.ones(1)},
    "holds NaN or infinite values": lambda unet: {
        key: tensor * torch.nan for key, tensor in kohya(unet).items()
    },
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message: str, folder: Path, tmp_path: Path) -> None:
    save_file(REFUSALS[message](tiny_unet()), tmp_path / "a.safetensors")
    with pytest.raises(DgqcError, match=message) as caught:
        merged(folder, Adapter(tmp_path / "a.safetensors"))
    assert "\n" not in str(caught.value)


def test_names_and_strengths() -> None:
    assert adapters_of("a:b.safetensors") == (Adapter(Path("a:b.safetensors")),)
    assert adapters_of(["a.bin:-0.5", Path("b")]) == (Adapter(Path("a.bin"), -0.5), Adapter(Path("b")))
    with pytest.raises(DgqcError, match="The strength of a is nan"):
        adapters_of("a:nan")
    assert low_rank(tiny_unet()).keys() == layers_of(tiny_unet()).keys()
