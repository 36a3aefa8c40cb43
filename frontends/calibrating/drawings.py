"""Samples from pictures that the model's own pipeline draws."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError
from ...ir.ranks import share, shared_out
from ...ir.schedule import Schedule
from ..loading.conditionings import refuse_hidden_pictures
from ..loading.pipelines import unknown_words
from .captions import everyday_captions, prompts_for, tells_apart
from .conditions import draw_labels, label_count
from .embeddings import FACES, Embeddings
from .lend import lent, networks_in
from .pictures import Picture
from .pipeline_calls import (
    Asked,
    Settings,
    check_embeddings,
    draw,
    own_guidance,
    reads_pictures,
    rehearsal,
    takes,
)
from .pipeline_parts import UNET, networks_of, part_of
from .recorder import Progress, Recorder, recording
from .sample_by_sample import sample_by_sample
from .shown_pictures import is_shown_pictures, wants_pictures

log = logging.getLogger("dgqc")

Drawn = MutableMapping[tuple[Settings, int], torch.Tensor]
"""Latents of a picture, float32 (1, C, H, W), by how it was drawn and the seed of its noise."""


@dataclass(frozen=True)
class Drawings:
    """A pipeline around a UNet, and how it is to draw.

    prompts: what users ask for; None takes captions that dgqc brings. labels: classes; None draws them.
    pictures: for a pipeline that changes pictures. embeddings: in the place of prompts, or beside them.
    part: whose calls are recorded. drawn: latents of pictures, which whoever shares it needn't draw again.
    """

    pipeline: Any
    settings: Settings
    prompts: Sequence[str] | None = None
    labels: Sequence[int] | None = None
    pictures: Sequence[Picture] | None = None
    part: str = UNET
    embeddings: Embeddings | None = None
    drawn: Drawn = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = type(self.pipeline).__name__
        unet = getattr(self.pipeline, "unet", None)
        if not isinstance(unet, nn.Module):
            raise DgqcError(f"A {name} has no UNet, which alone dgqc compiles; give such a pipeline.")
        refuse_hidden_pictures(unet)
        part_of(self.pipeline, self.part)
        if self.prompts is not None and not self.prompted:
            raise DgqcError(f"A {name} takes no prompts; leave them out, and say how many pictures.")
        if self.labels is not None:
            self._check_labels(self.labels)
        if self.embeddings is not None or self.prompted:
            check_embeddings(self.pipeline, self.embeddings, self.settings)
        if (self.pictures is not None) != self._reads_pictures:
            if self.pictures is None and not takes(self.pipeline, "image"):
                raise DgqcError(wants_pictures(self.pipeline))
            if self.pictures is None:
                raise DgqcError(f"A {name} changes pictures; give a folder of some with --pictures.")
            raise DgqcError(f"A {name} takes no pictures; leave --pictures out.")

    @property
    def guidance_scale(self) -> float | None:
        """How far pictures are guided; None where the pipeline takes no scale."""
        asked = self.settings.guidance_scale
        return own_guidance(self.pipeline) if asked is None else asked

    @property
    def prompted(self) -> bool:
        """Whether the pipeline is given prompts."""
        embedded = self.embeddings is not None and self.embeddings.prompted
        return takes(self.pipeline, "prompt") and not embedded

    @property
    def _reads_pictures(self) -> bool:
        told = self.embeddings is not None and any(one.startswith(FACES) for one in self.embeddings.tensors)
        return reads_pictures(self.pipeline) if not told else takes(self.pipeline, "image")

    @property
    def labelled(self) -> bool:
        """Whether the pipeline takes classes, and its UNet has a table of them."""
        return takes(self.pipeline, "class_labels") and label_count(self.pipeline.unet) > 1

    def rehearse(self) -> Calibration:
        """The calls that the pipeline makes for a picture; its loop runs, its UNet doesn't.

        Raises DgqcError for a pipeline that can't draw by itself, as one that changes a given picture.
        """
        return rehearsal(self.pipeline, self.settings, self.asked(1, 0)[0])

    def asked(self, count: int, seed: int) -> list[Asked]:
        """So many pictures, the i-th from noise with seed `seed + i`."""
        prompts: Sequence[str | None] = [None] * count
        if self.prompted:
            tokenizer = getattr(self.pipeline, "tokenizer", None)
            given = self.prompts
            prompts = prompts_for(tokenizer, count, seed) if given is None else _again(given, count)
        labels: Sequence[int | None] = [None] * count
        if self.labelled:
            generator = torch.Generator().manual_seed(seed)
            drawn = draw_labels(label_count(self.pipeline.unet), count, generator).tolist()
            labels = drawn if self.labels is None else _again(self.labels, count)
        changed: Sequence[Picture | None] = [None] * count
        if self.pictures is not None:
            changed = _again(self.pictures, count)
        rows = [{} if self.embeddings is None else self.embeddings.row(i) for i in range(count)]
        each = zip(prompts, labels, changed, rows, strict=True)
        return [Asked(seed + i, *one) for i, one in enumerate(each)]

    def record(
        self, count: int, batch_size: int, seed: int, progress: Progress | None, calls: int
    ) -> Recorder:
        """Draws so many pictures and keeps the UNet's calls. calls: those of a picture, for `progress`."""
        self.warn_of_unknown_words()
        return self.record_asked(self.asked(count, seed), batch_size, progress, calls)

    def record_asked(
        self, pictures: Sequence[Asked], batch_size: int, progress: Progress | None, calls: int
    ) -> Recorder:
        """The same of pictures that are described already."""
        batches = self._batches(pictures, batch_size)
        network, expected = part_of(self.pipeline, self.part), calls * share(len(batches))
        lend = lent(*networks_in(self.pipeline))
        with lend, recording(network, expected, progress) as recorder, sample_by_sample(network):

            def drawn(batch: Sequence[Asked]) -> tuple[list[Inputs], list[float], Any]:
                recorder.begin_picture()
                pictures = draw(self.pipeline, batch, self.settings)
                return recorder.batches[-1], recorder.timesteps[-1], pictures

            found = list(shared_out(drawn, batches, one_by_one=True))
        for batch, (_, _, pictures) in zip(batches, found, strict=True):
            self._keep(batch, pictures)
        called, timesteps, _ = zip(*found, strict=True)
        return replace(recorder, batches=list(called), timesteps=list(timesteps))

    def latents(self, count: int, batch_size: int, seed: int) -> torch.Tensor:
        """What the pipeline would decode of so many pictures, float32 (count, C, H, W)."""
        asked = self.asked(count, seed)
        missing = [one for one in asked if (self.settings, one.seed) not in self.drawn]
        with lent(*networks_in(self.pipeline)), sample_by_sample(part_of(self.pipeline, self.part)):
            for batch in self._batches(missing, batch_size):
                self._keep(batch, draw(self.pipeline, batch, self.settings))
        return torch.cat([self.drawn[self.settings, one.seed] for one in asked])

    def _keep(self, batch: Sequence[Asked], pictures: Any) -> None:
        """Those that are latents, one for each picture."""
        if isinstance(pictures, torch.Tensor) and len(pictures) == len(batch):
            for one, row in zip(batch, pictures.float()[:, None], strict=True):
                self.drawn[self.settings, one.seed] = row

    def _batches(self, pictures: Sequence[Asked], size: int) -> list[Sequence[Asked]]:
        """What is drawn together."""
        each = is_shown_pictures(self.pipeline) or takes(self.pipeline, "gligen_boxes")
        if each or len(networks_of(self.pipeline)) > 1:
            size = 1  # A pipeline gives all pictures of a batch the same.
        return [pictures[start : start + size] for start in range(0, len(pictures), size)]

    def draw(
        self, schedule: Schedule, samples: int, batch_size: int, seed: int, progress: Progress | None
    ) -> Calibration:
        """So many pictures' calls, held in memory.

        Raises DgqcError where the pipeline makes other calls than the schedule's.
        """
        recorder = self.record(samples, batch_size, seed, progress, len(schedule))
        found = recorder.calibration(self.origin(samples), schedule.scheduler)
        if found.schedule != schedule:
            raise DgqcError(
                f"The {type(self.pipeline).__name__} made {len(found.schedule)} calls, but its schedule says "
                f"{len(schedule)}; record samples with `dgqc calibrate` and give them instead."
            )
        return found

    def origin(self, count: int) -> str:
        """Where so many samples come from, one line for the report."""
        name = type(self.pipeline).__name__
        if self.pictures is not None:
            name = f"{name}, with {len(self.pictures)} pictures"
        if self.prompts is not None:
            return f"{count} prompts through {name}"
        if self.embeddings is not None and self.embeddings.prompted:
            return f"{count} embeddings of prompts through {name}"
        if self.prompted:
            known = tells_apart(getattr(self.pipeline, "tokenizer", None), everyday_captions())
            return f"{count} {'everyday captions' if known else 'prompts of its words'} through {name}"
        return f"{count} pictures{' of classes' if self.labelled else ''} by {name}"

    def _check_labels(self, labels: Sequence[int]) -> None:
        classes = label_count(self.pipeline.unet)
        if not self.labelled:
            raise DgqcError(f"A {type(self.pipeline).__name__} takes no classes here; leave them out.")
        if wrong := [label for label in labels if not 0 <= label < classes]:
            raise DgqcError(f"There is no class {wrong[0]}; the UNet has {classes}, 0 the first.")

    def warn_of_unknown_words(self) -> None:
        """Says which words of the prompts are all one to the model."""
        if unknown := unknown_words(getattr(self.pipeline, "tokenizer", None), self.prompts or ()):
            log.warning(
                "The pipeline's tokenizer doesn't know %s (%d words of the prompts), all one to the model.",
                ", ".join(unknown[:3]),
                len(unknown),
            )


def _again(given: Sequence[Any], count: int) -> list[Any]:
    """The first `count`, from the beginning again where there are fewer."""
    return [given[i % len(given)] for i in range(count)]
