"""Judges and decoders of other packages: found, used, and refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from dgqc.cli.compare import _Asked, _decoder
from dgqc.compare.drawing import PictureSeries, _decoded
from dgqc.compare.own import decoder, own_judge
from dgqc.compare.workload import Amounts
from dgqc.ir.errors import DgqcError

PACKAGE = """
def brightness(pictures, prompts, beside):
    return {"brightness": pictures.mean(), "letters": len(prompts[0])}

def words(pictures, prompts, beside):
    return {"verdict": "good"}

def grey(latents):
    import numpy as np
    return np.full((len(latents), 4, 4, 3), 128, dtype=np.uint8)
"""
POINTS = """
[dgqc.judges]
brightness = bright_judge:brightness
words = bright_judge:words
gone = bright_judge:gone

[dgqc.decoders]
grey = bright_judge:grey
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, as pip lays it out."""
    (tmp_path / "bright_judge.py").write_text(PACKAGE)
    about = tmp_path / "bright_judge-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bright-judge\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))


def pictures() -> np.ndarray:
    return np.full((2, 4, 4, 3), 7, dtype=np.uint8)


def test_a_judge_is_found_by_its_name_and_kept_with_its_version() -> None:
    judge = own_judge("brightness")
    assert judge.name == "brightness (bright-judge 1.2)"
    assert judge.judge(pictures(), ["a cat", "a dog"], None) == {"brightness": 7.0, "letters": 5.0}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("best", r"no judge 'best' among those that packages offer \(brightness, gone, words\)"),
        ("gone", "judge gone of the package bright-judge can't be loaded"),
    ],
)
def test_a_judge_that_is_not_there_is_named(name: str, wanted: str) -> None:
    with pytest.raises(DgqcError, match=wanted):
        own_judge(name)


def test_figures_are_numbers() -> None:
    with pytest.raises(DgqcError, match="gives 'verdict' = 'good', but a figure is a number"):
        own_judge("words").judge(pictures(), ["a cat"], None)


def test_a_decoder_makes_pictures_and_tells_them_apart() -> None:
    name, decode = decoder("grey")
    assert name == "bright-judge 1.2"
    assert decode(torch.zeros(3, 1, 2, 2)).shape == (3, 4, 4, 3)
    plain = PictureSeries(Path(), ("a cat",), 0, 2, None)
    drawn = PictureSeries(Path(), ("a cat",), 0, 2, None, (name, decode))
    assert plain.to_json() != drawn.to_json()
    assert "decoder" not in plain.to_json()


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (2, 4, 4), (2, 3, 4, 4)])
def test_what_is_no_picture_is_refused(shape: Sequence[int]) -> None:
    with pytest.raises(DgqcError, match=r"but pictures are a numpy array of uint8, \(2, height, width, 3\)"):
        _decoded(torch.zeros(2, 1, 2, 2), "odd", lambda _: np.zeros(shape, dtype=np.uint8))


def test_a_folder_with_a_vae_decodes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=2, scaling_factor=0.5)
    model.save_pretrained(tmp_path / "vae")
    latents = torch.randn(1, 2, 4, 4)
    found = decoder(str(tmp_path / "vae"))[1](latents)
    with torch.no_grad():
        wanted = (127.5 * (model.decode(latents / 0.5).sample + 1)).round().clamp(0, 255).byte()
    assert np.array_equal(found, wanted.permute(0, 2, 3, 1).numpy())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(DgqcError, match="holds UNet2DModel, but a decoder is one of"):
        decoder(str(tmp_path / "other"))


def test_a_pipeline_with_a_vae_takes_no_other(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"vae": ["diffusers", "AutoencoderKL"]}')
    asked = _Asked(Amounts(), None, None, False, None, None, None, None, None, "grey")
    with pytest.raises(DgqcError, match="is for pipelines without a VAE"):
        _decoder(tmp_path, asked)
