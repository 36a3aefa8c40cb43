"""The same function with Stable Diffusion's kind of outliers: ``python -m dgqc.demo_model.outliers FOLDER``.

A model as small as this one has mild outliers. Here a few channels are scaled up where they are produced and
down where they are consumed, by a power of two, so that not a bit of the float model's output changes.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from . import load_pipeline
from .model import save_pipeline

CHANNELS = 4
FACTOR = 32.0
SEED = 0


def with_outliers(
    unet: torch.nn.Module, channels: int = CHANNELS, factor: float = FACTOR, seed: int = SEED
) -> torch.nn.Module:
    """A copy of a diffusers UNet with outliers in its transformer blocks; it computes the same.

    channels: how many at each place, chosen by the seed. factor: what they are multiplied by; a power of two,
    or rounding differs.

    The places are those where nothing but a linear map stands between producer and consumer: after the norms
    of transformer blocks, in the values of GEGLU, and in the values of attentions. Inside of ResNet blocks
    SiLU stands between, and in the residual stream a norm over all channels.
    """
    changed = copy.deepcopy(unet)
    generator = torch.Generator().manual_seed(seed)

    def move(produced: Sequence[Any], consumed: Sequence[Any], first: int = 0) -> None:
        """Scales some of the rows from `first` on, and the columns that read them back."""
        count = consumed[0].shape[1]
        chosen = torch.randperm(count, generator=generator)[:channels]
        with torch.no_grad():
            for parameter in produced:
                parameter[first + chosen] *= factor
            for parameter in consumed:
                parameter[:, chosen] /= factor

    for part in changed.modules():
        block: Any = part
        name = type(part).__name__
        if name == "Transformer2DModel":
            move(_affine(block.norm), [block.proj_in.weight])
        elif name == "BasicTransformerBlock":
            own, cross = block.attn1, block.attn2
            move(_affine(block.norm1), [own.to_q.weight, own.to_k.weight, own.to_v.weight])
            if cross is not None:
                move(_affine(block.norm2), [cross.to_q.weight])
            up, down = block.ff.net[0].proj, block.ff.net[2]
            move(_affine(block.norm3), [up.weight])
            move([up.weight, up.bias], [down.weight])  # GEGLU's values come before its gates
            for attention in (own, cross) if cross is not None else (own,):
                move([attention.to_v.weight], [attention.to_out[0].weight])
    return changed


def _affine(norm: Any) -> list[Any]:
    return [norm.weight, norm.bias]


def main() -> None:
    """Writes a pipeline folder with the changed UNet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--channels", type=int, default=CHANNELS, help="outliers at each place")
    parser.add_argument("--factor", type=float, default=FACTOR, help="what they are multiplied by")
    parser.add_argument("--seed", type=int, default=SEED, help="which channels")
    arguments = parser.parse_args()
    pipeline = load_pipeline()
    unet = with_outliers(pipeline.unet, arguments.channels, arguments.factor, arguments.seed)
    pipeline.register_modules(unet=unet)
    save_pipeline(pipeline, arguments.folder)


if __name__ == "__main__":
    main()
