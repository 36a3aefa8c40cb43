"""A graph module as JSON and tensors, and back, without pickles."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from ..ops.packages import import_packages
from ..tensors import constant, constants
from ..verify.levels import known_ops
from .encoding import KEEP, decode, decode_shape, encode, encode_shape
from .narrow_codes import FIELDS, pack_codes, unpack_codes

OLD_NAMES: Mapping[str, str] = {"dgqc.gate.default": "dgqc.activation.default"}
"""Ops that earlier releases saved under another name, and what they are called today."""
# fx turns a graph into Python source. Only plain identifiers may get there from a file.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def target_names() -> dict[str, Callable[..., Any]]:
    """Every op that a saved graph may hold, by its name there: those that the verifier has a rule for, at any
    level. Asked for anew each time, since packages with ops of their own may have come since."""
    return {"operator.getitem" if op is operator.getitem else str(op): op for op in known_ops()}


def graph_to_json(graph: fx.GraphModule, prefix: str, bits: Mapping[str, int], keep: KEEP) -> Any:
    """A graph's nodes and constants; the constants' values go to `keep` under `prefix/name`.

    bits: width of the constants that are narrower than their type: 2, 3 and 4 are packed.
    Raises TypeError for an argument or a target that can't be saved, ValueError for codes too wide.
    """
    saved = {}
    for name, value in constants(graph):
        width = bits.get(name)
        packed = width if width in FIELDS else None
        keep(f"{prefix}/{name}", pack_codes(value, packed) if packed else value)
        saved[name] = {
            "bits": packed,
            "shape": list(value.shape),
            "parameter": isinstance(value, nn.Parameter),
        }
    names = {target: name for name, target in target_names().items()}
    return {"constants": saved, "nodes": [_node_to_json(node, names) for node in graph.graph.nodes]}


def graph_from_json(data: Any, prefix: str, tensors: Mapping[str, torch.Tensor]) -> fx.GraphModule:
    """The graph that `graph_to_json` saved.

    Raises ValueError, KeyError or TypeError where the data isn't one, in particular for an unknown op.
    """
    root = nn.Module()
    for name, entry in data["constants"].items():
        value = tensors[f"{prefix}/{name}"]
        _register(root, _checked(_PATH, name), _unpacked(value, entry), bool(entry["parameter"]))
    graph = fx.Graph()
    nodes: dict[str, fx.Node] = {}
    targets = _targets_for(data["nodes"])
    for entry in data["nodes"]:
        node = _node_from_json(entry, graph, nodes, root, targets)
        if entry["name"] in nodes:
            raise ValueError(f"two nodes are called {entry['name']}")
        nodes[entry["name"]] = node
    graph.lint()
    return fx.GraphModule(root, graph, class_name="SavedGraph")


def _targets_for(entries: Any) -> dict[str, Callable[..., Any]]:
    """All ops by name, after other packages' have been imported where the graph holds one that is unknown."""
    known = target_names()
    asked = {OLD_NAMES.get(one["target"], one["target"]) for one in entries if one["op"] == "call_function"}
    if not asked <= set(known):
        import_packages()
        known = target_names()
    return known


def _node_to_json(node: fx.Node, names: Mapping[Callable[..., Any], str]) -> dict[str, Any]:
    target = names.get(node.target) if callable(node.target) else str(node.target)
    if target is None:
        raise TypeError(f"the op {node.target} of the node {node.name} can't be saved")
    return {
        "name": node.name,
        "op": node.op,
        "target": target,
        "args": [encode(argument) for argument in node.args],
        "kwargs": {key: encode(value) for key, value in node.kwargs.items()},
        "value": encode_shape(node.meta.get("val")),
        "module": node.meta.get("module"),
    }


def _node_from_json(
    entry: Any,
    graph: fx.Graph,
    nodes: Mapping[str, fx.Node],
    root: nn.Module,
    targets: Mapping[str, Callable[..., Any]],
) -> fx.Node:
    name, op, target = _checked(_IDENTIFIER, entry["name"]), entry["op"], entry["target"]
    arguments = tuple(decode(argument, nodes) for argument in entry["args"])
    keywords = {_checked(_IDENTIFIER, key): decode(value, nodes) for key, value in entry["kwargs"].items()}
    if op == "call_function":
        found = targets.get(OLD_NAMES.get(target, target))
        if found is None:
            raise ValueError(f"the op {target!r} is not one that a program may hold")
        node = graph.create_node(op, found, arguments, keywords, name)
    elif op == "get_attr":
        constant(root, _checked(_PATH, target))
        node = graph.create_node(op, target, name=name)
    elif op == "placeholder":
        node = graph.create_node(op, _checked(_IDENTIFIER, target), name=name)
    elif op == "output":
        node = graph.create_node(op, "output", arguments, name="output")
    else:
        raise ValueError(f"a program holds no {op} nodes")
    value = decode_shape(entry["value"])
    if value is not None:
        node.meta["val"] = value
    if entry["module"] is not None:
        node.meta["module"] = str(entry["module"])
    return node


def _checked(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not a name")
    return text


def _unpacked(value: torch.Tensor, entry: Any) -> torch.Tensor:
    if entry["bits"] is not None:
        return unpack_codes(value, entry["bits"], entry["shape"])
    if list(value.shape) != entry["shape"]:
        raise ValueError(f"a constant of shape {list(value.shape)} should have {entry['shape']}")
    return value


def _register(root: nn.Module, name: str, value: torch.Tensor, parameter: bool) -> None:
    *path, leaf = name.split(".")
    owner = root
    for part in path:
        if part not in owner._modules:
            owner.add_module(part, nn.Module())
        owner = owner.get_submodule(part)
    if parameter:
        owner.register_parameter(leaf, nn.Parameter(value, requires_grad=False))
    else:
        owner.register_buffer(leaf, value)
