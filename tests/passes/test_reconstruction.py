"""`adaround`, `brecq`, `fbr`, `learn-scales`: what is learned together, what learning keeps, going on."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programs import FRONT, apply, arguments, captured, decibels, planned, run_float, run_integer, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import QuantizedOperand, Weight
from dgqc.ir.program import Program
from dgqc.ir.progress import shown_by
from dgqc.passes.graph import large_attention
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.simulation import block_interpreter
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest
from dgqc.passes.weights.reconstruction.activation_store import ActivationStore
from dgqc.passes.weights.reconstruction.adaround import Rounding, value
from dgqc.passes.weights.reconstruction.blocks import Unit, units, weight_name
from dgqc.passes.weights.reconstruction.cache import Cache, Learned
from dgqc.passes.weights.reconstruction.content_hash import content_hash
from dgqc.passes.weights.reconstruction.evaluate import Evaluator, Quantizers
from dgqc.passes.weights.reconstruction.losses import annealed, distance, rounding_penalty

NAME = "small"
QUICK = {
    "adaround": "adaround{iterations=30,batch=3,rate=0.1,samples=4}",
    "brecq": "brecq{iterations=30,batch=3,rate=0.1,samples=4}",
    "fbr": "fbr{iterations=30,batch=3,rate=0.1,scale-rate=0.01,samples=4}",
}
BRIEF = {name: text.replace("iterations=30", "iterations=4") for name, text in QUICK.items()}
EACH = pytest.mark.parametrize("name", list(QUICK))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test."""
    monkeypatch.setenv("DGQC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def weights(program: Program) -> dict[str, Weight]:
    return {name: plan for name, plan in program.plans.items() if isinstance(plan, Weight)}


def codes(program: Program) -> dict[str, list[int]]:
    return {name: plan.codes.flatten().tolist() for name, plan in weights(program).items()}


@functools.cache
def rounded(architecture: str) -> Program:
    """As much of a plan as units depend on: sites and weights, nothing observed."""
    sites = "insert-sites{bits=8},merge-quantizers,quantize-weights{bits=8,method=minmax}"
    return apply(captured(architecture), f"{FRONT},split-start-token,{sites}")


def learned_units(program: Program, blocks: bool) -> list[Unit]:
    return [unit for unit in units(program.graph.graph, "sample", blocks) if unit.products]


def simulated(program: Program, step: int) -> torch.Tensor:
    return run_float(apply(program, "simulate"), samples(NAME, step), step)


@pytest.mark.parametrize("architecture", ["demo_like", "unconditional", "only_cross_attention"])
@pytest.mark.parametrize("blocks", [False, True])
def test_units_hold_every_call_once_and_can_run_in_order(architecture: str, blocks: bool) -> None:
    program = rounded(architecture)
    graph = program.graph.graph
    found = units(graph, "sample", blocks)
    order = [node for unit in found for node in unit.nodes]
    assert sorted(order, key=id) == sorted((n for n in graph.nodes if n.op == "call_function"), key=id)
    done = {node for node in graph.nodes if node.op == "placeholder"}
    for unit in found:
        assert set(unit.inputs) <= done
        done |= set(unit.nodes)
    products = [weight_name(product) for unit in found for product in unit.products]
    assert len(products) == len(set(products)) == len(weights(program))
    assert all(len(unit.outputs) == 1 for unit in found if unit.products)


def test_blocks_are_resnets_and_transformer_blocks() -> None:
    found = {unit.name: len(unit.products) for unit in learned_units(rounded("only_cross_attention"), True)}
    blocks = {name: products for name, products in found.items() if products > 1}
    assert all(".resnets." in name or ".transformer_blocks." in name for name in blocks)
    # Convolutions, and a shortcut's where channels change.
    assert blocks["down_blocks.0.resnets.0"] == 2
    assert blocks["down_blocks.1.resnets.0"] == 3
    # Two attentions of four layers, and two of feed-forward.
    assert blocks["mid_block.attentions.0.transformer_blocks.0"] == 10
    layers = [name for name, products in found.items() if products == 1]
    single = ("conv_in", "conv_out", "conv", "proj_in", "proj_out")
    assert all(name.rpartition(".")[2] in single for name in layers)


def test_an_attention_between_resnets_stays_alone() -> None:
    found = {unit.name: len(unit.products) for unit in learned_units(rounded("unconditional"), True)}
    assert found["mid_block.attentions.0"] == 4
    assert found["mid_block.resnets.1"] == 2


def test_transformer_blocks_in_a_row_stay_apart() -> None:
    program = rounded("stable_diffusion_xl")
    modules = {
        str(node.meta["module"]).partition(".attn1")[0]
        for node in program.graph.graph.nodes
        if ".attn1.to_q" in str(node.meta.get("module"))
    }
    assert any(name.endswith("transformer_blocks.1") for name in modules)
    assert modules <= {unit.name for unit in learned_units(program, True)}


@pytest.mark.parametrize("architecture", [NAME, "only_cross_attention"])
def test_the_evaluator_computes_what_graph_and_simulation_do(architecture: str) -> None:
    program = planned(architecture, 4, 4)
    nodes = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    places = [n for n in program.graph.graph.nodes if n.op == "placeholder" and n.target != "step"]
    given = dict(zip(places, arguments(program, samples(architecture, 2)), strict=True))
    evaluator, output = Evaluator(program), nodes[-1]
    real = evaluator.run(nodes, given, 2, {}, None)[output]
    assert torch.equal(real, run_float(program, samples(architecture, 2), 2))
    stored = {name: value(plan) for name, plan in weights(program).items()}
    found = evaluator.run(nodes, given, 2, stored, Quantizers(program.plans))[output]
    assert torch.equal(found, run_float(apply(program, "simulate"), samples(architecture, 2), 2))


def test_large_attentions_are_taken_by_rows_and_values_go_when_they_were_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program, blocks = planned(NAME, 4, 4), []
    nodes = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    places = [n for n in program.graph.graph.nodes if n.op == "placeholder" and n.target != "step"]
    given = dict(zip(places, arguments(program, samples(NAME, 2)), strict=True))
    evaluator, output, quantizers = Evaluator(program), nodes[-1], Quantizers(program.plans)
    whole = [evaluator.run(nodes, given, 2, {}, how)[output] for how in (None, quantizers)]
    monkeypatch.setattr(large_attention, "LARGE", 0)
    monkeypatch.setattr(block_interpreter, "BLOCK", 64)
    by_rows = block_interpreter.Rows.blocks
    monkeypatch.setattr(block_interpreter.Rows, "blocks", lambda rows: blocks.append(rows) or by_rows(rows))
    for how, wanted in zip((None, quantizers), whole, strict=True):
        found = evaluator.run(nodes, given, 2, {}, how, (output,))
        assert list(found) == [output]
        torch.testing.assert_close(found[output], wanted, rtol=1e-4, atol=1e-4)
    softmaxes = sum(node.target is torch.ops.aten.softmax.int for node in nodes)
    assert len(blocks) == 2 * softmaxes > 0


def test_an_untrained_rounding_is_the_weight_itself_and_hardens_to_the_nearest() -> None:
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))
    plan = round_to_nearest(weight, 4, RangeMethod.MINMAX)
    rounding = Rounding(weight, plan)
    assert torch.allclose(rounding.weight(), weight, atol=1e-5)
    assert torch.equal(rounding.hard().codes, plan.codes)


def test_the_penalty_is_0_where_roundings_are_decided() -> None:
    assert float(rounding_penalty(torch.tensor([0.0, 1.0]), 2.0)) == 0
    assert float(rounding_penalty(torch.tensor([0.5, 0.5]), 20.0)) == 2
    betas = [annealed(i, 100, 0.2, 20, 2) for i in range(100)]
    assert betas[:20] == [None] * 20
    assert betas[20] == 20
    assert betas[99] == pytest.approx(2, abs=0.3)


def test_the_distance_sums_channels_and_averages_the_rest() -> None:
    assert float(distance(torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))) == 3
    assert float(distance(torch.full((2, 3), 2.0), torch.zeros(2, 3), 3)) == 24


@EACH
def test_no_unit_gets_worse_and_the_network_gets_better(name: str) -> None:
    program = planned(NAME, 8, 3)
    learned = apply(program, QUICK[name])
    errors = learned.report[name]["errors"]
    assert len(errors) == len(learned_units(program, name != "adaround"))
    assert all(after <= before for before, after in errors.values())
    assert sum(after < before for before, after in errors.values()) > len(errors) / 2
    real = torch.stack([run_float(program, samples(NAME, call), call) for call in range(4)])
    before, after = (torch.stack([simulated(one, call) for call in range(4)]) for one in (program, learned))
    assert decibels(real, after) > decibels(real, before) + 0.1


@EACH
def test_codes_stay_within_one_step_of_the_nearest_and_scales_stay(name: str) -> None:
    program = planned(NAME, 8, 4)
    learned = apply(program, BRIEF[name])
    moved = 0
    for key, plan in weights(learned).items():
        old = program.plans[key]
        assert isinstance(old, Weight)
        difference = (plan.codes.int() - old.codes.int()).abs()
        assert int(difference.max()) <= 1
        assert torch.equal(plan.scale, old.scale)
        moved += int(difference.sum())
    assert moved > 0


def test_only_fbr_and_learn_scales_change_activations() -> None:
    program = planned(NAME, 4, 4)

    def bases(one: Program) -> dict[str, list[float]]:
        return {n: p.base.tolist() for n, p in one.plans.items() if isinstance(p, QuantizedOperand)}

    assert bases(apply(program, BRIEF["brecq"])) == bases(program)
    assert bases(apply(program, BRIEF["fbr"])) != bases(program)
    scaled = apply(program, "learn-scales{iterations=4,rate=0.01,samples=4}")
    assert bases(scaled) != bases(program)
    assert codes(scaled) == codes(program)


def test_factors_of_static_scales_are_shared_by_all_calls() -> None:
    front = "fold-time-embedding,split-prologue,insert-sites{bits=4},merge-quantizers,quantize-weights"
    rest = "observe-ranges,static-ranges,outlier-dims,kmeans-groups{groups=1},uniform-quant,timestep-tables"
    program = apply(captured(NAME), f"{front},{rest}")
    learned = apply(program, BRIEF["fbr"])
    found = [plan.base for plan in learned.plans.values() if isinstance(plan, QuantizedOperand)]
    assert all(bool((base == base[0]).all()) for base in found)


@EACH
def test_an_interrupted_run_goes_on_to_the_same_bits(name: str, cache: Path) -> None:
    whole = apply(planned(NAME, 8, 4), BRIEF[name])
    files = sorted(cache.rglob("*.safetensors"))
    assert len(files) == whole.report[name]["units"]
    for path in files[::2]:
        path.unlink()
    again = apply(planned(NAME, 8, 4), BRIEF[name])
    assert codes(again) == codes(whole)
    assert again.report[name] == whole.report[name]
    assert sorted(cache.rglob("*.safetensors")) == files


@EACH
def test_where_everything_is_in_the_cache_nothing_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = apply(planned(NAME, 8, 4), BRIEF[name])

    def refuse(*arguments: object) -> None:
        raise AssertionError("a unit was computed")

    monkeypatch.setattr(Evaluator, "run", refuse)
    again = apply(planned(NAME, 8, 4), BRIEF[name])
    assert codes(again) == codes(whole)
    assert again.report[name] == whole.report[name]


def test_an_interruption_leaves_the_units_before_it(cache: Path) -> None:
    class Stop(Exception):
        pass

    def show(description: str, done: int, total: int) -> None:
        if done == total // 2:
            raise Stop

    with pytest.raises(Stop), shown_by(show):
        apply(planned(NAME, 8, 4), BRIEF["brecq"])
    kept = len(list(cache.rglob("*.safetensors")))
    assert 0 < kept < len(learned_units(planned(NAME), True))
    went_on = apply(planned(NAME, 8, 4), BRIEF["brecq"])
    for path in cache.rglob("*.safetensors"):
        path.unlink()
    assert codes(went_on) == codes(apply(planned(NAME, 8, 4), BRIEF["brecq"]))


def test_another_weight_or_option_is_learned_anew(cache: Path) -> None:
    apply(planned(NAME, 8, 4), BRIEF["brecq"])
    count = len(list(cache.rglob("*.safetensors")))
    apply(planned(NAME, 8, 4), BRIEF["brecq"].replace("rate=0.1", "rate=0.2"))
    assert len(list(cache.rglob("*.safetensors"))) == 2 * count
    program = planned(NAME, 8, 4)
    constants = dict([*program.graph.named_parameters(), *program.graph.named_buffers()])
    with torch.no_grad():
        constants["conv_out.weight"].add_(0.01)
    apply(program, BRIEF["brecq"])
    assert len(list(cache.rglob("*.safetensors"))) == 2 * count + 1


def test_samples_in_files_give_the_same_bits_as_samples_in_memory(cache: Path) -> None:
    whole = apply(planned(NAME, 8, 4), BRIEF["fbr"])
    for path in cache.rglob("*.safetensors"):
        path.unlink()
    pipeline = BRIEF["fbr"].replace("samples=4", "samples=4,memory=0.00001")
    assert codes(apply(planned(NAME, 8, 4), pipeline)) == codes(whole)


def test_what_was_learned_lowers_to_integers() -> None:
    """Through the manager, which verifies each level."""
    program = replace(planned(NAME, 8, 4), facts=frozenset({"tables", "probabilities", "weights"}))
    learned = PassManager(parse_pipeline(f"{BRIEF['fbr']},lower-integer")).run(program)
    inputs = {name: x[:1] for name, x in samples(NAME, 1).items()}
    wanted = run_float(apply(apply(planned(NAME, 8, 4), BRIEF["fbr"]), "simulate"), inputs, 1)
    assert decibels(wanted, run_integer(learned, inputs, 1)) > 25


def test_the_shelf_keeps_what_it_was_given_and_forgets_what_it_should() -> None:
    values = [torch.randn(4, 100) for _ in range(4)]
    with ActivationStore(2.5 * values[0].nbytes) as store:
        for place, one in enumerate(values):
            store.put((place, "float", "x"), one)
        assert store.in_files == 2
        rows = torch.tensor([3, 1])
        for place, one in enumerate(values):
            assert torch.equal(store.get((place, "float", "x")), one)
            assert torch.equal(store.get((place, "float", "x"), rows), one[rows])
        for place in range(4):
            store.drop((place, "float", "x"))
        assert store.in_files == 0
        store.put((9, "float", "x"), values[0])
        assert store.in_files == 0


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), content_hash("unit")
    assert cache.load(key) is None
    cache.save(key, Learned({"w": torch.tensor([1, -2], dtype=torch.int8)}, {}, 2.0, 1.0))
    found = cache.load(key)
    assert found is not None
    assert found.codes["w"].tolist() == [1, -2]
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.load(key) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.zeros(2), torch.zeros(3)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        ({"a": 1}, {"a": 2}),
        (["ab", "c"], ["a", "bc"]),
        (Weight(4, torch.zeros(1, 1), torch.ones(1)), Weight(3, torch.zeros(1, 1), torch.ones(1))),
    ],
)
def test_digests_tell_contents_apart(one: object, other: object) -> None:
    assert content_hash(one) == content_hash(one)
    assert content_hash(one) != content_hash(other)


@EACH
def test_without_samples_the_way_to_get_some_is_named(name: str) -> None:
    with pytest.raises(DgqcError, match="--calib"):
        apply(replace(planned(NAME), calibration=None), BRIEF[name])


@pytest.mark.parametrize("options", ["iterations=0", "rate=0", "samples=0", "penalty=-1"])
def test_impossible_options_are_refused_before_anything_runs(options: str) -> None:
    with pytest.raises(DgqcError, match="adaround refuses"):
        parse_pipeline(f"adaround{{{options}}}")
