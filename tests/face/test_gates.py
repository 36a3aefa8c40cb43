"""GLIGEN: boxes and phrases are inputs, and so is whether the gates are open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import picture_adapters
import pytest
import text_parts
import torch
from diffusers.pipelines.stable_diffusion.clip_image_project_model import CLIPImageProjection
from PIL import Image

import dgqc
from dgqc.execution.boundary import to_integers
from dgqc.frontends import calibrate, capture, load_calibration
from dgqc.frontends.loading.answering import answer_of
from dgqc.frontends.loading.gates import gates_open, with_gates
from dgqc.ir.errors import DgqcError
from dgqc.report.quality import decibels

STEPS = 4


def gated() -> Any:
    """Stable Diffusion with gated layers, open wide as trained ones."""
    unet = text_parts.unet(attention_type="gated")
    with torch.no_grad():
        for name, one in unet.named_parameters():
            if "alpha_" in name:
                one.fill_(2.0)
    return diffusers.StableDiffusionGLIGENPipeline(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def drawn(whole: Any, boxes: list[list[float]], shut_after: float) -> torch.Tensor:
    """A picture's latents."""
    latents: torch.Tensor = whole(
        "a red square",
        gligen_phrases=["square"] * len(boxes),
        gligen_boxes=boxes,
        gligen_scheduled_sampling_beta=shut_after,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    ).images
    return latents


def test_boxes_and_gates_are_inputs(tmp_path: Path) -> None:
    whole = gated()
    file = tmp_path / "c.safetensors"
    calibrate(whole, ["a red square", "a blue circle"], STEPS, file)
    opened = [float(next(load_calibration(file).read(step))["gligen_open"].mean()) for step in range(STEPS)]
    assert opened == [1, 0, 0, 0]
    program = dgqc.compile(whole.unet, "naive-w8a8", calibration=file, check=False)
    taken = {one.name for one in program.provenance.inputs}
    assert taken >= {"gligen_boxes", "gligen_masks", "gligen_positive_embeddings", "gligen_open"}
    model = with_gates(whole.unet)
    for step in (0, 3):
        given = next(load_calibration(file).read(step))
        with torch.no_grad():
            wanted = answer_of(model, given, torch.tensor(program.program.schedule.timesteps[step]))
        found = program.answer(given, step=step, backend="reference")
        assert decibels(wanted, found) > 20, step
    boxes = [[0.1, 0.1, 0.6, 0.7]]
    wide, usual = drawn(whole, boxes, 1.0), drawn(whole, boxes, 0.3)
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    # The pipeline shuts the program's gates as it shuts the original's.
    assert (drawn(whole, boxes, 0.3) - usual).norm() < 0.5 * (wide - usual).norm()
    assert not program.saturated["gligen_open"]
    # Open where calibration saw them shut: clipped, and counted.
    drawn(whole, boxes, 1.0)
    assert program.saturated["gligen_open"] == STEPS - 1


def test_gates_of_a_call() -> None:
    unet = gated().unet
    told = with_gates(unet)
    assert gates_open(unet)
    boxes = {
        "boxes": torch.rand(1, 3, 4),
        "masks": torch.tensor([[1.0, 1.0, 0.0]]),
        "positive_embeddings": torch.randn(1, 3, text_parts.WIDTH),
    }
    call = {"sample": torch.randn(1, 4, 8, 8), "timestep": 5, "encoder_hidden_states": torch.randn(1, 6, 16)}

    def answer(model: Any, **more: Any) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = model(**call, cross_attention_kwargs={"gligen": {**boxes, **more}}).sample
        return found

    plain = unet(**call).sample
    assert torch.allclose(answer(told, open=torch.ones(1, 1)), answer(unet), atol=1e-6)
    assert torch.allclose(answer(told, open=torch.zeros(1, 1)), plain, atol=1e-6)
    assert not torch.allclose(answer(unet), plain, atol=1e-3)
    with pytest.raises(DgqcError, match="gated layers, and nothing says which boxes they are given"):
        capture(told)


class _Reader:
    """Reads words and pictures, as CLIP's processor does."""

    def __call__(self, images: Any = None, text: Any = None, **_options: Any) -> Any:
        if images is None:
            return text_parts.tokenizer()(text, padding="max_length", return_tensors="pt")
        return picture_adapters.processor()(images=images, return_tensors="pt")


def of_pictures() -> Any:
    """The pipeline that is shown things beside their names."""
    plain, unet = gated(), text_parts.unet(attention_type="gated-text-image")
    with torch.no_grad():
        for name, one in unet.named_parameters():
            if "alpha_" in name:
                one.fill_(2.0)
    return diffusers.StableDiffusionGLIGENTextImagePipeline(
        vae=plain.vae,
        text_encoder=plain.text_encoder,
        tokenizer=plain.tokenizer,
        processor=_Reader(),
        image_encoder=picture_adapters.image_encoder(),
        image_project=CLIPImageProjection(hidden_size=text_parts.WIDTH),
        unet=unet,
        scheduler=plain.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@pytest.mark.slow
def test_pictures_of_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded with a loop of one's own, they are inputs, and the drop-in hands them on."""
    monkeypatch.setattr(picture_adapters, "EMBEDDING", text_parts.WIDTH)
    whole = of_pictures()

    def pictured(seed: int) -> torch.Tensor:
        latents: torch.Tensor = whole(
            "a red square",
            gligen_phrases=["square"],
            gligen_images=[Image.linear_gradient("L").convert("RGB")],
            gligen_boxes=[[0.1, 0.1, 0.6, 0.7]],
            gligen_scheduled_sampling_beta=1.0,
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(seed),
            output_type="latent",
        ).images
        return latents

    with dgqc.recording(whole.unet) as calls:
        for seed in range(2):
            calls.begin_picture()
            pictured(seed)
    recorded = calls.calibration("my loop")
    program = dgqc.compile(whole.unet, "naive-w8a8", calibration=recorded, check=False)
    given = next(recorded.read(0))
    hidden = {**given, "gligen_image_masks": torch.zeros_like(given["gligen_image_masks"])}
    shown, other = (to_integers(program.program, one, 0) for one in (given, hidden))
    assert [name for name in shown if not torch.equal(shown[name], other[name])]
    wanted = pictured(3)
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    assert decibels(wanted, pictured(3)) > 15
