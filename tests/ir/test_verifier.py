"""Every broken graph of a family is refused, with the node, what was found and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import hand_made
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.ir.errors import VerificationError
from dgqc.ir.plans import Operand, Role
from dgqc.ir.program import Program
from dgqc.ir.tensors import constants
from dgqc.ir.verify.verifier import verify

aten, dgqc_ops = torch.ops.aten, torch.ops.dgqc
SHIFTS = ("shift", "logit_shift", "mix_shift", "add_shift", "bias_shift", "beta_shift")
GROUPS = ("x_group", "q_group", "k_group", "v_group")
PER_CALL = ("factor", "x_zero", "x_multiple", "q_offset", "logit_factor", "mix_factor", "epsilon", *SHIFTS)


@dataclass(frozen=True)
class Mutation:
    """One way to break the integer program. expected: a piece of the message."""

    name: str
    apply: Callable[[Program, st.DataObject], Program]
    expected: str


def change(program: Program, name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Program:
    setattr(program.graph, name, make(getattr(program.graph, name)))
    return program


def find(program: Program, target: object) -> fx.Node:
    return next(node for node in program.graph.graph.nodes if node.target == target)


def put(tensor: torch.Tensor, index: int, number: int) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(-1)[index % tensor.numel()] = number
    return changed


def float_constant(program: Program, data: st.DataObject) -> Program:
    names = sorted(name for name, _ in constants(program.graph))
    return change(program, data.draw(st.sampled_from(names)), lambda tensor: tensor.to(torch.float32))


def missing_row(program: Program, data: st.DataObject) -> Program:
    return change(program, data.draw(st.sampled_from(PER_CALL)), lambda tensor: tensor[:-1])


def group_out_of_range(program: Program, data: st.DataObject) -> Program:
    index, group = data.draw(st.integers(0, 5)), data.draw(st.integers(hand_made.GROUPS, 255))
    return change(program, data.draw(st.sampled_from(GROUPS)), lambda tensor: put(tensor, index, group))


def bad_shift(program: Program, data: st.DataObject) -> Program:
    index = data.draw(st.integers(0, 2))
    number = data.draw(st.one_of(st.integers(-(2**31), 0), st.integers(63, 2**31 - 1)))
    return change(program, data.draw(st.sampled_from(SHIFTS)), lambda tensor: put(tensor, index, number))


def overflowing_carrier(program: Program, data: st.DataObject) -> Program:
    # 2^31 * 63 * (6 channels of up to 7) stays below 2^53, so the zero point must help.
    program = change(program, "x_multiple", lambda tensor: torch.full_like(tensor, 2**31 - 1))
    return change(program, "x_zero", lambda tensor: torch.full_like(tensor, -(2**30)))


def overflowing_product(program: Program, data: st.DataObject) -> Program:
    multiple = data.draw(st.integers(2**24, 2**26))
    program = change(program, "x_multiple", lambda tensor: torch.full_like(tensor, multiple))
    change(program, "column", lambda tensor: torch.full_like(tensor, 2**31 - 1))
    return change(program, "factor", lambda tensor: torch.full_like(tensor, 2**31 - 1))


def overflowing_quantizer(program: Program, data: st.DataObject) -> Program:
    offset = data.draw(st.sampled_from([2**31 - 1, -(2**31)]))
    return change(program, "x_offset", lambda tensor: put(tensor, data.draw(st.integers(0, 5)), offset))


def overflowing_logits(program: Program, data: st.DataObject) -> Program:
    change(program, "q_multiple", lambda tensor: torch.full_like(tensor, 2**24))
    return change(program, "k_multiple", lambda tensor: torch.full_like(tensor, 2**24))


def overflowing_mix(program: Program, data: st.DataObject) -> Program:
    change(program, "v_multiple", lambda tensor: torch.full_like(tensor, 2**18))
    return change(program, "mix_factor", lambda tensor: torch.full_like(tensor, 2**31 - 1))


def unknown_op(program: Program, data: st.DataObject) -> Program:
    node = find(program, dgqc_ops.add.default)
    node.target = data.draw(st.sampled_from([aten.add.Tensor, aten.maximum.default, dgqc_ops.site.default]))
    return program


def dead_constant(program: Program, data: st.DataObject) -> Program:
    program.graph.register_buffer("forgotten", torch.zeros(data.draw(st.integers(1, 9)), dtype=torch.int32))
    return program


def lost_constant(program: Program, data: st.DataObject) -> Program:
    del program.graph._buffers[data.draw(st.sampled_from(PER_CALL))]
    return program


def dead_node(program: Program, data: st.DataObject) -> Program:
    output = find(program, "output")
    with program.graph.graph.inserting_before(output):
        program.graph.graph.call_function(aten.permute.default, (output.args[0], [0, 2, 1]))
    return program


def other_step(program: Program, data: st.DataObject) -> Program:
    node = find(program, dgqc_ops.add.default)
    node.update_arg(2, find(program, "x_group"))
    return program


def renamed_input(program: Program, data: st.DataObject) -> Program:
    return replace(program, inputs=(replace(program.inputs[0], name="latents"),))


def no_output_scale(program: Program, data: st.DataObject) -> Program:
    return replace(
        program, output_scale=data.draw(st.sampled_from([None, torch.ones(3), torch.zeros(3).double()]))
    )


def exponents_of_another_input(program: Program, data: st.DataObject) -> Program:
    wrong = [torch.zeros(1, 1, 2), torch.zeros(3, dtype=torch.int64), torch.full((1, 1, 1), -1)]
    exponent = data.draw(st.sampled_from(wrong))
    return replace(program, inputs=(replace(program.inputs[0], exponent=exponent),))


def stale_shape(program: Program, data: st.DataObject) -> Program:
    find(program, dgqc_ops.linear.default).meta["val"] = torch.empty(
        1, 5, 7, dtype=torch.int16, device="meta"
    )
    return program


def too_many_bits(program: Program, data: st.DataObject) -> Program:
    find(program, dgqc_ops.quantize.default).update_arg(7, data.draw(st.integers(9, 40)))
    return program


def shares_too_large(program: Program, data: st.DataObject) -> Program:
    return change(program, "shares", lambda tensor: tensor[:-1])


MUTATIONS = [
    Mutation("float constant", float_constant, "float32"),
    Mutation("missing row", missing_row, "another schedule"),
    Mutation("group out of range", group_out_of_range, "groups 0 to 1"),
    Mutation("bad shift", bad_shift, "1 to 62"),
    Mutation("overflowing carrier", overflowing_carrier, "2^53"),
    Mutation("overflowing product", overflowing_product, "2^62"),
    Mutation("overflowing quantizer", overflowing_quantizer, "2^31"),
    Mutation("overflowing logits", overflowing_logits, "2^53"),
    Mutation("overflowing mix", overflowing_mix, "|mix * factor|"),
    Mutation("unknown op", unknown_op, "an op of the integer level"),
    Mutation("dead constant", dead_constant, "the constant forgotten, which nothing uses"),
    Mutation("lost constant", lost_constant, "no constant"),
    Mutation("dead node", dead_node, "a result that nothing uses"),
    Mutation("other step", other_step, "the placeholder step"),
    Mutation("renamed input", renamed_input, "latents"),
    Mutation("no output scale", no_output_scale, "scale of the output"),
    Mutation("other exponents", exponents_of_another_input, "exponents of the input sample"),
    Mutation("stale shape", stale_shape, 'meta["val"]'),
    Mutation("too many bits", too_many_bits, "1 to 8"),
    Mutation("too few shares", shares_too_large, "one for each code"),
]


@pytest.mark.parametrize("level", hand_made.LEVELS)
def test_accepts_a_sound_program(level: str) -> None:
    verify(hand_made.LEVELS[level]())


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
@given(data=st.data())
@settings(max_examples=12)
def test_refuses_a_broken_integer_program(mutation: Mutation, data: st.DataObject) -> None:
    broken = mutation.apply(hand_made.integer(), data)
    with pytest.raises(VerificationError) as caught:
        verify(broken)
    assert mutation.expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_message_names_node_module_and_cause() -> None:
    program = hand_made.integer()
    program.graph.shift = torch.zeros(3, dtype=torch.int32)
    with pytest.raises(VerificationError) as caught:
        verify(program)
    assert str(caught.value) == (
        "The integer graph is broken: at linear_default (dgqc.linear, module proj), found shift with 0, "
        "expected 1 to 62; likely cause: a scale is out of fixed point's reach."
    )


def test_planned_needs_a_plan_for_each_site_and_a_site_for_each_plan() -> None:
    program = hand_made.planned()
    with pytest.raises(VerificationError, match=r"the site 'proj\.output' without a plan"):
        verify(replace(program, plans={k: v for k, v in program.plans.items() if k != "proj.output"}))
    more = {**program.plans, "elsewhere": Operand(Role.LINEAR, 8, padded=False)}
    with pytest.raises(VerificationError, match="the plan 'elsewhere' without a site"):
        verify(replace(program, plans=more))


def test_plans_must_fit_their_values() -> None:
    program = hand_made.planned()
    operand, weight = program.plans["proj.input"], program.plans["weight"]
    broken = [
        ("proj.input", replace(operand, group=torch.arange(5) % 2), "5 channels, expected 6"),
        ("proj.input", replace(operand, group=torch.zeros(6, dtype=torch.int64)), r"groups \[0\]"),
        ("proj.input", replace(operand, base=torch.ones(2)), "3 rows"),
        ("proj.input", replace(operand, multiple=0 * operand.multiple), "multiple 0"),
        ("weight", replace(weight, codes=9 * weight.codes), "codes 9 to 9"),
        ("weight", replace(weight, codes=weight.codes[:, :-1]), "the weight's shape"),
    ]
    for name, plan, message in broken:
        with pytest.raises(VerificationError, match=message):
            verify(replace(program, plans={**program.plans, name: plan}))


def test_captured_refuses_later_ops_and_float_ops_on_the_sample() -> None:
    program = hand_made.captured()
    find(program, aten.silu.default).target = aten.exp.default
    with pytest.raises(VerificationError, match="depends on the sample"):
        verify(program)
    program = hand_made.captured()
    find(program, aten.silu.default).target = aten.lgamma.default
    with pytest.raises(VerificationError, match="has no rule and no lowering"):
        verify(program)
    with pytest.raises(VerificationError, match="it belongs to the planned level"):
        verify(replace(hand_made.planned(), level="captured"))
