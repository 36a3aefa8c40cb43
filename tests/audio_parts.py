"""AudioLDM 2 about as small as there is: four networks read a prompt for a UNet with two contexts."""

from __future__ import annotations

from typing import Any, cast

import diffusers
import text_parts
import torch
import transformers

TEXT, STATES, LANGUAGE = 8, 12, 16
"""Numbers of CLAP's embedding, of a token of T5's, and of the language model's."""
WORDS = 3 + len(text_parts.WORDS)
CHANNELS = 8
"""Of a spectrum, two to a latent."""


def _tokenizer(kind: Any) -> Any:
    """One that knows five words, of the class that the pipeline looks for."""
    found = text_parts.tokenizer()
    found.__class__ = type(kind.__name__, (kind,), {})
    return found


def _clap() -> Any:
    text = {
        "hidden_size": TEXT,
        "intermediate_size": TEXT,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "vocab_size": WORDS,
        "pad_token_id": 0,
        "projection_dim": TEXT,
    }
    audio = {
        "spec_size": 8,
        "window_size": 4,
        "num_mel_bins": 8,
        "intermediate_size": 8,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "num_hidden_layers": 1,
        "hidden_size": 192,
        "projection_dim": TEXT,
        "patch_size": 2,
        "patch_stride": 2,
        "patch_embed_input_channels": 4,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=TEXT)
    return transformers.ClapModel(config).eval()


def _language_model() -> Any:
    sizes = {"n_embd": LANGUAGE, "n_head": 1, "n_layer": 1, "n_positions": 32, "vocab_size": WORDS}
    config = transformers.GPT2Config(**sizes, bos_token_id=1, eos_token_id=2)
    config.max_new_tokens = 4
    return transformers.GPT2LMHeadModel(config).eval()


def _vocoder() -> Any:
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=CHANNELS,
        upsample_initial_channel=8,
        upsample_rates=[2, 2],
        upsample_kernel_sizes=[4, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        normalize_before=False,
    )
    return transformers.SpeechT5HifiGan(config).eval()


def unet() -> Any:
    """Attends to what the language model says, and to T5's states."""
    return diffusers.AudioLDM2UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=[[None, LANGUAGE, STATES], [None, LANGUAGE, STATES]],
    ).eval()


def pipeline() -> Any:
    """From words to sounds."""
    torch.manual_seed(0)
    states = transformers.T5Config(
        vocab_size=WORDS, d_model=STATES, d_ff=8, d_kv=4, num_heads=1, num_layers=1, pad_token_id=0
    )
    anything = cast(Any, diffusers)
    return anything.AudioLDM2Pipeline(
        vae=anything.AutoencoderKL(
            in_channels=1,
            out_channels=1,
            block_out_channels=(4, 4),
            norm_num_groups=4,
            latent_channels=4,
            down_block_types=["DownEncoderBlock2D"] * 2,
            up_block_types=["UpDecoderBlock2D"] * 2,
        ).eval(),
        text_encoder=_clap(),
        text_encoder_2=transformers.T5EncoderModel(states).eval(),
        projection_model=anything.AudioLDM2ProjectionModel(TEXT, STATES, LANGUAGE).eval(),
        language_model=_language_model(),
        tokenizer=_tokenizer(transformers.RobertaTokenizer),
        tokenizer_2=_tokenizer(transformers.T5Tokenizer),
        feature_extractor=transformers.ClapFeatureExtractor(feature_size=8),
        unet=unet(),
        scheduler=diffusers.DDIMScheduler(),
        vocoder=_vocoder(),
    )
