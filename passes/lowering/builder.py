"""The integer graph under construction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier
from ...ir.errors import DgqcError
from ...ir.ops.wide import FINER, NARROW_BITS, WIDE_BITS
from ...ir.plans import Plan, QuantizedActivation16, ratios
from ...ir.program import Program
from ...ir.tensors import compressed
from ..graph.edit import aten, constant, dgqc, identifier, module_path
from .constants import LoweredValues, constant_codes
from .layout import Layout, Order, plain
from .values import Joined, LoweredValue, OperandCodes, Scaled

Arranged = TypeVar("Arranged", bound=Scaled | Joined | OperandCodes)

ONE_STEPS = 16384
"""The 16-bit code of a factor of 1."""


class IntegerGraphBuilder:
    """Gives lowering rules what they need: the old program, and ways to add to the new graph.

    calls: T, the number of UNet calls in the schedule.
    values: what each node of the old graph has become.
    weight_bits: width of each weight constant of the new graph.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.calls = len(program.schedule)
        self.values: dict[fx.Node, LoweredValue] = LoweredValues(self._constant_value)
        self.weight_bits: dict[str, int] = {}
        self.graph = fx.Graph()
        self.root = fx.GraphModule({}, fx.Graph())
        self.step: fx.Node
        self._constants: dict[tuple[Any, ...], fx.Node] = {}
        self._moved: dict[tuple[Any, ...], fx.Node] = {}

    def constant(self, name: str, value: torch.Tensor) -> fx.Node:
        """The `get_attr` node of a tensor; equal tensors share one."""
        value = value.contiguous()
        digest = hashlib.sha256(value.numpy().tobytes()).hexdigest()
        key = (digest, value.dtype, tuple(value.shape))
        if key not in self._constants:
            base, unique, count = identifier(name), identifier(name), 0
            while hasattr(self.root, unique):
                count += 1
                unique = f"{base}_{count}"
            self.root.register_buffer(unique, value)
            self._constants[key] = self.graph.get_attr(unique)
        return self._constants[key]

    def _constant_value(self, node: fx.Node) -> Scaled:
        """A constant of the old graph as a 16-bit value, in one scale for all calls."""
        codes, scale = constant_codes(self.weight(node))
        stored = self.constant(f"{node.target}.codes", codes)
        return Scaled(stored, scale.expand(self.calls), Layout.plain(codes.shape))

    def call(
        self, target: Callable[..., Any], args: tuple[Any, ...], like: fx.Node, name: str = ""
    ) -> fx.Node:
        """A call in the new graph, carrying the module path of the old node `like`."""
        node = self.graph.create_node("call_function", target, args, name=identifier(name or like.name))
        node.meta["module"] = like.meta.get("module")
        return node

    def scaled(self, node: fx.Node | Any, order: Order | None = None) -> Scaled:
        """The int16 value that an argument of the old graph has become, stored in an order or as it is, with
        one scale for all its channels."""
        value = self.values[node]
        if isinstance(value, Scaled | Joined) and value.wide:
            value = self._narrow(value, node)
        if isinstance(value, Joined) or (isinstance(value, Scaled) and value.exponent is not None):
            value = self._level(value, node)
        if not isinstance(value, Scaled):
            raise self.no_value(node, value)
        return value if order is None else self.arranged(value, order, node)

    def apart(self, node: fx.Node | Any, order: Order | None = None, wide: bool = False) -> Scaled | Joined:
        """The same, whatever scales its channels have. wide: whether it may be a wide value."""
        value = self.values[node]
        if not isinstance(value, Scaled | Joined):
            raise self.no_value(node, value)
        if value.wide and not wide:
            value = self._narrow(value, node)
        return value if order is None else self.arranged(value, order, node)

    def sole(self, node: fx.Node | Any, order: Order | None = None, wide: bool = False) -> Scaled:
        """The same, with the scales of channels in one proportion at all calls."""
        value = self.apart(node, order, wide)
        return value if isinstance(value, Scaled) else self.scaled(node, order)

    def narrowed(self, value: Scaled, like: fx.Node) -> Scaled:
        """A wide value in 16 bits. like: the old node that it is the value of."""
        node = self._times(value.node, 1 / FINER, like, NARROW_BITS)
        return replace(value, node=node, scale=value.scale * FINER, wide=False)

    def _narrow(self, value: Scaled | Joined, like: fx.Node) -> Scaled | Joined:
        if isinstance(value, Scaled):
            return self.narrowed(value, like)
        node = self._times(value.node, 1 / FINER, like, NARROW_BITS)
        return replace(value, node=node, parts=tuple(self.narrowed(part, like) for part in value.parts))

    def widened(self, value: Scaled, like: fx.Node) -> Scaled:
        """A 16-bit value as a wide one, which a wide one is."""
        if value.wide:
            return value
        node = self._times(value.node, FINER, like, WIDE_BITS)
        return replace(value, node=node, scale=value.scale / FINER, wide=True)

    def _times(self, node: fx.Node, by: float, like: fx.Node, width: int) -> fx.Node:
        """A value times a power of two, in so many bits; once, however often it is asked for."""
        key = (node, by)
        if key not in self._moved:
            factor, shift = multiplier(torch.full((self.calls,), by, dtype=torch.float64), 30)
            what = "narrowed" if width == NARROW_BITS else "widened"
            tables = (self.table(f"{what}_factor", factor), self.table(f"{what}_shift", shift))
            args = (node, self.step, *tables, width)
            self._moved[key] = self.call(dgqc.rescale.default, args, like, f"{like.name}_{what}")
        return self._moved[key]

    def changed(self, value: Scaled, wanted: torch.Tensor | None, like: fx.Node) -> Scaled:
        """The value with other exponents: as it is where all differ by one number, else a product with the
        channels' ratios. like: the old node that it is the value of."""
        have, want = (
            torch.zeros(1, dtype=torch.int64) if one is None else one for one in (value.exponent, wanted)
        )
        between = compressed(have - want)
        most = between.max()
        scale = value.scale * ratios(most)
        if between.numel() == 1:
            return replace(value, scale=scale, exponent=wanted)
        value = self.narrowed(value, like) if value.wide else value
        scale = value.scale * ratios(most)
        steps = torch.round(ratios(between - most) * ONE_STEPS).to(torch.int16)
        constant = self.constant(f"{like.name}_ratios", steps.permute(value.layout.order))
        factor, shift = multiplier(torch.full((self.calls,), 1 / ONE_STEPS, dtype=torch.float64), 30)
        tables = (self.table("level_factor", factor), self.table("level_shift", shift))
        node = self.call(
            dgqc.mul.default, (value.node, constant, self.step, *tables), like, f"{like.name}_level"
        )
        return Scaled(node, scale, value.layout, wanted)

    def _level(self, value: Scaled | Joined, like: fx.Node) -> Scaled:
        """The value with one scale for all its channels, that of the coarsest."""
        if isinstance(value, Scaled):
            return self.changed(value, None, like)
        nodes = []
        for number, part in enumerate(value.parts):
            leveled, name = self._level(part, like), f"{like.name}_level{number}"
            factor, shift = multiplier(leveled.scale / value.scale, 31)
            tables = (self.table(f"{name}.factor", factor), self.table(f"{name}.shift", shift))
            nodes.append(self.call(dgqc.rescale.default, (leveled.node, self.step, *tables), like, name))
        place = value.layout.place(value.axis)
        node = self.call(aten.cat.default, (nodes, place), like, f"{like.name}_level")
        return Scaled(node, value.scale, value.layout)

    def no_value(self, node: fx.Node, value: LoweredValue) -> DgqcError:
        """The error where a node of the old graph should have become a 16-bit value."""
        return DgqcError(
            f"{module_path(node)} ({node.name}) should be a 16-bit value here but is "
            f"{type(value).__name__}; put a site around it with insert-sites."
        )

    def arranged(self, value: Arranged, order: Order, like: fx.Node) -> Arranged:
        """The value stored in another order. like: the old node that it is the value of."""
        layout = value.layout.arranged(order)
        if value.layout.same_memory(order):
            node = self._reshape(value.node, value.layout, layout, like, f"{like.name}_reshaped")
        else:
            places = tuple(value.layout.place(axis) for axis in order)
            node = self._move(aten.permute.default, value.node, places, like, f"{like.name}_permuted")
        return replace(value, node=node, layout=layout)

    def reshaped(self, value: Scaled, shape: Sequence[int], like: fx.Node) -> Scaled:
        """The value in another shape, moved only where its order does not allow that in place.

        like: the old node that this makes.
        """
        layout = value.layout.reshaped(shape)
        if layout is None:
            value = self.arranged(value, plain(len(value.layout.shape)), like)
            layout = Layout.plain(shape)
        node = self._reshape(value.node, value.layout, layout, like, like.name)
        exponent = value.exponent
        if exponent is not None:
            exponent = compressed(exponent.expand(value.layout.shape).reshape(*shape))
        return replace(value, node=node, layout=layout, exponent=exponent)

    def _reshape(self, node: fx.Node, before: Layout, after: Layout, like: fx.Node, name: str) -> fx.Node:
        if before.stored == after.stored:
            return node
        return self._move(aten.reshape.default, node, after.stored, like, name)

    def _move(
        self, target: Callable[..., Any], node: fx.Node, to: tuple[int, ...], like: fx.Node, name: str
    ) -> fx.Node:
        """A view or copy of a node; the same is made once."""
        key = (target, node, to)
        if key not in self._moved:
            self._moved[key] = self.call(target, (node, list(to)), like, name)
        return self._moved[key]

    def plan(self, site: fx.Node) -> Plan:
        """The plan of a `dgqc::site` node."""
        return self.program.plans[str(site.args[1])]

    def output_scale(self, node: fx.Node) -> torch.Tensor:
        """The scale that the 16-bit site downstream of a node gives it, one for all channels: float64 (T,).

        Raises DgqcError where the site has exponents, which ops must give that ask for the plan instead.
        """
        plan = self.output_plan(node)
        if plan.exponent is not None:
            raise DgqcError(
                f"{module_path(node)} ({node.name}) should have a scale for each channel, which "
                f"{node.target} can't give; leave the exponents out of its plan."
            )
        return plan.scale

    def output_plan(self, node: fx.Node) -> QuantizedActivation16:
        """What the 16-bit site downstream of a node says of it."""
        for user in node.users:
            if user.target is dgqc.site.default:
                plan = self.plan(user)
                if isinstance(plan, QuantizedActivation16):
                    return plan
        raise DgqcError(
            f"{module_path(node)} ({node.name}) has no scale at the integer level; "
            "run insert-sites, observe-ranges and timestep-tables before lower-integer."
        )

    def table(self, name: str, value: torch.Tensor) -> fx.Node:
        """An int32 constant."""
        return self.constant(name, value.to(torch.int32))

    def weight(self, node: fx.Node | Any) -> torch.Tensor:
        """A float constant of the old graph."""
        return constant(self.program.graph, node).detach()
