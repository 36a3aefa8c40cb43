"""Attention is captured with its heads apart, whatever processor a model has."""

from __future__ import annotations

from typing import Any

import architectures
import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, SlicedAttnProcessor

from dgqc.frontends import capture
from dgqc.ir.program import Program

from .captured_graph import assert_same
from .conftest import tiny_unet

aten = torch.ops.aten


def attention_shapes(program: Program) -> set[int]:
    return {
        node.meta["val"].dim() for node in program.graph.graph.nodes if node.target is aten.matmul.default
    }


@pytest.mark.parametrize("processor", [AttnProcessor(), SlicedAttnProcessor(1)], ids=["plain", "sliced"])
def test_known_processors_keep_heads_apart_and_are_restored(processor: Any) -> None:
    unet = architectures.scale_shift()
    unet.set_attn_processor(processor)
    program = capture(unet, context_length=architectures.CONTEXT_LENGTH)
    assert_same(unet, program, 2)
    assert attention_shapes(program) == {4}
    assert program.batched
    assert all(module.processor is processor for module in unet.modules() if isinstance(module, Attention))


def test_fused_projections() -> None:
    unet = architectures.scale_shift()
    unet.fuse_qkv_projections()
    program = capture(unet, context_length=architectures.CONTEXT_LENGTH)
    assert_same(unet, program, 2)
    assert any("to_qkv" in name for name, _ in program.graph.named_parameters())


class Cooler(AttnProcessor):  # type: ignore[misc]
    """An unknown processor: not the same as its base."""

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *arguments: Any, **keywords: Any) -> Any:
        return 0.5 * super().__call__(attn, hidden_states, *arguments, **keywords)


def test_unknown_processors_are_traced_as_they_are() -> None:
    unet = architectures.scale_shift()
    unet.set_attn_processor(Cooler())
    program = capture(unet, context_length=architectures.CONTEXT_LENGTH)
    assert_same(unet, program, 1)
    assert attention_shapes(program) == {3}
    assert not program.batched


def test_unusual_scale_is_kept() -> None:
    unet = tiny_unet(cross_attention_dim=20)
    unet.set_attn_processor(AttnProcessor())
    for module in unet.modules():
        if isinstance(module, Attention):
            module.scale = 0.9
    program = capture(unet, context_length=architectures.CONTEXT_LENGTH)
    assert_same(unet, program, 1)
