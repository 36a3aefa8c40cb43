"""The other parts of text-to-image pipelines, about as small as there are: for pipelines of every kind."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast

WORDS = ("a", "red", "blue", "square", "circle")
TOKENS, WIDTH = 6, 16


def tokenizer() -> Any:
    """Knows five words."""
    numbers = {word: number for number, word in enumerate(("<pad>", "<start>", "<end>", *WORDS))}
    found = Tokenizer(models.WordLevel(numbers, unk_token="<pad>"))
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=found,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=TOKENS,
    )


def text_encoder() -> Any:
    """CLIP's, of one layer."""
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=3 + len(WORDS),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return CLIPTextModel(config).eval()


def vae(channels: int = 4) -> Any:
    """A latent is four pixels."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    return AutoencoderKL(
        latent_channels=channels, block_out_channels=(8, 8), norm_num_groups=4, sample_size=16, **blocks
    ).eval()


def unet(**options: Any) -> Any:
    """One level of cross attention over 8 x 8 latents."""
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "sample_size": 8,
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "block_out_channels": (8,),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "cross_attention_dim": WIDTH,
    }
    return UNet2DConditionModel(**{**defaults, **options}).eval()


def byte_letters() -> list[str]:
    """A letter for each byte, as byte-pair encodings write them."""
    backend = pre_tokenizers.ByteLevel.alphabet()
    return sorted(backend)


def clip(merges: list[tuple[str, str]], letters: list[str], length: int, **options: Any) -> Any:
    """CLIP's tokenizer of these merges."""
    vocabulary = [*letters, *(f"{one}</w>" for one in letters), *("".join(pair) for pair in merges)]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    ids = {token: number for number, token in enumerate(vocabulary)}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=length, **options)


def small_clip(**options: Any) -> Any:
    """CLIP's tokenizer of a few merges of our own."""
    merges = [("c", "a"), ("ca", "t</w>"), ("o", "f</w>"), ("l", "l</w>"), ("a", "b"), ("b", "a"), ("x", "x")]
    merges += [("xx", "xx"), ("Ã", "©</w>"), ("!", "!</w>")]
    return clip(merges, byte_letters(), 16, **options)
