"""Every block and option of diffusers' UNets is listed; each such UNet becomes integers, or is refused."""

from __future__ import annotations

import inspect
import re
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.unets import unet_2d_blocks
from unet_options import BLOCKS, NO_OPTIONS, NO_UNETS, OPTIONS, REFUSED, Options

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.frontends import capture
from dgqc.frontends.loading.arguments import call_arguments
from dgqc.frontends.loading.guidance import with_guidance
from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level

from .captured_graph import run

UNETS = {**BLOCKS, **OPTIONS}
TOKENS, TIME = 3, 37.0
FAST: dict[str, Any] = {"steps": 1, "samples": 1, "batch_size": 1, "context_length": TOKENS}


def unet_of(options: Options) -> Any:
    kind = getattr(diffusers, options["_class_name"], None)
    if kind is None:
        pytest.skip(f"this diffusers has no {options['_class_name']}")
    torch.manual_seed(0)
    unet = kind(**{name: value for name, value in options.items() if name != "_class_name"})
    return with_guidance(unet.eval(), 3.0)


def names_in(function: Any) -> set[str]:
    """The block types that a function of diffusers tells apart."""
    return set(re.findall(r'_type == "(\w+)"', inspect.getsource(function)))


def test_every_block_is_listed() -> None:
    functions = (unet_2d_blocks.get_down_block, unet_2d_blocks.get_mid_block, unet_2d_blocks.get_up_block)
    listed = {
        name
        for one in UNETS.values()
        for name in (
            *one["down_block_types"],
            *one["up_block_types"],
            one.get("mid_block_type") or "UNetMidBlock2DCrossAttn",
        )
    }
    known = set().union(*(names_in(one) for one in functions))
    assert len(known) > 20
    assert sorted(known - listed - set(NO_UNETS)) == []


@pytest.mark.parametrize("kind", ["UNet2DConditionModel", "UNet2DModel"])
def test_every_option_is_listed(kind: str) -> None:
    """A parameter counts where a UNet has another value than the default."""
    parameters = list(inspect.signature(getattr(diffusers, kind).__init__).parameters.values())[1:]
    given = [
        one for one in [*UNETS.values(), *(one for one, _ in REFUSED.values())] if one["_class_name"] == kind
    ]
    missing = [
        one.name
        for one in parameters
        if one.name not in NO_OPTIONS
        and all(other.get(one.name, one.default) == one.default for other in given)
    ]
    assert missing == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_a_sentence(name: str) -> None:
    options, sentence = REFUSED[name]
    with pytest.raises(DgqcError, match=re.escape(sentence)):
        capture(unet_of(options), context_length=TOKENS)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNETS)
def test_captured_and_lowered(name: str) -> None:
    unet = unet_of(UNETS[name])
    captured = capture(unet, context_length=TOKENS)
    generator = torch.Generator().manual_seed(1)
    inputs = {one.name: torch.randn(one.shape, generator=generator) for one in captured.inputs}
    labels = inputs.get("class_labels")
    if labels is not None and unet.config.num_class_embeds:
        inputs["class_labels"] = torch.tensor([2])
    arguments = call_arguments({**inputs, "timestep": torch.tensor([TIME])}, unet)
    with torch.no_grad():
        expected = unet(**arguments, return_dict=False)[0]
    torch.testing.assert_close(run(captured, inputs, TIME), expected, rtol=1e-4, atol=1e-4)
    program, _ = lower(Request(unet, "naive-w8a8", **FAST))
    assert program.level is Level.INTEGER
    assert all(
        not node.meta["val"].is_floating_point()
        for node in program.graph.graph.nodes
        if node.op == "placeholder"
    )
