"""CLIP score, Frechet inception distance and inception score, through torchmetrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import nn

from ..ir.errors import DgqcError
from .drawing import Pictures

CLIP = "openai/clip-vit-base-patch16"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
"""As torch-fidelity calls them, in torch hub's folder of checkpoints."""
BEHIND = 15
"""torchvision 0.16 came with torch 2.1, and so on."""
AT_ONCE = 16
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def clip_judge(clip: Path | None, real: Path | None, *, inception: bool) -> ClipJudge:
    """The judge, once everything it needs is found to be on this machine; nothing is ever downloaded.

    clip: a folder with CLIP's weights; None looks where transformers keeps openai/clip-vit-base-patch16.
    real: a folder of real pictures, to measure the distance to. inception: whether it measures distances.
    Raises DgqcError, naming what is missing.
    """
    _need("torchmetrics", "CLIP scores", "install dgqc[metrics]")
    folder = clip or _kept(CLIP)
    if folder is None or not (folder / "config.json").is_file():
        raise DgqcError(
            f"CLIP's weights are not on this machine ({folder or CLIP}); give their folder with --clip, or "
            "compare without pictures: --judge none."
        )
    weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION
    if inception:
        _need("torch_fidelity", "Frechet inception distances", f"install it with {_paired_torchvision()}")
        if not weights.is_file():
            raise DgqcError(
                f"Inception's weights are not on this machine ({weights}); put torch-fidelity's there, or "
                "take --judge clip."
            )
    if real is not None and not real.is_dir():
        raise DgqcError(f"{real} is no folder; give one of real pictures, or leave out --real.")
    return ClipJudge(folder, real, weights if inception else None)


@dataclass(frozen=True)
class ClipJudge:
    """clip_score: 100 cos(picture, prompt), mean. fid_float, fid_real: to the float model's and to real
    pictures. inception_score. The distances need thousands of pictures to mean anything.
    """

    clip: Path
    real: Path | None
    inception: Path | None

    @property
    def name(self) -> str:
        return f"clip {self.clip} {self.real} {self.inception}"

    def check(self, prompts: Sequence[str]) -> None:
        """Every text will do."""

    def judge(self, pictures: Pictures, prompts: Sequence[str], beside: Pictures | None) -> dict[str, float]:
        metric = self._clip_metric
        metric.reset()
        for some, batch in zip(_batches(prompts), _batches(pictures), strict=True):
            metric.update(list(_tensor(batch)), list(some))
        found = {"clip_score": float(metric.compute())}
        if self.inception is not None:
            if beside is not None:
                found["fid_float"] = self._distance(_batches(beside), pictures)
            if self.real is not None:
                found["fid_real"] = self._distance(_pictures_in(self.real), pictures)
            found["inception_score"] = self._inception_score(pictures)
        return found

    @cached_property
    def _clip_metric(self) -> Any:
        from torchmetrics.multimodal import CLIPScore

        models: Any = transformers
        try:
            model = models.CLIPModel.from_pretrained(self.clip, local_files_only=True)
            processor = models.CLIPProcessor.from_pretrained(self.clip, local_files_only=True)
        except (OSError, ValueError) as error:
            raise DgqcError(f"CLIP can't be loaded from {self.clip}: {str(error).splitlines()[0]}") from error
        return CLIPScore(model_name_or_path=lambda: (_Features(model), processor))

    def _distance(self, wanted: Iterator[Pictures], pictures: Pictures) -> float:
        from torchmetrics.image.fid import FrechetInceptionDistance

        metric: Any = FrechetInceptionDistance(feature_extractor_weights_path=str(self.inception))
        for batch in wanted:
            metric.update(_tensor(batch), real=True)
        for batch in _batches(pictures):
            metric.update(_tensor(batch), real=False)
        return float(metric.compute())

    def _inception_score(self, pictures: Pictures) -> float:
        from torchmetrics.image.inception import InceptionScore

        metric: Any = InceptionScore(splits=1)
        for batch in _batches(pictures):
            metric.update(_tensor(batch))
        return float(metric.compute()[0])


class _Features(nn.Module):
    """A CLIP model whose features are tensors, which torchmetrics expects and newer transformers wrap."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.clip, self.config = clip, clip.config

    def get_image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, D)"""
        return _pooled(self.clip.get_image_features(pixels))

    def get_text_features(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(N, D)"""
        return _pooled(self.clip.get_text_features(tokens, mask))


def _pooled(found: Any) -> torch.Tensor:
    pooled: torch.Tensor = found if isinstance(found, torch.Tensor) else found.pooler_output
    return pooled


def _need(module: str, what: str, install: str) -> None:
    if find_spec(module) is None:
        raise DgqcError(
            f"{what} need the package {module}, which is not installed; {install}, or compare with --judge "
            "none."
        )


def _paired_torchvision() -> str:
    """The commands for torch-fidelity, which takes any torchvision: one that isn't built for this torch can't
    be imported, nor can diffusers then."""
    release, _, build = torch.__version__.partition("+")
    major, minor, *_ = release.split(".")
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    paired = f"torchvision=={int(major) - 2}.{int(minor) + BEHIND}.*"
    return f"python -m pip install '{paired}'{index}, then python -m pip install torch-fidelity"


def _kept(name: str) -> Path | None:
    """Where transformers keeps a model, if it does."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(name, "config.json")
    return Path(file).parent if isinstance(file, str) else None


def _batches(items: Any) -> Iterator[Any]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def _tensor(pictures: Pictures) -> torch.Tensor:
    """uint8 (N, 3, height, width)."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def _pictures_in(folder: Path) -> Iterator[Pictures]:
    """One at a time, since sizes may differ."""
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in PICTURES:
            with Image.open(file) as picture:
                yield np.asarray(picture.convert("RGB"))[None]
