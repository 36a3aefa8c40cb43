"""IP-Adapters: the tokens of pictures are inputs of the program, with scales of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import picture_adapters
import pytest
import torch
from picture_adapters import plain_projection, resampler
from PIL import Image
from safetensors.torch import save_file

import dgqc
from dgqc.frontends import calibrate, capture
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]
STEPS = 2


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, image in {"a": Image.effect_noise((20, 16), 80), "b": Image.linear_gradient("L")}.items():
        image.convert("RGB").save(folder / f"{name}.png")
    return folder


def drawn(whole: Any, pictures: Path, name: str = "a.png") -> torch.Tensor:
    """A picture's latents, with each adapter shown a picture."""
    count = len(whole.unet.encoder_hid_proj.image_projection_layers)
    shown = [Image.open(pictures / name)] * count
    options = {"num_inference_steps": STEPS, "output_type": "latent"}
    generator = torch.Generator().manual_seed(3)
    latents: torch.Tensor = whole("a circle", ip_adapter_image=shown, generator=generator, **options).images
    return latents


def test_tokens_are_inputs(pictures: Path) -> None:
    projections = (resampler(0), plain_projection(1))
    whole = picture_adapters.pipeline(*projections)
    how: dict[str, Any] = {"steps": STEPS, "samples": 4, "check": False, "parts": "unet"}
    program = dgqc.compile(whole, "naive-w8a8", pictures=pictures, **how)
    assert program.provenance.calibration.endswith("with 2 pictures, seed 0")
    names = [f"image_embeds_{number}" for number in range(len(projections))]
    assert [one.name for one in program.provenance.inputs][2:] == names
    # What the program itself takes are tokens; the layers that make them run in front of it.
    width = whole.unet.config.cross_attention_dim
    tokens = [one for one in program.program.inputs if one.name.startswith("image_embeds")]
    assert [one.shape[-2:] for one in tokens] == [(picture_adapters.TOKENS, width)] * len(projections)
    assert len({float(one.scale[0]) for one in tokens if one.scale is not None}) == len(projections)
    expected, other = drawn(whole, pictures), drawn(whole, pictures, "b.png")
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    found = drawn(whole, pictures)
    assert (found - expected).norm() < 0.3 * (other - expected).norm()
    with pytest.raises(DgqcError, match="The program needs the input image_embeds_0"):
        whole.unet(torch.randn(1, 4, 8, 8), program.program.schedule.timesteps[0], torch.randn(1, 6, 16))


def test_recorded_samples(pictures: Path, tmp_path: Path) -> None:
    whole = picture_adapters.pipeline(plain_projection(0))
    found = calibrate(
        whole, ["a", "a circle"], STEPS, tmp_path / "c.safetensors", batch_size=2, pictures=pictures
    )
    shown = [one["image_embeds_0"][-1] for one in found.read(0)]
    assert len(shown) == 2  # one picture a batch
    assert not torch.equal(*shown)


def test_from_a_file_by_the_command_line(pictures: Path, run: Run, tmp_path: Path) -> None:
    whole = picture_adapters.pipeline()
    file = picture_adapters.flat(picture_adapters.adapter(whole.unet, plain_projection(0)))
    whole.image_encoder.save_pretrained(tmp_path / "models" / "image_encoder")
    save_file(file, str(tmp_path / "models" / "ip-adapter_sd15.safetensors"))
    whole.register_modules(image_encoder=None, feature_extractor=None)
    whole.save_pretrained(tmp_path / "pipeline")
    adapter = ("--ip-adapter", f"{tmp_path / 'models' / 'ip-adapter_sd15.safetensors'}:0.6")
    asked = ("--steps", STEPS, "--samples", 2, "--pictures", pictures, *adapter)
    code, out, err = run("calibrate", tmp_path / "pipeline", *asked, "-o", tmp_path / "c.safetensors")
    assert code == 0, err
    assert "with 2 pictures, 2 calls each" in out
    code, _, err = run("compile", tmp_path / "pipeline", *adapter, "-o", tmp_path / "out")
    assert code == 2
    assert "The StableDiffusionPipeline's IP-Adapter is shown pictures; give a folder of some with" in err
    code, out, err = run("compile", tmp_path / "pipeline", *asked, "--stop-after", "insert-sites")
    assert code == 0, err
    assert "image_embeds_0" in out


def test_refusals(pictures: Path, tmp_path: Path) -> None:
    whole = picture_adapters.pipeline(plain_projection(0))
    file = tmp_path / "c.safetensors"
    with pytest.raises(DgqcError, match="IP-Adapter is shown pictures; give a folder of some with --pict"):
        calibrate(whole, ["a"], STEPS, file)
    with pytest.raises(DgqcError, match="IP-Adapter, and nothing says which pictures it is shown; compile"):
        capture(whole.unet)
    whole.image_encoder = None
    with pytest.raises(DgqcError, match="has an IP-Adapter, but no image encoder"):
        calibrate(whole, ["a"], STEPS, file, pictures=pictures)
