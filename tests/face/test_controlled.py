"""ControlNets and T2I-Adapters: what they add inside the UNet are inputs of the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import text_parts
import torch
from PIL import Image
from torch import nn

import dgqc
from dgqc.frontends import calibrate, load_calibration
from dgqc.frontends.loading.answering import answer_of
from dgqc.ir.errors import DgqcError


def loud(module: nn.Module) -> Any:
    """Without layers that answer zero, as an untrained ControlNet has them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for one in module.parameters():
            if not one.any():
                one.add_(3 * torch.randn(one.shape, generator=generator))
    return module.eval()


def controlled() -> Any:
    """Stable Diffusion with a ControlNet, as small as there is."""
    unet = text_parts.unet()
    torch.manual_seed(1)
    control = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8))
    return pipeline(diffusers.StableDiffusionControlNetPipeline, unet, controlnet=loud(control))


def adapted() -> Any:
    """With a T2I-Adapter."""
    torch.manual_seed(1)
    adapter = diffusers.T2IAdapter(
        in_channels=3, channels=[8], num_res_blocks=1, downscale_factor=2, adapter_type="full_adapter"
    )
    return pipeline(diffusers.StableDiffusionAdapterPipeline, text_parts.unet(), adapter=loud(adapter))


def pipeline(kind: Any, unet: Any, **more: Any) -> Any:
    return kind(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **more,
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.linear_gradient("L").convert("RGB").save(folder / "a.png")
    Image.effect_noise((32, 32), 80).convert("RGB").save(folder / "b.png")
    return folder


def drawn(whole: Any, pictures: Path, name: str = "a.png", **options: Any) -> torch.Tensor:
    """A picture's latents, drawn after another picture."""
    generator = torch.Generator().manual_seed(3)
    image = Image.open(pictures / name).resize((16, 16))
    settings = {"num_inference_steps": 2, "output_type": "latent", **options}
    latents: torch.Tensor = whole("a circle", image=image, generator=generator, **settings).images
    return latents


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (controlled, {"down_residual_0", "down_residual_1", "mid_residual"}),
        (adapted, {"adapter_residual_0"}),
    ],
)
def test_what_is_added_is_an_input(make: Any, names: set[str], pictures: Path, tmp_path: Path) -> None:
    whole = make()
    file = tmp_path / "c.safetensors"
    calibrate(whole, ["a red square", "a circle"], 2, file, pictures=pictures)
    program = dgqc.compile(whole.unet, "naive-w8a8", calibration=file, check=False)
    assert {one.name for one in program.provenance.inputs} == {"sample", "encoder_hidden_states", *names}
    inputs = dict(next(load_calibration(file).read(1)))
    without = {name: torch.zeros_like(one) if name in names else one for name, one in inputs.items()}
    times = torch.tensor(program.program.schedule.timesteps[1])
    with torch.no_grad():
        expected, other = (answer_of(whole.unet, given, times) for given in (inputs, without))
    found = program.answer(inputs, step=1, backend="reference")
    assert (found - expected).norm() < 0.3 * (other - expected).norm()

    expected = drawn(whole, pictures)
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    assert (drawn(whole, pictures) - expected).norm() < 0.1 * expected.norm()
    with pytest.raises(DgqcError, match="The program needs the input"):
        whole.unet(torch.randn(1, 4, 8, 8), program.program.schedule.timesteps[0], torch.randn(1, 6, 16))


def test_a_controlnet_is_a_program(pictures: Path, tmp_path: Path) -> None:
    whole = controlled()
    prompts, file = ["a red square", "a circle"], tmp_path / "c.safetensors"
    calibrate(whole, prompts, 2, file, pictures=pictures, part="controlnet")
    whole.controlnet.save_pretrained(tmp_path / "controlnet")
    program = dgqc.compile(tmp_path / "controlnet", "naive-w8a8", calibration=file, check=False)
    assert [one.name for one in program.provenance.inputs] == [
        "sample",
        "encoder_hidden_states",
        "controlnet_cond",
    ]
    bundle = program.save(tmp_path / "bundle", targets=[])
    settings: list[dict[str, Any]] = [
        {"controlnet_conditioning_scale": 0.0},
        {"controlnet_conditioning_scale": 0.5},
        {"guess_mode": True},
        {},
    ]
    without, *expected = (drawn(whole, pictures, **one) for one in settings)
    answers = whole.controlnet
    whole.controlnet = dgqc.load(bundle).as_diffusers_controlnet(answers, backend="reference")
    for wanted, one in zip(expected, settings[1:], strict=True):
        assert (drawn(whole, pictures, **one) - wanted).norm() < 0.2 * (without - wanted).norm(), one
    program.report = {}
    with pytest.raises(DgqcError, match="not compiled from a ControlNet; give one that was"):
        program.as_diffusers_controlnet(answers)


@pytest.mark.slow
def test_both_in_one_pipeline(pictures: Path, tmp_path: Path) -> None:
    whole = controlled()
    prompts, programs = ["a red square", "a circle"], {}
    for part in ("unet", "controlnet"):
        file = tmp_path / f"{part}.safetensors"
        calibrate(whole, prompts, 2, file, pictures=pictures, part=part)
        programs[part] = dgqc.compile(getattr(whole, part), "w8a8", calibration=file)
        assert programs[part].report["quality"]["least"] > 25
    expected, without = (drawn(whole, pictures, controlnet_conditioning_scale=one) for one in (1.0, 0.0))
    whole.unet = programs["unet"].as_diffusers_unet(whole.unet)
    whole.controlnet = programs["controlnet"].as_diffusers_controlnet(whole.controlnet)
    found = drawn(whole, pictures)
    assert (found - expected).norm() < 0.2 * (without - expected).norm()
    whole.controlnet.backend = whole.unet.backend = "reference"
    assert torch.equal(drawn(whole, pictures), found)


def test_controlnets_that_come_alone(pictures: Path, tmp_path: Path) -> None:
    whole = controlled()
    with pytest.raises(DgqcError, match="record them with `dgqc calibrate PIPELINE --part controlnet"):
        dgqc.compile(whole.controlnet)
    calibrate(whole, ["a"], 2, tmp_path / "c.safetensors", pictures=pictures)
    with pytest.raises(DgqcError, match=r"no controlnet_cond .* so it is not a ControlNet's"):
        dgqc.compile(whole.controlnet, calibration=tmp_path / "c.safetensors")
    with pytest.raises(DgqcError, match="has no controlnet; leave --part out"):
        calibrate(
            pipeline(diffusers.StableDiffusionPipeline, whole.unet),
            ["a"],
            2,
            tmp_path / "d",
            part="controlnet",
        )
    several = diffusers.MultiControlNetModel([whole.controlnet, whole.controlnet])
    whole.controlnet = several
    with pytest.raises(DgqcError, match="has several ControlNets; record each"):
        calibrate(whole, ["a"], 2, tmp_path / "d", pictures=pictures, part="controlnet")
