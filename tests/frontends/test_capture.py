"""A captured graph is the model, in few ops."""

from __future__ import annotations

import operator
from typing import Any

import architectures
import pytest
import torch
from torch import fx

from dgqc.ir.level import Level

from .captured_graph import TIMESTEP, assert_same

aten = torch.ops.aten

CORE = {
    aten.linear.default,
    aten.conv2d.default,
    aten.matmul.default,
    aten.softmax.int,
    aten.group_norm.default,
    aten.layer_norm.default,
    aten.silu.default,
    aten.gelu.default,
    aten.add.Tensor,
    aten.mul.Tensor,
    aten.cat.default,
    aten.slice.Tensor,
    aten.reshape.default,
    aten.permute.default,
    aten.upsample_nearest2d.vec,
    aten.avg_pool2d.default,
}
CONDITIONING = {
    aten.sin.default,
    aten.cos.default,
    aten.exp.default,
    aten.log.default,
    aten.reciprocal.default,
    aten.embedding.default,
    aten.expand.default,
    aten.to.dtype,
}


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_graph_equals_model(name: str, captured: Any) -> None:
    unet, program = captured(name)
    assert program.level is Level.CAPTURED
    assert program.batched
    for batch in (1, 2):
        assert_same(unet, program, batch)


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_graph_holds_only_the_op_set(name: str, captured: Any) -> None:
    _, program = captured(name)
    late: set[fx.Node] = set()
    for node in program.graph.graph.nodes:
        if node.name in ("sample", "encoder_hidden_states") or late & set(node.all_input_nodes):
            late.add(node)
        if node.op == "call_function":
            allowed = CORE if node in late else CORE | CONDITIONING
            assert node.target in allowed, node.format_node()
            check_arguments(node)


def check_arguments(node: fx.Node) -> None:
    """Arguments in full, weights constant, dimensions not negative, numbers on the right."""
    arguments: Any = node.args
    if node.target is aten.linear.default:
        assert len(arguments) == 3
        assert arguments[1].op == "get_attr"
    elif node.target is aten.conv2d.default:
        _, weight, bias, *sizes, groups = arguments
        assert weight.op == "get_attr"
        assert bias is None or bias.op == "get_attr"
        assert [len(size) for size in sizes] == [2, 2, 2]
        assert isinstance(groups, int)
    elif node.target in (aten.group_norm.default, aten.layer_norm.default):
        assert len(arguments) == 5
        assert {arguments[2].op, arguments[3].op} == {"get_attr"}
    elif node.target is aten.softmax.int:
        assert arguments[1:] == (-1,)
    elif node.target in (aten.add.Tensor, aten.mul.Tensor):
        assert isinstance(arguments[0], fx.Node)
        assert arguments[1] != (0 if node.target is aten.add.Tensor else 1)
        assert not node.kwargs
    elif node.target in (aten.cat.default, aten.slice.Tensor):
        assert arguments[1] >= 1
    elif node.target is aten.reshape.default:
        assert arguments[1][0] == -1
        assert min(arguments[1][1:]) > 0
    elif node.target is aten.permute.default:
        assert sorted(arguments[1]) != arguments[1]
        assert arguments[1][0] == 0


@pytest.mark.parametrize("name", ["stable_diffusion_xl", "unconditional", "class_conditional"])
def test_graph_is_clean(name: str, captured: Any) -> None:
    unet, program = captured(name)
    graph = program.graph.graph
    assert type(program.graph) is not torch.export.ExportedProgram
    used = {node.target for node in graph.nodes if node.op == "get_attr"}
    held = {name for name, _ in [*program.graph.named_parameters(), *program.graph.named_buffers()]}
    assert held == used
    own = dict(unet.named_parameters())
    for parameter, value in program.graph.named_parameters():
        padded = value.shape != own[parameter].shape and "downsamplers" in parameter
        assert padded or value.data_ptr() == own[parameter].data_ptr()
    for node in graph.nodes:
        assert node.op == "output" or node.users or node.op == "placeholder"
        if node.op != "output":
            # Time ids are taken one by one for their sinusoids.
            assert node.meta["val"].shape[0] == 1 or node.op == "get_attr" or node.name.startswith("add_time")
        if node.op == "call_function":
            assert node.meta["module"] == "" or unet.get_submodule(node.meta["module"]) is not None
    assert isinstance(next(iter(reversed(graph.nodes))).args[0], fx.Node)


def test_nodes_are_named_after_modules(captured: Any) -> None:
    _, program = captured("scale_shift")
    names = {node.name: node for node in program.graph.graph.nodes}
    convolution = names["down_blocks_0_resnets_0_conv1"]
    assert convolution.target is aten.conv2d.default
    assert convolution.meta["module"] == "down_blocks.0.resnets.0.conv1"
    attention = "mid_block_attentions_0_transformer_blocks_0_attn2"
    assert names[f"{attention}_probabilities"].target is aten.softmax.int
    assert names[f"{attention}_scores"].meta["val"].shape == (1, 2, 16, architectures.CONTEXT_LENGTH)


def test_shapes_in_meta_are_those_of_a_run(captured: Any) -> None:
    unet, program = captured("not_square")

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if isinstance(result, torch.Tensor):
                assert (n.meta["val"].shape, n.meta["val"].dtype) == (result.shape, result.dtype), n
            return result

    inputs = architectures.example_inputs(unet)
    Recorder(program.graph).run(inputs["sample"], torch.tensor([TIMESTEP]), inputs["encoder_hidden_states"])


def test_inputs_come_in_order(captured: Any) -> None:
    _, program = captured("stable_diffusion_xl")
    found = [node.name for node in program.graph.graph.nodes if node.op == "placeholder"]
    assert found == ["sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids"]
    assert [one.name for one in program.inputs] == [name for name in found if name != "timestep"]
    assert program.inputs[0].shape == (1, 4, 8, 8)


def test_no_getitem_is_left(captured: Any) -> None:
    _, program = captured("scale_shift")
    assert all(node.target is not operator.getitem for node in program.graph.graph.nodes)
