"""From a diffusers UNet to a graph of a few ATen ops."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from ...ir.errors import DgqcError, UnsupportedOperation
from ...ir.level import Level
from ...ir.ops.packages import import_packages
from ...ir.program import Input, Program
from ...ir.sample_size import SampleSize, size_of
from ...ir.schedule import Schedule
from ..loading.arguments import call_arguments
from ..loading.conditionings import refuse_unshown
from ..loading.exported_unet import ExportedUNet
from ..loading.guidance import refuse_unsettled
from ..loading.model_inputs import ModelInput, model_inputs
from . import (  # noqa: F401  (they register capture rules)
    rules_activations,
    rules_any_convolution,
    rules_arithmetic,
    rules_attention,
    rules_complex,
    rules_conditions,
    rules_convolutions,
    rules_einsum,
    rules_functions,
    rules_indexing,
    rules_norms,
    rules_products,
    rules_reductions,
    rules_shape,
    rules_tokens,
    rules_videos,
    rules_windows,
)
from .attention_processors import batched_attention
from .batches import mixes_samples
from .decompositions import decomposed
from .graph_builder import CapturedGraphBuilder
from .rewriter import Refused, Rewriter, strip_wrapper
from .values import CapturedValue, Constant

STACKS = "do_not_emit_stack_traces"
"""A setting of torch.fx."""
UNSCHEDULED = Schedule("unscheduled", (0.0,))
"""Stands in a Program whose schedule is not yet known."""


def capture(
    model: nn.Module,
    *,
    schedule: Schedule = UNSCHEDULED,
    sample_size: SampleSize | None = None,
    context_length: int = 77,
    refused: list[Refused] | None = None,
    recorded: Sequence[ModelInput] = (),
) -> Program:
    """Captures a UNet as a Program at the captured level.

    model: a diffusers UNet2DConditionModel or UNet2DModel (also on the meta device), or an ExportedUNet.
        It is left as it was; the graph shares its float32 weights on the CPU, and copies others.
    schedule: stands in the Program until the real one is known.
    sample_size: height and width of the latents, as `model_inputs` takes it; None takes the model's own.
    context_length: tokens in `encoder_hidden_states`.
    refused: takes every op without an integer form, and inputs stand in their places: such a program is to
        be looked at and can't run. None raises at the first one.
    recorded: inputs that only a call shows, from `recorded_inputs`.
    Returns a Program whose placeholders are, in this order and as far as the model uses them, `sample`,
        `timestep` (float32 (1,)), `encoder_hidden_states`, `class_labels`, `text_embeds`, `time_ids`, and
        whose output is one tensor. It runs at any batch size unless `batched` is False.
    Raises DgqcError for a model that is no UNet or can't be traced, UnsupportedOperation for an op that
    has no integer form; both name the place.
    """
    import_packages()
    refuse_unsettled(model)
    inputs = (
        model.inputs if isinstance(model, ExportedUNet) else model_inputs(model, sample_size, context_length)
    )
    _refuse_other_size(model, inputs, sample_size)
    inputs = tuple({one.name: one for one in (*inputs, *recorded)}.values())
    refuse_unshown(model, {one.name for one in inputs})
    model = _plain_weights(model)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with ExitStack() as stack:
        stack.enter_context(_evaluating(model))
        stack.enter_context(batched_attention(model))
        exported = _export(model, inputs, device)
    builder = CapturedGraphBuilder()
    order = model.order if isinstance(model, ExportedUNet) else [one.name for one in inputs]
    output = Rewriter(builder, refused).run(exported.graph, _placeholders(exported, builder, inputs, order))
    graph = builder.finish(output, device, whole=bool(refused))
    used = {node.name for node in graph.graph.nodes if node.op == "placeholder"}
    return Program(
        graph=graph,
        level=Level.CAPTURED,
        inputs=tuple(Input(i.name, i.shape) for i in inputs if i.name in used and i.name != "timestep"),
        schedule=schedule,
        batched=not mixes_samples(graph),
    )


class _Positional(nn.Module):
    """A UNet whose inputs come by position and whose output is one tensor."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = tuple(names)

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        arguments = dict(zip(self.names, values, strict=True))
        output: torch.Tensor = self.model(**call_arguments(arguments, self.model), return_dict=False)[0]
        return output


def _export(model: nn.Module, inputs: Sequence[ModelInput], device: torch.device) -> ExportedProgram:
    values = {one.name: torch.ones(one.shape, dtype=one.dtype, device=device) for one in inputs}
    arguments: tuple[Any, ...] = tuple(values.values())
    keywords: dict[str, Any] = {}
    traced: nn.Module = _Positional(model, list(values))
    if isinstance(model, ExportedUNet):
        # The program's own graph module, so that its nodes keep their module paths.
        traced = model.program
        arguments, keywords = model.arguments(values)
    try:
        with _tersely():
            exported = torch.export.export(traced, arguments, keywords, strict=False)
        if any(_changes_its_input(node.target) for node in exported.graph.nodes):
            exported = exported.run_decompositions({})
        exported = decomposed(exported)
        _remove_unread(exported.graph)
    except Exception as error:
        reason = str(error).strip().splitlines()
        size = _times(inputs[0].shape[2:] or inputs[0].shape[1:])
        raise UnsupportedOperation(
            f"torch.export can't trace the {type(model).__name__} at sample size "
            f"{size}: {reason[0] if reason else type(error).__name__}; "
            "give a UNet whose forward has no data-dependent control flow and takes this size."
        ) from error
    return exported


def _remove_unread(graph: fx.Graph) -> None:
    """What nobody reads needs no integer form: pooled text beside the states that are asked for."""
    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()


@contextmanager
def _tersely() -> Iterator[None]:
    """Keeps torch from logging the traceback of an error that it raises as well, and from writing down the
    Python stack of every node, which nobody reads and takes a tenth of tracing."""
    log, config = logging.getLogger("torch._subclasses.fake_tensor"), vars(torch.fx.config)
    was, log.disabled = log.disabled, True
    without = config.get(STACKS, False)  # an older torch knows no such setting
    config[STACKS] = True
    try:
        yield
    finally:
        log.disabled, config[STACKS] = was, without


def _placeholders(
    exported: ExportedProgram,
    builder: CapturedGraphBuilder,
    inputs: Sequence[ModelInput],
    order: Sequence[str | None],
) -> list[CapturedValue]:
    """What stands for each placeholder of the exported graph: inputs become placeholders, all else constants.

    order: the names of the exported graph's inputs; None for one that is a constant.
    """
    given = {one.name: builder.placeholder(one.name, one.shape, one.dtype) for one in inputs}
    names = iter(order)
    values: list[CapturedValue] = []
    for spec in exported.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            name = next(names)
            values.append(spec.arg.value if name is None else given[name])
        elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            target = str(spec.target)
            found: Any = exported.state_dict.get(target)
            tensor = exported.constants[target] if found is None else found
            is_parameter = spec.kind is InputKind.PARAMETER
            values.append(Constant(tensor.detach(), strip_wrapper(target), is_parameter))
        else:
            raise DgqcError(
                f"The model's graph takes a {spec.kind.name.lower()} ({spec.target}), but a UNet takes "
                "tensors."
            )
    return values


def _plain_weights(model: nn.Module) -> nn.Module:
    """The model itself when its weights are float32 on the CPU or meta device, else such a copy."""
    tensors = [*model.parameters(), *model.buffers()]
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    if len({tensor.is_meta for tensor in tensors}) > 1:
        raise DgqcError(
            "Some of the model's weights are on the meta device and some are not; load all of them."
        )
    right_type = all(tensor.dtype == torch.float32 for tensor in floats)
    if right_type and all(tensor.device.type in ("cpu", "meta") for tensor in tensors):
        return model
    copied = copy.deepcopy(model).to(torch.float32)
    return copied if any(tensor.is_meta for tensor in tensors) else copied.to("cpu")


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while, without touching modules that are in it already."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _changes_its_input(target: object) -> bool:
    if not isinstance(target, torch._ops.OpOverload):
        return False
    return target._schema.is_mutable and target is not torch.ops.aten.detach_.default


def _refuse_other_size(
    model: nn.Module, inputs: Sequence[ModelInput], sample_size: SampleSize | None
) -> None:
    if not isinstance(model, ExportedUNet) or sample_size is None:
        return
    traced = size_of(inputs[0].shape)
    if tuple(sample_size) != traced:
        raise DgqcError(
            f"The exported program was traced at {_times(traced)}, but sample_size is "
            f"{_times(sample_size)}; leave it out or export at that size."
        )


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
