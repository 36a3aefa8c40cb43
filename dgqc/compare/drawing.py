"""Pictures, drawn by the unmodified pipeline around a candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..demo_model.model import to_pictures
from ..execution.diffusers_unet import CompiledUNet, Runnable
from ..frontends.loading.pipelines import load_pipeline, quietly
from ..ir.errors import DgqcError
from ..ir.progress import track
from ..ir.storage.json_text import read_json_object

Pictures = NDArray[np.uint8]
"""(N, height, width, 3)"""

Decode = Callable[[torch.Tensor], Pictures]
"""decode(latents): of float (N, C, H, W) the pictures."""

AT_ONCE = 16
"""Pictures that are drawn, and kept, together."""


@dataclass(frozen=True)
class PictureSeries:
    """What is drawn: prompt i from noise with seed `first_seed + i`.

    guidance: None is the pipeline's own. decoder: what makes pictures of latents where the pipeline has no
    VAE, and its name; None takes latents for pictures, space to depth by 2.
    """

    model: Path
    prompts: tuple[str, ...]
    first_seed: int
    steps: int
    guidance: float | None
    decoder: tuple[str, Decode] | None = None

    def parts(self) -> list[PictureSeries]:
        """Itself, `AT_ONCE` prompts at a time, so that more pictures continue what fewer began."""
        starts = range(0, len(self.prompts), AT_ONCE)
        return [
            replace(self, prompts=self.prompts[i : i + AT_ONCE], first_seed=self.first_seed + i)
            for i in starts
        ]

    def to_json(self) -> dict[str, Any]:
        found = {key: value for key, value in asdict(self).items() if key not in ("model", "decoder")}
        return found if self.decoder is None else {**found, "decoder": self.decoder[0]}


def has_latent_pictures(model: Path) -> bool:
    """Whether a pipeline has no VAE, as the demo model's: its latents are pictures, space to depth by 2."""
    index = model / "model_index.json"
    return index.is_file() and (read_json_object(index).get("vae") or [None])[0] is None


def draw(
    what: PictureSeries, program: Runnable | None, change: Callable[[nn.Module], None] | None = None
) -> Pictures:
    """The pictures. program: in the UNet's place; None draws with the float model,
    which `change` may be allowed to change first.

    Raises DgqcError where the pipeline fails.
    """
    pipeline = load_pipeline(what.model)
    with quietly():
        pipeline.to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    if program is not None:
        pipeline.register_modules(unet=CompiledUNet(program, pipeline.unet))
    if change is not None:
        change(pipeline.unet)
    latent = has_latent_pictures(what.model)
    options: dict[str, Any] = {} if what.guidance is None else {"guidance_scale": what.guidance}
    bar = iter(track(range(what.steps), f"drawing {len(what.prompts)} pictures", what.steps))

    def advance(*state: Any) -> Any:
        next(bar, None)
        return state[-1]

    try:
        images = pipeline(
            list(what.prompts),
            num_inference_steps=what.steps,
            generator=[torch.Generator().manual_seed(what.first_seed + i) for i in range(len(what.prompts))],
            output_type="latent" if latent else "np",
            callback_on_step_end=advance,
            **options,
        ).images
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DgqcError(
            f"The pipeline {what.model} failed to draw: {reason}; check that it makes pictures by itself, "
            "or give --pictures 0."
        ) from error
    next(bar, None)
    if not latent:
        return (255 * np.asarray(images)).round().astype(np.uint8)
    return to_pictures(images) if what.decoder is None else _decoded(images, *what.decoder)


def _decoded(latents: torch.Tensor, name: str, decode: Decode) -> Pictures:
    """Pictures by a decoder of the user's own. Raises DgqcError for what is none."""
    found = decode(latents)
    if (
        not isinstance(found, np.ndarray)
        or found.dtype != np.uint8
        or found.shape[0:4:3] != (len(latents), 3)
    ):
        about = f"{getattr(found, 'dtype', '')} {list(getattr(found, 'shape', []))}".strip()
        raise DgqcError(
            f"The decoder {name} gives {type(found).__name__} {about}, but pictures are a numpy array of "
            f"uint8, ({len(latents)}, height, width, 3)."
        )
    return found
