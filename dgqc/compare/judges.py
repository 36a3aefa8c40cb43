"""What pictures are worth."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..demo_model.classifier import Classifier, load_classifier, picture_features, to_values
from ..demo_model.evaluate import alignment, frechet_distance, reference_pictures
from ..demo_model.pictures import PICTURE_SIZE, Scene, is_held_out, parse_caption
from ..ir.errors import DgqcError
from .drawing import Pictures, has_latent_pictures
from .trajectory import MOST_DB

log = logging.getLogger("dgqc")

REAL = 4096
"""Real pictures that stand for reality."""


class Judge(Protocol):
    """Gives pictures their figures, by the name of a column."""

    @property
    def name(self) -> str:
        """What measurements are kept under."""

    def check(self, prompts: Sequence[str]) -> None:
        """Raises DgqcError for prompts that it can't judge, before anything is drawn."""

    def judge(self, pictures: Pictures, prompts: Sequence[str], beside: Pictures | None) -> dict[str, float]:
        """beside: the float model's pictures of the same prompts and seeds; None for its own."""


class JudgeKind(StrEnum):
    """Of judges."""

    DEMO = "demo"
    CLIP = "clip"
    FID = "fid"
    PIXELS = "pixels"
    NONE = "none"


def choose(
    kind: JudgeKind | None,
    model: Path,
    clip: Path | None,
    real: Path | None,
    prompts: Sequence[str] = (),
    *,
    decoded: bool = False,
) -> Judge | None:
    """The judge of a model's pictures.

    kind: None takes the demo model's for its like, CLIP for the others; where that one can't judge here, says
    why and takes `pixels`, which always can. clip: a folder with CLIP's weights. real: a folder of real
    pictures, for `fid`. prompts: what is drawn. decoded: whether latents without a VAE have a decoder, so
    that they are no pictures of the demo model's kind.
    Raises DgqcError where a judge that was asked for can't read a prompt, or its weights are not on this
    machine.
    """
    if kind is not None or clip or real:
        return _ready(kind or (JudgeKind.FID if real else JudgeKind.CLIP), clip, real, prompts)
    usual = JudgeKind.DEMO if has_latent_pictures(model) and not decoded else JudgeKind.CLIP
    try:
        return _ready(usual, clip, real, prompts)
    except DgqcError as reason:
        log.warning("%s Until then pictures are compared with the float model's alone.", reason)
        return PixelJudge()


def _ready(kind: JudgeKind, clip: Path | None, real: Path | None, prompts: Sequence[str]) -> Judge | None:
    found: Judge
    if kind is JudgeKind.NONE:
        return None
    if kind is JudgeKind.DEMO:
        found = DemoJudge()
    elif kind is JudgeKind.PIXELS:
        found = PixelJudge()
    else:
        from .clip_judge import clip_judge

        found = clip_judge(clip, real, inception=kind is JudgeKind.FID)
    found.check(prompts)
    return found


@dataclass(frozen=True)
class PixelJudge:
    """psnr_float: 10 log10(255^2 / mean squared difference) from the float model's pictures, all of them
    together; the same prompts and seeds. It knows nothing of what a picture shows.
    """

    name: str = "pixels"

    def check(self, prompts: Sequence[str]) -> None:
        """Every text will do."""

    def judge(self, pictures: Pictures, prompts: Sequence[str], beside: Pictures | None) -> dict[str, float]:
        if beside is None:
            return {}
        squared = np.square(pictures.astype(np.float64) - beside).mean()
        return {"psnr_float": 10 * math.log10(255**2 / squared) if squared else MOST_DB}


@dataclass(frozen=True)
class DemoJudge:
    """The demo model's: a classifier that reads every attribute off a picture.

    alignment: share of the attributes that prompts name and pictures show. confidence: an inception score
    over the classifier's heads, exp of the mean divergence of a picture's answers from all pictures' mean;
    1 says nothing, and it can't pass the number of answers. frechet_real, frechet_float: Frechet distance in
    the classifier's 128 features, to 4,096 real pictures (of unseen compositions where the prompts are
    that) and to the float model's; it falls with the number of pictures.
    """

    name: str = "demo"

    @cached_property
    def _classifier(self) -> Classifier:
        return load_classifier()

    @cached_property
    def _real(self) -> dict[bool, NDArray[np.float64]]:
        return {}

    def check(self, prompts: Sequence[str]) -> None:
        self._scenes(prompts)

    def judge(self, pictures: Pictures, prompts: Sequence[str], beside: Pictures | None) -> dict[str, float]:
        scenes = self._scenes(prompts)
        if pictures.shape[1:] != (PICTURE_SIZE, PICTURE_SIZE, 3):
            raise DgqcError(
                f"Pictures are {pictures.shape[2]} x {pictures.shape[1]}, but the demo model's judge takes "
                f"{PICTURE_SIZE} x {PICTURE_SIZE}; give --judge none."
            )
        found = {
            "alignment": 100 * alignment(pictures, scenes),
            "confidence": confidence(self._classifier, pictures),
        }
        if len(pictures) > 1:
            features = picture_features(self._classifier, pictures)
            real = self._real_features(unseen=all(is_held_out(scene) for scene in scenes))
            found["frechet_real"] = frechet_distance(features, real)
            if beside is not None:
                found["frechet_float"] = frechet_distance(
                    features, picture_features(self._classifier, beside)
                )
        return found

    def _real_features(self, unseen: bool) -> NDArray[np.float64]:
        if unseen not in self._real:
            self._real[unseen] = picture_features(self._classifier, reference_pictures(REAL, unseen))
        return self._real[unseen]

    @staticmethod
    def _scenes(prompts: Sequence[str]) -> list[Scene]:
        scenes = []
        for prompt in prompts:
            try:
                scenes.append(parse_caption(prompt))
            except ValueError:
                raise DgqcError(
                    f"The demo model's judge can't read the prompt {prompt!r}; write captions of its "
                    "grammar, or give --judge none."
                ) from None
        return scenes


@torch.no_grad()
def confidence(classifier: Classifier, pictures: Pictures) -> float:
    """An inception score: exp of the divergence between a picture's answers and the mean ones, over heads."""
    divergences = []
    for scores in classifier(to_values(pictures)):
        chance = torch.softmax(scores.double(), dim=1).clamp(min=1e-12)
        divergences.append((chance * (chance / chance.mean(dim=0, keepdim=True)).log()).sum(dim=1).mean())
    return float(torch.stack(divergences).mean().exp())
