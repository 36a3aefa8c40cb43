"""A UNet that came as a torch.export archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree as pytree

from ...ir.errors import DgqcError
from ...ir.program import SEEN
from .model_inputs import NAMES, ModelInput


class ExportedUNet(nn.Module):
    """The module of an exported program, called by the inputs' names.

    inputs: what it takes, in placeholder order, at batch 1.
    context_weights: of the linear layers that read the context itself, (N, D) each; not copied.
    label_count: rows of the table that class labels are looked up in; None where there is none.

    The program may nest its inputs as it likes and return one tensor, a tuple or a dataclass. Its inputs are
    told apart by name (`sample`, `timestep`, `encoder_hidden_states`, `class_labels`, `text_embeds`,
    `time_ids`); where any has another name, the first two are taken by position, a context and labels by what
    they hold.
    Raises DgqcError when the inputs can't be a UNet's at batch 1 in float32.
    """

    def __init__(self, program: ExportedProgram, kind: str = "ExportedUNet") -> None:
        """kind: what the report calls the model."""
        super().__init__()
        self.kind = kind
        specs = [s for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
        self._tree = program.call_spec.in_spec
        self._constants = [s.arg.value if isinstance(s.arg, ConstantArgument) else None for s in specs]
        tensors = [index for index, s in enumerate(specs) if not isinstance(s.arg, ConstantArgument)]
        examples = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
        values = [examples[specs[index].arg.name] for index in tensors]
        names = _input_names([specs[index].arg.name for index in tensors], values)
        self._positions = dict(zip(names, tensors, strict=True))
        self._timestep: torch.Tensor = values[names.index("timestep")]
        found = {name: _model_input(name, value) for name, value in zip(names, values, strict=True)}
        self.inputs: tuple[ModelInput, ...] = tuple(found[name] for name in NAMES if name in found)
        self.context_weights = _context_weights(program, [specs[index].arg.name for index in tensors], names)
        self.label_count = _label_count(program, [specs[index].arg.name for index in tensors], names)
        self.program: Any = _traceable(program.module(check_guards=False))

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """One UNet call; `timestep` is float32 (1,). Returns (1, C, H, W), or (B, C, H, W) where the program
        was exported with a dynamic batch."""
        arguments, keywords = self.arguments(inputs)
        outputs = pytree.tree_leaves(self.program(*arguments, **keywords))
        if len(outputs) != 1:
            raise DgqcError(f"The exported program returns {len(outputs)} tensors, but a UNet returns one.")
        result: torch.Tensor = outputs[0]
        return result

    def arguments(self, inputs: Mapping[str, torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The program's own positional and keyword arguments from inputs by name."""
        step = inputs["timestep"].to(self._timestep.dtype)
        given = {**inputs, "timestep": step if self._timestep.dim() else step.reshape(())}
        leaves: list[Any] = list(self._constants)
        for name, position in self._positions.items():
            leaves[position] = given[name]
        arguments, keywords = pytree.tree_unflatten(leaves, self._tree)
        return arguments, keywords

    @property
    def order(self) -> tuple[str | None, ...]:
        """For each of the program's flattened arguments, the input's name, or None for a constant."""
        names: list[str | None] = [None] * len(self._constants)
        for name, position in self._positions.items():
            names[position] = name
        return tuple(names)


def _traceable(module: Any) -> Any:
    """The module, which can be traced again: torch detaches a constant in place where code has made it from
    numbers (`torch.tensor([1.0, 3.0])`), and refuses that when it traces, the constant being a view then."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.detach_.default:
            node.target = torch.ops.aten.detach.default
    module.recompile()
    return module


def _context_weights(
    program: ExportedProgram, placeholders: Sequence[str], names: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """The weights of linear layers whose input is the context. Arguments as for `_label_count`."""
    contexts = {one for one, name in zip(placeholders, names, strict=True) if name == "encoder_hidden_states"}
    parameters = program.graph_signature.inputs_to_parameters
    return tuple(
        program.state_dict[parameters[node.args[1].name]].detach()
        for node in program.graph.nodes
        if node.target is torch.ops.aten.linear.default
        and node.args[0].name in contexts
        and node.args[1].name in parameters
    )


def _label_count(program: ExportedProgram, placeholders: Sequence[str], names: Sequence[str]) -> int | None:
    """The rows of the embedding whose indices come from the class labels alone.

    placeholders, names: of the inputs, in the program's words and in ours.
    """
    labels = {one for one, name in zip(placeholders, names, strict=True) if name == "class_labels"}
    from_labels = {node for node in program.graph.nodes if node.op == "placeholder" and node.name in labels}
    for node in program.graph.nodes:
        if node.target is torch.ops.aten.embedding.default and node.args[1] in from_labels:
            return int(node.args[0].meta["val"].shape[0])
        read = set(node.all_input_nodes)
        if read and read <= from_labels:
            from_labels.add(node)
    return None


def _input_names(found: Sequence[str], values: Sequence[torch.Tensor]) -> list[str]:
    """Which UNet input each placeholder is; nested ones end with their own name. values: what they hold.

    Of other names the first is the sample and the second the timestep; then (B, N, D) is a
    context, and (B,) or (B, D) are class labels.
    """
    names = [next((name for name in NAMES if one == name or one.endswith(f"_{name}")), None) for one in found]
    if None in names or len(set(names)) != len(names):
        names = [*NAMES[: min(2, len(found))], *map(_condition, values[2:])]
    if None in names or len(set(names)) != len(names) or not SEEN & set(names) or "timestep" not in names:
        raise DgqcError(
            f"The exported program takes {', '.join(found) or 'no tensors'}, which are not a UNet's inputs; "
            f"export a module that takes tensors called {', '.join(NAMES)}, as far as it has them, the "
            "timestep being a tensor too."
        )
    return [str(name) for name in names]


def _condition(value: torch.Tensor) -> str | None:
    """What a condition is called; None for what is none that dgqc knows, as another picture."""
    if value.is_floating_point() and value.dim() == 3:
        return "encoder_hidden_states"
    return "class_labels" if value.dim() <= 2 else None


def _model_input(name: str, value: torch.Tensor) -> ModelInput:
    sizes = [size if isinstance(size, int) else size.node.hint for size in value.shape]
    dynamic = not isinstance(value.shape[0], int) if sizes else False
    if name == "timestep":
        return ModelInput(name, (1,))
    if not sizes or (sizes[0] != 1 and not dynamic):
        raise DgqcError(
            f"The exported program's input {name} has shape {tuple(sizes)}; export at batch 1 or with a "
            "dynamic batch dimension."
        )
    if value.is_floating_point() and value.dtype != torch.float32:
        raise DgqcError(f"The exported program's input {name} is {value.dtype}; export the model in float32.")
    if name == "sample" and len(sizes) not in (3, 4, 5):
        raise DgqcError(
            f"The exported program's sample has shape {tuple(sizes)}, but (1, C, H, W) is needed, or (1, C, "
            "length) of sounds, or (1, C, frames, H, W) of videos."
        )
    return ModelInput(name, (1, *sizes[1:]), value.dtype)
