"""Whole pipelines in published sizes: random weights with a fixed seed, as diffusers saves them.

    python benchmarks/whole_pipelines.py stable-diffusion FOLDER
    python benchmarks/whole_pipelines.py turbo FOLDER

stable-diffusion: v1.4's text encoder, UNet and decoder (CompVis/stable-diffusion-v1-4). turbo: those of
stabilityai/sd-turbo, with the decoder of AutoencoderTiny. --narrow N divides all widths, --layers N leaves
out text layers behind, and --size N makes latents smaller, to try a benchmark on a machine that has other
work. Wants open_clip_torch, which ships CLIP's vocabulary.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 0
TOKENS, MERGES = 77, 49152 - 256 - 2
DOWN = (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D")
UP = ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3)
WIDTHS, DECODED = (320, 640, 1280, 1280), (128, 256, 512, 512)


@dataclass(frozen=True)
class Shape:
    """text: width, layers and heads of the text encoder. heads: of the UNet's blocks, as diffusers counts.

    linear: whether its attentions project by linears. tiny: whether the decoder is AutoencoderTiny's.
    """

    text: tuple[int, int, int]
    activation: str
    heads: int | tuple[int, ...]
    linear: bool
    tiny: bool
    scheduler: Callable[[], Any]


def _pndm() -> Any:
    from diffusers import PNDMScheduler

    return PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, skip_prk_steps=True
    )


def _euler() -> Any:
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing"
    )


SHAPES = {
    "stable-diffusion": Shape((768, 12, 12), "quick_gelu", 8, False, False, _pndm),
    "turbo": Shape((1024, 23, 16), "gelu", (5, 10, 20, 20), True, True, _euler),
}


def tokenizer() -> Any:
    """CLIP's, from the vocabulary that open_clip_torch ships. Raises SystemExit where that isn't there."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    found = importlib.util.find_spec("open_clip")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("CLIP's vocabulary is missing; pip install open_clip_torch.")
    packed = Path(found.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    merges = [(left, right) for left, right in (line.split() for line in lines)]
    letters = _letters(ByteLevel.alphabet())
    words = [*letters, *(f"{one}</w>" for one in letters), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def _letters(known: list[str]) -> list[str]:
    """The letters that stand for bytes, in CLIP's order: printable ones first."""
    printable = [chr(point) for point in (*range(33, 127), *range(161, 173), *range(174, 256))]
    return printable + sorted(set(known) - set(printable))


def text_encoder(shape: Shape, narrow: int, layers: int) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    width, most, heads = shape.text
    config = CLIPTextConfig(
        hidden_size=width // narrow,
        intermediate_size=4 * width // narrow,
        num_hidden_layers=min(most, layers),
        num_attention_heads=heads,
        hidden_act=shape.activation,
        projection_dim=width // narrow,
    )
    return CLIPTextModel(config).eval()


def unet(shape: Shape, narrow: int, size: int) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=size,
        in_channels=4,
        out_channels=4,
        down_block_types=DOWN,
        up_block_types=UP,
        block_out_channels=tuple(width // narrow for width in WIDTHS),
        layers_per_block=2,
        attention_head_dim=shape.heads,
        cross_attention_dim=shape.text[0] // narrow,
        use_linear_projection=shape.linear,
        norm_num_groups=min(32, 32 // narrow * 2),
    ).eval()


def autoencoder(shape: Shape, narrow: int, size: int = 64) -> Any:
    from diffusers import AutoencoderKL, AutoencoderTiny

    if shape.tiny:
        return AutoencoderTiny().eval()
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=tuple(width // narrow for width in DECODED),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=min(32, 32 // narrow * 2),
        sample_size=8 * size,
        scaling_factor=0.18215,
    ).eval()


def make(name: str, folder: Path, narrow: int, layers: int, size: int) -> None:
    """Writes the pipeline's folder, where it isn't there."""
    import torch
    from diffusers import StableDiffusionPipeline

    if folder.exists():
        return
    shape = SHAPES[name]
    words = tokenizer()
    torch.manual_seed(SEED)
    StableDiffusionPipeline(
        vae=autoencoder(shape, narrow, size),
        text_encoder=text_encoder(shape, narrow, layers),
        tokenizer=words,
        unet=unet(shape, narrow, size),
        scheduler=shape.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--narrow", type=int, default=1)
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--size", type=int, default=64)
    given = parser.parse_args()
    make(given.name, given.folder, given.narrow, given.layers, given.size)


if __name__ == "__main__":
    main()
