"""What is saved loads as it was; what was damaged, or tries to run code, doesn't load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hand_made
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx, nn

from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.ops import integer, packages
from dgqc.ir.plans import (
    Coding,
    Dimension,
    Granularity,
    GroupedOperand,
    ObservedOperand,
    ObservedProbabilities,
    Operand,
    PlacedOperand,
    Probabilities,
    QuantizedProbabilities,
    Role,
)
from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program
from dgqc.ir.storage.encoding import PLAN_TYPES, storable
from dgqc.ir.storage.graph_json import graph_from_json, graph_to_json
from dgqc.ir.storage.narrow_codes import pack_codes, stored_bytes, unpack_codes
from dgqc.ir.storage.serialize import load_program, save_program
from dgqc.ir.verify.checks import anything
from dgqc.ir.verify.verifier import verify
from dgqc.ir.views import View


def run(program: Program) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    shape = program.inputs[0].shape
    if program.level is Level.INTEGER:
        sample = torch.randint(-9000, 9000, shape, generator=random).to(torch.int16)
    else:
        sample = torch.randn(shape, generator=random)
    output: torch.Tensor = program.graph(sample, torch.tensor(1))
    return output


@pytest.mark.parametrize("level", hand_made.LEVELS)
def test_round_trip(level: str, tmp_path: Path) -> None:
    program = hand_made.LEVELS[level]()
    save_program(program, tmp_path / "saved")
    loaded = load_program(tmp_path / "saved")
    verify(loaded)
    assert format_graph(loaded) == format_graph(program)
    assert torch.equal(run(loaded), run(program))
    for name in ("level", "schedule", "facts", "report", "batched"):
        assert getattr(loaded, name) == getattr(program, name)
    for mine, theirs in zip(program.inputs, loaded.inputs, strict=True):
        assert (mine.name, mine.shape) == (theirs.name, theirs.shape)
        assert (mine.scale is None) == (theirs.scale is None)
    if program.output_scale is not None:
        assert loaded.output_scale is not None
        assert torch.equal(loaded.output_scale, program.output_scale)
    modules = [node.meta.get("module") for node in program.graph.graph.nodes]
    assert modules == [node.meta.get("module") for node in loaded.graph.graph.nodes]


def test_exponents_of_an_input_come_back(tmp_path: Path) -> None:
    program = hand_made.LEVELS["integer"]()
    exponent = torch.arange(program.inputs[0].shape[-1]).reshape(1, 1, -1)
    given = replace(program, inputs=(replace(program.inputs[0], exponent=exponent),))
    save_program(given, tmp_path / "saved")
    loaded = load_program(tmp_path / "saved")
    verify(loaded)
    assert torch.equal(loaded.inputs[0].steps(1), given.inputs[0].steps(1))
    assert loaded.inputs[0].steps(1).shape == exponent.shape


@storable("drawing-board")
@dataclass(frozen=True)
class Sketch:
    """A backend's layout."""

    order: tuple[str, ...]
    inside: View

    def lines(self) -> list[str]:
        """As text."""
        return [f"sketch: {' before '.join(self.order)}"]


def test_a_layout_round_trips(tmp_path: Path) -> None:
    layout = Sketch(("a", "b"), View("d", "a", 8))
    program = replace(hand_made.LEVELS["integer"](), layout=layout)
    save_program(program, tmp_path / "saved")
    loaded = load_program(tmp_path / "saved")
    assert loaded.layout == layout
    assert format_graph(loaded) == format_graph(program)
    assert format_graph(loaded).endswith("sketch: a before b")


def test_a_layout_of_a_missing_backend_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = replace(hand_made.LEVELS["integer"](), layout=Sketch((), View("d", "a", 8)))
    save_program(program, tmp_path)
    monkeypatch.delitem(PLAN_TYPES, "drawing-board.Sketch")
    with pytest.raises(DgqcError, match="of the backend 'drawing-board', which isn't installed here"):
        load_program(tmp_path)


def test_two_layouts_of_one_name_are_refused() -> None:
    other = type("Sketch", (), {"__module__": "elsewhere"})
    with pytest.raises(TypeError, match=r"would both be stored as drawing-board.Sketch"):
        storable("drawing-board")(dataclass(frozen=True)(other))


def test_every_plan_round_trips(tmp_path: Path) -> None:
    operand, wide = Operand(Role.RIGHT, 6, padded=True), hand_made.ranges(5)
    group = torch.arange(5) % 2
    plans = {
        "observed": ObservedOperand(operand, hand_made.ranges(4), wide),
        "placed": PlacedOperand(operand, Dimension.PIXEL, wide),
        "grouped": GroupedOperand(operand, Dimension.CHANNEL, wide, group),
        "probabilities": Probabilities(4),
        "seen": ObservedProbabilities(4, torch.ones(3)),
        "static": QuantizedProbabilities(4, Coding.UNIFORM, None, torch.ones(3).double()),
        "row": QuantizedProbabilities(4, Coding.LOG2, Granularity.ROW, None),
    }
    save_program(replace(hand_made.planned(), plans=plans), tmp_path)
    loaded = load_program(tmp_path).plans
    assert {name: repr(plan) for name, plan in loaded.items()} == {
        name: repr(plan) for name, plan in plans.items()
    }


def test_a_prologue_round_trips(tmp_path: Path) -> None:
    program = replace(hand_made.integer(), prologue=hand_made.captured().graph)
    save_program(program, tmp_path)
    loaded = load_program(tmp_path).prologue
    assert loaded is not None
    x, step = torch.ones(1, 5, 6), torch.tensor(0)
    assert program.prologue is not None
    assert torch.equal(loaded(x, step), program.prologue(x, step))


def test_four_bit_weights_take_four_bits(tmp_path: Path) -> None:
    program = hand_made.integer()
    save_program(program, tmp_path / "four")
    save_program(replace(program, report={}), tmp_path / "eight")
    sizes = [(tmp_path / name / "program.safetensors").stat().st_size for name in ("four", "eight")]
    assert sizes[1] - sizes[0] >= 36 // 2 - 8
    program.graph.weight = program.graph.weight * 2
    with pytest.raises(DgqcError, match=r"codes from -14 to 14 don't fit 4 bits"):
        save_program(program, tmp_path / "refused")


narrow = st.sampled_from([2, 3, 4]).flatmap(
    lambda bits: st.tuples(
        st.just(bits), st.lists(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), max_size=33)
    )
)


@given(narrow)
def test_narrow_codes_come_back(example: tuple[int, list[int]]) -> None:
    bits, codes = example
    tensor = torch.tensor(codes, dtype=torch.int8)
    packed = pack_codes(tensor, bits)
    assert packed.numel() == stored_bytes(bits, len(codes))
    assert 0 <= packed.numel() - len(codes) * bits / 8 < 2
    assert torch.equal(unpack_codes(packed, bits, [len(codes)]), tensor)


def test_of_three_bits_signs_stand_apart() -> None:
    codes = torch.tensor([1, 2, -4, 3, -1], dtype=torch.int8)
    lowest, signs = [0b11_00_10_01, 0b11], [0b10100]
    assert pack_codes(codes, 3).tolist() == [*lowest, *signs]


def test_codes_that_are_too_wide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"codes from -4 to 3 don't fit 2 bits \(-2 .. 1\)"):
        pack_codes(torch.tensor([-4, 3], dtype=torch.int8), 2)
    with pytest.raises(ValueError, match="2 bytes can't hold 9 codes of 3 bits"):
        unpack_codes(torch.zeros(2, dtype=torch.uint8), 3, [9])


def test_plans_of_the_first_release_load(tmp_path: Path) -> None:
    def rename(document: Any) -> None:
        for plan in document["body"]["plans"].values():
            plan["plan"][0] = plan["plan"][0].replace("Activation16", "Glue")

    program = hand_made.planned()
    save_program(program, tmp_path)
    edit(rename, sign=True)(tmp_path)
    assert "QuantizedGlue" in (tmp_path / "program.json").read_text()
    assert format_graph(load_program(tmp_path)) == format_graph(program)


def test_ops_of_the_first_release_load() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(torch.ops.dgqc.activation.default, (x,) * 7))
    saved = graph_to_json(fx.GraphModule(nn.Module(), graph), "graph", {}, lambda key, tensor: None)
    saved["nodes"][1]["target"] = "dgqc.gate.default"
    loaded = graph_from_json(saved, "graph", {})
    assert [node.target for node in loaded.graph.nodes] == [node.target for node in graph.nodes]


def test_ops_of_other_packages_are_imported_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbour = torch.ops.aten.nextafter.default
    record = integer.IntegerOp(neighbour, anything, integer.any_value)

    class Module:
        def load(self) -> None:
            monkeypatch.setitem(integer._records, neighbour, record)

    program = hand_made.integer()
    node = next(n for n in program.graph.graph.nodes if n.target is torch.ops.dgqc.add.default)
    node.target, node.args = neighbour, node.args[:2]
    with pytest.MonkeyPatch.context() as while_saving:
        while_saving.setitem(integer._records, neighbour, record)
        save_program(program, tmp_path)
    with pytest.raises(DgqcError, match=r"aten.nextafter.default' is not one that a program may hold"):
        load_program(tmp_path)
    monkeypatch.setattr(packages, "offered", lambda group: [Module()] if group == "dgqc.ops" else [])
    assert format_graph(load_program(tmp_path)) == format_graph(program)


def test_saving_again_replaces(tmp_path: Path) -> None:
    save_program(hand_made.captured(), tmp_path)
    save_program(hand_made.integer(), tmp_path)
    assert load_program(tmp_path).level is Level.INTEGER
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.json", "program.safetensors"]


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncate(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def flip(folder: Path) -> None:
    content = bytearray((folder / "program.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "program.safetensors").write_bytes(bytes(content))


def edit(change: Callable[[Any], None], sign: bool = False) -> Callable[[Path], None]:
    """Changes the document; `sign` makes its hash right again, as an attacker would."""

    def damage(folder: Path) -> None:
        document = json.loads((folder / "program.json").read_text())
        change(document)
        if sign:
            text = json.dumps(document["body"], sort_keys=True, separators=(",", ":"))
            document["body_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        (folder / "program.json").write_text(json.dumps(document))

    return damage


def nodes(document: Any) -> Any:
    return document["body"]["graph"]["nodes"]


def call(document: Any) -> Any:
    return next(node for node in nodes(document) if node["op"] == "call_function")


def constant(document: Any) -> Any:
    return next(node for node in nodes(document) if node["op"] == "get_attr")


INJECTION = 'x"); import os; os.abort(); ("'


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("program.json"), "holds no program.json, so it isn't a saved program"),
        (remove("program.safetensors"), "holds no program.safetensors"),
        (truncate("program.json"), "damaged or truncated"),
        (truncate("program.safetensors"), "was altered or truncated"),
        (flip, "was altered or truncated"),
        (edit(lambda d: d.update(version=3)), "format version 3, but this dgqc reads version 2; update dgqc"),
        (edit(lambda d: d.update(version=1)), "format version 1, .* version 2; compile the model again"),
        (edit(lambda d: d.update(version=None)), "format version None, .*; update dgqc"),
        (edit(lambda d: d.update(format="other")), "isn't a program that dgqc saved"),
        (edit(lambda d: d["body"].update(level="captured")), "was altered since it was saved"),
        (
            edit(lambda d: call(d).update(target="os.system"), sign=True),
            "'os.system' is not one that a program may",
        ),
        (edit(lambda d: call(d).update(op="call_method"), sign=True), r"nodes\.\d+\.op: Input should be"),
        (edit(lambda d: constant(d).update(target=INJECTION), sign=True), "is not a name"),
        (edit(lambda d: nodes(d)[0].update(target=INJECTION), sign=True), "is not a name"),
        (edit(lambda d: nodes(d)[0].update(name=INJECTION), sign=True), r"name: String should match pattern"),
        (
            edit(lambda d: call(d)["kwargs"].update({INJECTION: 1}), sign=True),
            r"kwargs\..*: String should match",
        ),
        (edit(lambda d: constant(d).update(target="__class__"), sign=True), "isn't a program"),
        (edit(lambda d: call(d)["args"].append({"code": "1"}), sign=True), "Input tag 'code' found"),
        (edit(lambda d: call(d)["args"].append({"node": "later"}), sign=True), "isn't a program"),
        (edit(lambda d: d["body"].pop("graph"), sign=True), "graph: Field required"),
        (edit(lambda d: d["body"]["inputs"][0].update(shape=["4"]), sign=True), r"shape\.0: Input should be"),
        (
            edit(lambda d: d["body"]["graph"]["constants"].popitem()[1].update(bits=3), sign=True),
            "isn't a prog",
        ),
        (
            edit(lambda d: d["body"]["report"].update({"weight-bits": {"w": 99}}), sign=True),
            "bits.w: Input",
        ),
        (
            edit(lambda d: d["body"].update(schedule={"scheduler": "x", "timesteps": []}), sign=True),
            "schedule",
        ),
        (
            edit(
                lambda d: d["body"].update(loop={"plan": ["Labels", {"input": "x", "codes": 3}]}), sign=True
            ),
            "codes: Input should be an instance of Tensor",
        ),
        (edit(lambda d: d["body"].update(layout={"plan": ["Labels", {"a b": 3}]}), sign=True), "layout.plan"),
    ],
)
def test_damage_is_refused(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    save_program(hand_made.integer(), tmp_path)
    damage(tmp_path)
    with pytest.raises(DgqcError, match=message):
        load_program(tmp_path)


def test_what_has_no_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="can't be saved"):
        save_program(replace(hand_made.integer(), report={"strange": object()}), tmp_path)
    empty = hand_made.captured()
    empty.graph.weight = empty.graph.weight.to("meta")
    with pytest.raises(DgqcError, match="has a shape but no values"):
        save_program(empty, tmp_path)
