"""ControlNets and T2I-Adapters: what they add inside the UNet are inputs of the program."""

from __future__ import annotations

from collections.abc import Mapping
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
from dgqc.frontends.calibrating.pipeline_parts import networks_of, reads_gray
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


def doubly_controlled() -> Any:
    """With two ControlNets."""
    whole = controlled()
    torch.manual_seed(4)
    other = diffusers.ControlNetModel.from_unet(whole.unet, conditioning_embedding_out_channels=(4, 8))
    nets = [whole.controlnet, loud(other)]
    return pipeline(diffusers.StableDiffusionControlNetPipeline, whole.unet, controlnet=nets)


def unet_of_two_levels() -> Any:
    """The adapters' channels at its two depths."""
    return text_parts.unet(
        block_out_channels=(8, 12),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


ADAPTERS: Mapping[str, Mapping[str, Any]] = {
    "full_adapter": {"channels": [8, 12], "num_res_blocks": 1},
    "full_adapter_xl": {"channels": [8, 12, 12], "num_res_blocks": 1},
    "light_adapter": {"channels": [8, 12], "num_res_blocks": 1, "in_channels": 1},
}
"""T2I-Adapters of each kind, the last for sketches of one channel."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.linear_gradient("L").convert("RGB").save(folder / "a.png")
    Image.effect_noise((32, 32), 80).convert("RGB").save(folder / "b.png")
    return folder


def drawn(whole: Any, pictures: Path, name: str = "a.png", **options: Any) -> torch.Tensor:
    """A picture's latents, drawn after another picture."""
    generator = torch.Generator().manual_seed(3)
    several = len(networks_of(whole))
    image: Any = Image.open(pictures / name).resize((16, 16))
    image = image.convert("L") if any(map(reads_gray, networks_of(whole))) else image
    image = [image, image.rotate(90)][:several] if several > 1 else image
    settings = {"num_inference_steps": 2, "output_type": "latent", **options}
    latents: torch.Tensor = whole("a circle", image=image, generator=generator, **settings).images
    return latents


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (controlled, {"down_residual_0", "down_residual_1", "mid_residual"}),
        (adapted, {"adapter_residual_0"}),
        # What several add is summed up before the UNet sees it.
        (doubly_controlled, {"down_residual_0", "down_residual_1", "mid_residual"}),
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
    with pytest.raises(DgqcError, match="There is no backend 'nowhere'"):
        program.as_diffusers_controlnet(answers, backend="nowhere")
    with pytest.raises(DgqcError, match="not compiled from a T2IAdapter; give one that was"):
        program.as_diffusers_adapter(adapted().adapter)
    program.report = {}
    with pytest.raises(DgqcError, match="not compiled from a ControlNetModel; give one that was"):
        program.as_diffusers_controlnet(answers)


def test_one_of_several_is_a_program(pictures: Path, tmp_path: Path) -> None:
    whole, file = doubly_controlled(), tmp_path / "c.safetensors"
    first_picture = Image.open(pictures / "a.png").resize((16, 16))
    first_picture.save(tmp_path / "a.png")
    first_picture.rotate(90).save(tmp_path / "a.control2.png")
    given: dict[str, Any] = {"pictures": tmp_path, "samples": 2, "batch_size": 2}
    with pytest.raises(DgqcError, match=r"has 2 networks there; say whose .* controlnet.0 or controlnet.1"):
        calibrate(whole, None, 2, file, **given, part="controlnet")
    with pytest.raises(DgqcError, match=r"no controlnet.2; its last one is controlnet.1"):
        calibrate(whole, None, 2, file, **given, part="controlnet.2")
    other = calibrate(whole, None, 2, tmp_path / "d.safetensors", **given, part="controlnet.0")
    own = calibrate(whole, None, 2, file, **given, part="controlnet.1")
    first, second = (next(one.read(0))["controlnet_cond"][0] for one in (other, own))
    assert not torch.equal(first, second)
    program = dgqc.compile(whole.controlnet.nets[1], "naive-w8a8", calibration=file, check=False)
    scales = {"controlnet_conditioning_scale": [1.0, 0.5]}
    expected = drawn(whole, pictures, **scales)
    without = drawn(whole, pictures, controlnet_conditioning_scale=[1.0, 0.0])
    whole.controlnet.nets[1] = program.as_diffusers_controlnet(whole.controlnet.nets[1], backend="reference")
    answer = drawn(whole, pictures, **scales)
    assert (answer - expected).norm() < 0.3 * (without - expected).norm()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_is_a_program(kind: str, pictures: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    adapter = loud(diffusers.T2IAdapter(downscale_factor=2, adapter_type=kind, **ADAPTERS[kind]))
    adapter.save_pretrained(tmp_path / "adapter")
    file = tmp_path / "c.safetensors"
    unet = text_parts.unet() if kind == "full_adapter_xl" else unet_of_two_levels()
    whole = pipeline(diffusers.StableDiffusionAdapterPipeline, unet, adapter=adapter)
    found = calibrate(whole, None, 2, file, pictures=pictures, samples=4, part="adapter")
    assert len(found.schedule) == 1
    program = dgqc.compile(tmp_path / "adapter", "naive-w8a8", calibration=file, check=False)
    channels = ADAPTERS[kind].get("in_channels", 3)
    assert [(one.name, one.shape) for one in program.provenance.inputs] == [("sample", (1, channels, 16, 16))]
    picture = next(found.read(0))["sample"][:1]
    stand_in = program.as_diffusers_adapter(adapter, backend="reference")
    with torch.no_grad():
        for wanted, one in zip(adapter(picture), stand_in(picture), strict=True):
            assert (one - wanted).norm() < 0.1 * wanted.norm()
    with pytest.raises(DgqcError, match="There is no backend 'nowhere'"):
        program.as_diffusers_adapter(adapter, backend="nowhere")
    if kind == "full_adapter_xl":
        return
    expected, without = (drawn(whole, pictures, adapter_conditioning_scale=one) for one in (1.0, 0.0))
    whole.adapter = stand_in
    assert (drawn(whole, pictures) - expected).norm() < 0.1 * (without - expected).norm()


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
    with pytest.raises(DgqcError, match="mid_residual, sample, so it is not a ControlNetModel's; record it"):
        dgqc.compile(whole.controlnet, calibration=tmp_path / "c.safetensors")
    with pytest.raises(DgqcError, match="has no controlnet; leave --part out"):
        calibrate(
            pipeline(diffusers.StableDiffusionPipeline, whole.unet),
            ["a"],
            2,
            tmp_path / "d",
            part="controlnet",
        )
    with pytest.raises(DgqcError, match=r"T2IAdapter is compiled for the calls .* --part adapter -o FILE"):
        dgqc.compile(adapted().adapter)
    with pytest.raises(
        DgqcError, match=r"no --part vae; it is unet, controlnet, adapter, or controlnet.1 of"
    ):
        calibrate(whole, ["a"], 2, tmp_path / "d", pictures=pictures, part="vae")


def test_what_stands_in_for_a_unet_is_recorded_like_one() -> None:
    """It has no names for all that the UNet takes: a check draws with it."""

    class StandIn(nn.Module):
        def forward(self, sample: Any, timestep: Any, return_dict: bool = True, **others: Any) -> Any:
            return sample

    model, sample = StandIn(), torch.zeros(1, 4, 8, 8)
    with dgqc.recording(model) as calls:
        model(sample, 9, mid_block_additional_residual=sample, return_dict=False)
    assert set(calls.batches[0][0]) == {"sample", "mid_residual"}


def test_a_controlnet_and_an_adapter_in_one_call() -> None:
    """As loops of one's own have it: no pipeline of diffusers has both."""
    unet = text_parts.unet()

    def call(seed: int) -> dict[str, Any]:
        first, second, middle, inner = torch.randn(
            4, 1, 8, 8, 8, generator=torch.Generator().manual_seed(seed)
        )
        context = torch.randn(
            1, text_parts.TOKENS, text_parts.WIDTH, generator=torch.Generator().manual_seed(seed)
        )
        return {
            "sample": first[:, :4],
            "encoder_hidden_states": context,
            "down_block_additional_residuals": [first, second],
            "mid_block_additional_residual": middle,
            "down_intrablock_additional_residuals": [inner],
        }

    with torch.no_grad(), dgqc.recording(unet) as calls:
        for seed in range(4):
            calls.begin_picture()
            unet(timestep=9, **call(seed))
    program = dgqc.compile(unet, "naive-w8a8", calibration=calls.calibration("both"), check=False)
    names = {one.name for one in program.provenance.inputs}
    assert names >= {"down_residual_0", "down_residual_1", "mid_residual", "adapter_residual_0"}
    compiled = program.as_diffusers_unet(unet, backend="reference")
    with torch.no_grad():
        wanted, found = unet(timestep=9, **call(2)).sample, compiled(timestep=9, **call(2)).sample
    assert (found - wanted).norm() < 0.1 * wanted.norm()
    with torch.no_grad():
        without = unet(timestep=9, **{**call(2), "down_intrablock_additional_residuals": None}).sample
    assert (without - wanted).norm() > 0.2 * wanted.norm()
