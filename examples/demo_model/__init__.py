"""The demo model: a small text-to-picture diffusion model, trained from scratch by this project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["load_pipeline", "pipeline_dir", "prompts"]

_HERE = Path(__file__).resolve().parent


def pipeline_dir() -> Path:
    """The shipped pipeline folder, in the layout of a Stable Diffusion pipeline without a VAE."""
    return _HERE / "pipeline"


def load_pipeline(folder: Path | None = None) -> Any:
    """The ``StableDiffusionPipeline`` in float32, quiet; call it with ``output_type="latent"``.

    Its latents [N, 12, 16, 16] become pictures through :func:`.model.to_pictures`.
    """
    import diffusers
    import torch
    from diffusers.utils import logging

    pipeline_class: Any = diffusers.StableDiffusionPipeline
    # The UNet is stored as float16; diffusers warns of widening it, and of loading without accelerate.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        pipeline = pipeline_class.from_pretrained(folder or pipeline_dir(), vae=None, local_files_only=True)
        pipeline.to(torch.float32)
    finally:
        logging.set_verbosity(verbosity)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def prompts() -> list[str]:
    """The calibration prompts, 64 captions of the grammar."""
    return (_HERE / "prompts.txt").read_text(encoding="utf-8").splitlines()
