"""A captured graph is the model, in few ops."""

from __future__ import annotations

import logging
import operator
from typing import Any

import architectures
import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from diffusers.models.attention_processor import Attention, AttnProcessor, SlicedAttnProcessor
from torch import fx, nn

from dgqc.frontends import capture
from dgqc.ir.errors import DgqcError, UnsupportedOperation
from dgqc.ir.level import Level
from dgqc.ir.program import Program

from .conftest import tiny_unet

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
TIMESTEP = 7.0


def run(program: Program, inputs: dict[str, torch.Tensor], timestep: float = TIMESTEP) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = program.graph(timestep=torch.tensor([timestep]), **inputs)
    return output


def assert_same(unet: architectures.UNet, program: Program, batch: int) -> None:
    inputs = architectures.example_inputs(unet, batch, seed=batch)
    for timestep in (TIMESTEP, 871.0):
        expected = architectures.run_model(unet, inputs, timestep)
        assert expected.std() > 0.05
        torch.testing.assert_close(run(program, inputs, timestep), expected, rtol=1e-5, atol=1e-5)


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
    _, program = captured("stable_diffusion_1")
    names = {node.name: node for node in program.graph.graph.nodes}
    convolution = names["down_blocks_0_resnets_0_conv1"]
    assert convolution.target is aten.conv2d.default
    assert convolution.meta["module"] == "down_blocks.0.resnets.0.conv1"
    attention = "mid_block_attentions_0_transformer_blocks_0_attn2"
    assert names[f"{attention}_probabilities"].target is aten.softmax.int
    assert names[f"{attention}_scores"].meta["val"].shape == (1, 2, 1, architectures.CONTEXT_LENGTH)


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


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"class_embed_type": "timestep"}, (1,)),
        ({"class_embed_type": "projection", "projection_class_embeddings_input_dim": 5}, (1, 5)),
        ({"class_embed_type": "simple_projection", "projection_class_embeddings_input_dim": 5}, (1, 5)),
        ({"class_embed_type": "identity"}, (1, 32)),
        ({"num_class_embeds": 4}, (1,)),
        ({"num_class_embeds": 4, "class_embeddings_concat": True}, (1,)),
    ],
    ids=["timestep", "projection", "simple", "identity", "table", "concatenated"],
)
def test_class_labels(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    unet = tiny_unet(**options)
    program = capture(unet, context_length=3)
    assert program.inputs[2].name == "class_labels"
    assert program.inputs[2].shape == shape
    # Concatenating the one time embedding with every sample's class embedding fits at batch 1 only.
    assert program.batched is not options.get("class_embeddings_concat", False)
    for batch in (1, 2) if program.batched else (1,):
        labels = torch.arange(batch) + 1 if "num_class_embeds" in options else torch.rand(batch, *shape[1:])
        inputs = {"sample": torch.randn(batch, 4, 8, 8), "encoder_hidden_states": torch.randn(batch, 3, 16)}
        inputs["class_labels"] = labels
        expected = architectures.run_model(unet, inputs, TIMESTEP)
        torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"time_embedding_type": "fourier"},
        {"mid_block_type": "UNetMidBlock2D"},
        {"mid_block_type": None},
        {"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"},
        {"center_input_sample": True},
        {"cross_attention_norm": "layer_norm"},
        {"resnet_skip_time_act": True, "resnet_out_scale_factor": 1.5},
        {"conv_in_kernel": 1, "conv_out_kernel": 1},
        {"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 9},
        {"timestep_post_act": "silu"},
        {"block_out_channels": (6,), "norm_num_groups": 3, "freq_shift": 1},
        {
            "down_block_types": ("SimpleCrossAttnDownBlock2D",),
            "up_block_types": ("SimpleCrossAttnUpBlock2D",),
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        },
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items())[:50],
)
def test_options(options: dict[str, Any]) -> None:
    """Rarer configurations."""
    unet = tiny_unet(**options)
    width = options.get("encoder_hid_dim", 16)
    program = capture(unet, context_length=3)
    for batch in (1, 2):
        inputs = {
            "sample": torch.randn(batch, 4, 8, 8),
            "encoder_hidden_states": torch.randn(batch, 3, width),
        }
        expected = architectures.run_model(unet, inputs, TIMESTEP)
        torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)
    assert program.batched


def test_output_divided_by_the_noise_level() -> None:
    """UNet2DModel with a Fourier embedding divides what it returns by the timestep."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        norm_num_groups=4,
        time_embedding_type="fourier",
    ).eval()
    program = capture(unet)
    # The model itself insists on one timestep per sample here.
    inputs = {"sample": torch.randn(1, 3, 4, 4)}
    expected = architectures.run_model(unet, inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


def skipping(levels: int) -> UNet2DModel:
    return UNet2DModel(
        sample_size=8,
        down_block_types=("SkipDownBlock2D",) * levels,
        up_block_types=("SkipUpBlock2D",) * levels,
        block_out_channels=(32,) * levels,
        layers_per_block=1,
    ).eval()


def test_additions_in_place() -> None:
    """The skip blocks add to their output in place."""
    unet = skipping(1)
    program = capture(unet)
    inputs = {"sample": torch.randn(2, 3, 8, 8)}
    expected = architectures.run_model(unet, inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


def test_filtered_resampling_is_refused() -> None:
    with pytest.raises(UnsupportedOperation, match=r"aten\.pad.* 'down_blocks\.0\.resnet_down'"):
        capture(skipping(2))


def test_half_precision_and_training_mode() -> None:
    unet = tiny_unet().half().train()
    program = capture(unet, context_length=3)
    assert unet.training
    assert next(unet.parameters()).dtype == torch.float16
    inputs = {"sample": torch.randn(1, 4, 8, 8), "encoder_hidden_states": torch.randn(1, 3, 16)}
    expected = architectures.run_model(unet.float().eval(), inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_full_size_on_the_meta_device() -> None:
    unet = architectures.stable_diffusion_1_full()
    program = capture(unet)
    assert sum(p.numel() for p in program.graph.parameters()) == 859_520_964
    assert all(parameter.is_meta for parameter in program.graph.parameters())
    assert program.batched
    assert program.inputs[1].shape == (1, 77, 768)


class Odd(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return torch.erf(hidden_states)


class Tripled(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return torch.exp(hidden_states)


class Branching(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return hidden_states if hidden_states.sum() > 0 else -hidden_states


@pytest.mark.parametrize(("module", "op"), [(Odd(), "erf"), (Tripled(), "exp"), (nn.ReLU(), "relu")])
def test_unsupported_op_is_named_with_its_place(module: nn.Module, op: str) -> None:
    unet = tiny_unet()
    unet.mid_block.resnets[0].nonlinearity = module
    with pytest.raises(UnsupportedOperation, match=rf"aten\.{op}.* 'mid_block\.resnets\.0\.nonlinearity'"):
        capture(unet, context_length=3)


def test_a_size_that_the_model_refuses_is_said_in_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """Blocks with self-attention alone don't bring an odd size back on the way up."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=(4, 3),
        down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"),
        block_out_channels=(8, 8),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=4,
        cross_attention_dim=8,
    )
    with pytest.raises(UnsupportedOperation, match="at sample size 4 x 3: Sizes of tensors must match"):
        capture(unet, context_length=3)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_cannot_be_traced_is_said() -> None:
    unet = tiny_unet()
    unet.conv_act = Branching()
    with pytest.raises(UnsupportedOperation, match=r"torch\.export can't trace the UNet2DConditionModel"):
        capture(unet, context_length=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_size": None}, "sample_size="),
        ({"time_cond_proj_dim": 8}, "time_cond_proj_dim"),
        (
            {"addition_embed_type": "image", "cross_attention_dim": 16, "encoder_hid_dim": 16},
            "addition_embed_type",
        ),
    ],
)
def test_models_without_known_inputs_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        capture(tiny_unet(**options), context_length=3)


def test_other_models_are_refused() -> None:
    with pytest.raises(DgqcError, match="Linear is not a UNet"):
        capture(nn.Linear(2, 2))


def test_no_getitem_is_left(captured: Any) -> None:
    _, program = captured("scale_shift")
    assert all(node.target is not operator.getitem for node in program.graph.graph.nodes)
