"""A pipeline's parts as models of one call: what they give is what the pipeline takes of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import text_parts
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import nn
from transformers import BertConfig, BertModel, CLIPTextModelWithProjection

from dgqc.frontends.capturing.capture import capture
from dgqc.frontends.loading.exported_unet import ExportedUNet
from dgqc.frontends.parts.decoders import Latents, decoder_part
from dgqc.frontends.parts.text_encoders import ids_of, taken_states, text_encoder_part
from dgqc.ir.errors import UnsupportedOperation

PROMPTS = ["", "a red circle", "blue", "a blue square"]
TIME = torch.zeros(1)


def with_projection(old: bool) -> Any:
    """A second text encoder. old: whether its config calls the end 2, as it did before."""
    torch.manual_seed(1)
    config = text_parts.text_encoder().config
    config.projection_dim, config.num_hidden_layers = text_parts.WIDTH + 4, 2
    config.eos_token_id = 2 if old else 7
    return CLIPTextModelWithProjection(config).eval()


def answers(model: ExportedUNet, ids: torch.Tensor) -> torch.Tensor:
    """Of the captured graph, prompt by prompt."""
    graph = capture(model).graph
    with torch.no_grad():
        return torch.cat([graph(input_ids=one[None], timestep=TIME) for one in ids])


def test_the_last_states_are_the_pipeline_s() -> None:
    pipeline = SimpleNamespace(text_encoder=text_parts.text_encoder(), tokenizer=text_parts.tokenizer())
    part = text_encoder_part(pipeline, "text_encoder", 0)
    ids = ids_of(pipeline.tokenizer, PROMPTS)
    with torch.no_grad():
        wanted = pipeline.text_encoder(ids)[0]
    torch.testing.assert_close(answers(part.model, ids), wanted, atol=1e-5, rtol=1e-4)
    assert part.model.kind == "CLIPTextModel"
    calls = list(part.calibration.read(0))
    assert torch.equal(calls[0]["input_ids"][0], ids[0])  # guidance's empty prompt calibrates, too
    assert not part.calibration.synthetic


@pytest.mark.parametrize("old", [True, False])
def test_states_before_the_last_layer_and_pooled_text_are_one_tensor(old: bool) -> None:
    second = with_projection(old)
    pipeline = SimpleNamespace(text_encoder_2=second, tokenizer_2=text_parts.tokenizer())
    part = text_encoder_part(pipeline, "text_encoder_2", 0)
    ids = ids_of(pipeline.tokenizer_2, PROMPTS)
    with torch.no_grad():
        wanted = second(ids, output_hidden_states=True)
    found = answers(part.model, ids)
    tokens, width = text_parts.TOKENS, second.config.projection_dim
    assert found.shape == (len(PROMPTS), tokens + 2, text_parts.WIDTH)  # 20 numbers fill two rows of 16
    torch.testing.assert_close(found[:, :tokens], wanted.hidden_states[-2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        found[:, tokens:].flatten(1)[:, :width], wanted.text_embeds, atol=1e-5, rtol=1e-4
    )
    assert taken_states(pipeline, "text_encoder_2").pooled == width


class _Drawn:
    """Stands for a pipeline that draws."""

    def __init__(self, vae: nn.Module) -> None:
        self.pipeline = SimpleNamespace(vae=vae)

    def origin(self, count: int) -> str:
        return f"{count} of a test"

    def latents(self, count: int, batch_size: int, seed: int) -> torch.Tensor:
        return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def smallest_vae(**options: Any) -> AutoencoderKL:
    torch.manual_seed(0)
    small: dict[str, Any] = {"block_out_channels": (4,), "norm_num_groups": 2, "layers_per_block": 1}
    return AutoencoderKL(latent_channels=4, **small, **options).eval()


def tiny_vae() -> AutoencoderTiny:
    torch.manual_seed(0)
    halves = {"encoder_block_out_channels": (4, 4), "decoder_block_out_channels": (4, 4)}
    return AutoencoderTiny(num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1), **halves).eval()


VAES = {
    "scaled": lambda: smallest_vae(scaling_factor=0.5, shift_factor=0.25),
    "by channel": lambda: smallest_vae(latents_mean=[0.1, 0.2, 0.3, 0.4], latents_std=[1.0, 2.0, 3.0, 4.0]),
    "tiny": tiny_vae,
}


@pytest.mark.parametrize("name", VAES)
def test_decoders_take_the_pipeline_s_latents(name: str) -> None:
    vae: Any = VAES[name]()
    drawn: Any = _Drawn(vae)
    part = decoder_part(drawn, (8, 8), 3)
    latents = Latents(vae.config)
    sample = next(part.calibration.read(0))["sample"][:1]
    torch.testing.assert_close(latents.undone(latents.decoded(sample)), sample)
    with torch.no_grad():
        wanted = vae.decode(latents.decoded(sample)).sample
        found = capture(part.model).graph(sample, TIME)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)


def test_scaling_is_stable_diffusion_s() -> None:
    config = {"scaling_factor": 0.5, "shift_factor": 0.25}
    assert float(Latents(config).decoded(torch.tensor(1.0))) == 2.25
    assert float(Latents({}).decoded(torch.tensor(1.0))) == 1.0


def test_other_encoders_are_refused_by_name() -> None:
    small = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    pipeline = SimpleNamespace(text_encoder=BertModel(small), tokenizer=text_parts.tokenizer())
    with pytest.raises(UnsupportedOperation, match="text_encoder, a BertModel, is no text encoder of CLIP"):
        text_encoder_part(pipeline, "text_encoder", 0)
