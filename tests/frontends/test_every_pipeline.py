"""Every pipeline of diffusers with a UNet of ours is calibrated, or one sentence says what to do instead."""

from __future__ import annotations

from pathlib import Path

import every_pipeline
import pytest
from PIL import Image

from dgqc.frontends import calibrate
from dgqc.frontends.calibrating.pipeline_calls import reads_pictures
from dgqc.ir.errors import DgqcError

STEPS = 5
SLOW = ("StableDiffusionPanoramaPipeline",)
"""Draws two thousand pixels in windows."""
TAKEN = frozenset(
    {
        "AltDiffusion",
        "AltDiffusionImg2Img",
        "AnimateDiff",
        "AnimateDiffPAG",
        "AnimateDiffSDXL",
        "ConsistencyModel",
        "DDIM",
        "DDPM",
        "KarrasVe",
        "LatentConsistencyModel",
        "LatentConsistencyModelImg2Img",
        "PNDM",
        "ScoreSdeVe",
        "SemanticStableDiffusion",
        "StableDiffusion",
        "StableDiffusionAdapter",
        "StableDiffusionControlNet",
        "StableDiffusionControlNetImg2Img",
        "StableDiffusionControlNetInpaint",
        "StableDiffusionControlNetPAG",
        "StableDiffusionControlNetPAGInpaint",
        "StableDiffusionImg2Img",
        "StableDiffusionInpaint",
        "StableDiffusionInstructPix2Pix",
        "StableDiffusionModelEditing",
        "StableDiffusionPAG",
        "StableDiffusionPAGImg2Img",
        "StableDiffusionPAGInpaint",
        "StableDiffusionUpscale",
        "StableDiffusionXL",
        "StableDiffusionXLAdapter",
        "StableDiffusionXLControlNet",
        "StableDiffusionXLControlNetImg2Img",
        "StableDiffusionXLControlNetInpaint",
        "StableDiffusionXLControlNetPAG",
        "StableDiffusionXLControlNetPAGImg2Img",
        "StableDiffusionXLImg2Img",
        "StableDiffusionXLInpaint",
        "StableDiffusionXLInstructPix2Pix",
        "StableDiffusionXLPAG",
        "StableDiffusionXLPAGImg2Img",
        "StableDiffusionXLPAGInpaint",
    }
)
"""What is calibrated, without `Pipeline`."""
ALWAYS = {
    "StableDiffusionXLControlNetImg2ImgPipeline": "",
    "BlipDiffusionPipeline": "wants reference_image, source_subject_category, target_subject_category, which",
}
"""And what is said of some."""
INSTEAD = ("dgqc.recording(pipe.unet)",)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.linear_gradient("L").convert("RGB").save(folder / "a.png")
    return folder


def said(name: str, pictures: Path, file: Path) -> str:
    """What is said against calibrating a pipeline; nothing where it was calibrated."""
    try:
        whole = every_pipeline.built(name)
    except (AttributeError, TypeError, ValueError) as error:
        pytest.skip(f"wants other parts: {error}")
    given = pictures if reads_pictures(whole) else None
    try:
        found = calibrate(whole, None, STEPS, file, samples=1, pictures=given)
    except DgqcError as error:
        return str(error)
    assert len(list(found.read(0))) == 1
    return ""


@pytest.mark.parametrize("name", ALWAYS)
def test_some(name: str, pictures: Path, tmp_path: Path) -> None:
    message = said(name, pictures, tmp_path / "c.safetensors")
    assert ALWAYS[name] in message
    assert bool(message) == bool(ALWAYS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [one for one in every_pipeline.classes() if one not in (*ALWAYS, *SLOW)])
def test_calibrated_or_said(name: str, pictures: Path, tmp_path: Path) -> None:
    message = said(name, pictures, tmp_path / "c.safetensors")
    assert "\n" not in message
    assert (name.removesuffix("Pipeline") in TAKEN) == (not message), message
    assert not message or any(one in message for one in INSTEAD)
