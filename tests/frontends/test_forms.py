"""What real code writes is captured as a graph that computes the same."""

from __future__ import annotations

from collections import Counter
from functools import cache

import forms
import public_transformers
import pytest
import torch
from torch import nn

from dgqc.frontends import capture
from dgqc.frontends.loading.exported_unet import ExportedUNet
from dgqc.ir.errors import UnsupportedOperation
from dgqc.ir.program import Program

aten, dgqc = torch.ops.aten, torch.ops.dgqc


@cache
def captured(name: str) -> tuple[ExportedUNet, Program]:
    unet = forms.exported(forms.MODULES[name]())
    return unet, capture(unet)


def assert_same(unet: ExportedUNet, program: Program, **inputs: torch.Tensor) -> None:
    with torch.no_grad():
        for time in (7.0, 871.0):
            timestep = torch.tensor([time])
            expected = unet(**inputs, timestep=timestep)
            assert expected.std() > 0.05
            torch.testing.assert_close(
                program.graph(timestep=timestep, **inputs), expected, rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("name", forms.MODULES)
def test_a_form_is_captured(name: str) -> None:
    assert_same(*captured(name), **public_transformers.sample_of(1, 1))


@pytest.mark.parametrize("name", public_transformers.PUBLIC)
def test_a_public_architecture_is_captured(name: str) -> None:
    unet = public_transformers.public(name)
    assert_same(unet, capture(unet), **public_transformers.inputs_of(name, 1, 1))


def ops(name: str) -> Counter[object]:
    return Counter(node.target for node in captured(name)[1].graph.graph.nodes if node.op == "call_function")


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("silu_by_hand", aten.silu.default),
        ("silu_by_exp", aten.silu.default),
        ("gelu_by_hand", aten.gelu.default),
        ("gelu_tanh_by_hand", aten.gelu.default),
        ("mish_by_hand", dgqc.function.default),
        ("softsign", dgqc.function.default),
        ("exponential", dgqc.function.default),
        ("norm_by_hand", aten.group_norm.default),
        ("channel_norm_by_hand", aten.layer_norm.default),
        ("root_norm_by_hand", aten.rms_norm.default),
        ("root_norm_of_rows", aten.rms_norm.default),
        ("depthwise", aten.convolution.default),
    ],
)
def test_what_is_written_out_is_one_op(name: str, op: object) -> None:
    """Two convolutions, what moves the sample, and the op; a norm's gain and offset are its own."""
    found = ops(name)
    moves = (aten.permute.default, aten.reshape.default)
    around = (aten.conv2d.default, aten.cos.default, aten.add.Tensor, aten.mul.Tensor)
    assert found[op] == 1
    assert set(found) - set(moves) - set(around) == {op}
    plain = ops("pixel_shuffle")
    more = 1 if name == "root_norm_by_hand" else 0  # a gain and a number: the number goes into a scale
    assert found[aten.add.Tensor] <= plain[aten.add.Tensor] + 1
    assert found[aten.mul.Tensor] <= plain[aten.mul.Tensor] + 1 + more


class Sorted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sort(dim=1).values


class Cumulated(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


class Powers(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.pow(x.abs() + 1, x.flip(1))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Sorted(), r"aten\.sort\.default in module 'form'; replace it by ops that docs/ops.md lists"),
        (
            Cumulated(),
            r"aten\.cumsum\.default in module 'form': it has no integer form on values that depend",
        ),
        (Powers(), r"aten\.pow\.Tensor_Tensor in module 'form': it combines several values"),
        (nn.MaxPool2d(2, dilation=2), r"aten\.max_pool2d\.default in module 'form': its windows are dilated"),
    ],
)
def test_what_has_no_integer_form_is_refused_with_its_place(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedOperation, match=message):
        capture(forms.exported(module))


class Timed(nn.Module):
    """Ops without an integer form, which see the timestep alone."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        rows = torch.outer(timestep, torch.arange(1.0, 5.0)) / 1000
        sums = nn.functional.mish(rows).cumsum(-1) % 1 + torch.atan2(rows, rows + 1)
        output: torch.Tensor = self.last(sample * sums[:, :, None, None])
        return output


def test_what_sees_the_timestep_alone_needs_no_integer_form() -> None:
    torch.manual_seed(0)
    example = (torch.randn(1, 4, 8, 8), torch.tensor([5.0]))
    unet = ExportedUNet(torch.export.export(Timed().eval(), example, strict=False))
    assert_same(unet, capture(unet), sample=example[0])


def test_pixels_in_a_row_are_normed_and_added_on_their_image() -> None:
    # Else the channels of what every block adds to would stand on the axis before the last.
    nodes = capture(public_transformers.public("guided")).graph.graph.nodes
    found = [node for node in nodes if node.target in (aten.group_norm.default, aten.add.Tensor)]
    assert {"attention_norm", "attention_add"} <= {node.name for node in found}
    images = [node.meta["val"].dim() for node in found if node.name.startswith("attention")]
    assert images == [4] * len(images)


def test_heads_of_tokens_are_no_image() -> None:
    def attended(x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).mT
        heads = tokens.reshape(1, 64, 2, 4).transpose(1, 2)
        mixed = ((heads @ heads.mT).softmax(-1) @ heads).transpose(1, 2).reshape(1, 64, 8)
        return (tokens + mixed).mT.reshape(1, 8, 8, 8)

    unet = forms.exported(forms.Of(attended))
    program = capture(unet)
    added = [node for node in program.graph.graph.nodes if node.target is aten.add.Tensor][-1]
    assert tuple(added.meta["val"].shape) == (1, 64, 8)
    assert_same(unet, program, **public_transformers.sample_of(1, 1))
