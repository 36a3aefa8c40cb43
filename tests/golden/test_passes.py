"""One golden test for every pass: a small program before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from skipping import skipping

from dgqc.backends.c.layout.fuse_rows import FuseRows
from dgqc.backends.c.layout.split_products import SplitProducts
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.plans import (
    Correction,
    Dimension,
    GroupedOperand,
    ObservedActivation16,
    ObservedOperand,
    ObservedProbabilities,
    Operand,
    PlacedOperand,
    Plan,
    Ranges,
    Role,
    Variation,
)
from dgqc.ir.program import Program
from dgqc.passes.correction.insert import corrected
from dgqc.passes.correction.pictures import Corrected
from dgqc.passes.lowering.lower_integer import LowerInteger

from .conftest import Golden
from .graphs import (
    Sketch,
    attention,
    calibrated,
    convolution,
    decided,
    dense,
    drawn,
    geglu,
    picture,
    prompts,
    seen_uneven,
    sited,
    tall,
    two_layers,
)

aten = torch.ops.aten
LINEAR = Operand(Role.LINEAR, 4, False)
LOW = torch.tensor([[-1.0, -8, -1, -8], [-2, -4, -2, -4]])
"""Channels 1 and 3 reach further, at both calls."""
CHANNEL = Ranges(LOW, -LOW)
PIXEL = Ranges(torch.tensor([[-8.0, -8], [-4, -4]]), torch.tensor([[8.0, 8], [4, 4]]))


def dense_with(plan: Plan) -> Program:
    """The linear's operand as far as an earlier pass would have brought it."""
    program = sited(dense())
    return replace(program, plans={**program.plans, "proj.input": plan})


def lowered(program: Program) -> Program:
    done = LowerInteger().run(decided(sited(program)))
    return replace(done, level=LowerInteger.leaves)


def test_fold_time_embedding(golden: Golden) -> None:
    sketch = Sketch("timestep", sample=(1, 2))
    time = sketch.call("time", aten.reshape.default, sketch.time, [1, 1])
    time = sketch.call("time_scaled", aten.mul.Tensor, time, 0.5)
    time = sketch.linear("time_proj", time, [[1.0], [-2]], [0.5, 0])
    y = sketch.linear("proj", sketch.inputs["sample"], [[1, 2], [3, 4]])
    folded = golden(
        "fold-time-embedding",
        sketch.program(sketch.call("sum", aten.add.Tensor, y, time)),
        "fold-time-embedding",
    )
    assert not any("time_proj_weight" in name for name, _ in folded.graph.named_buffers())


def test_split_prologue(golden: Golden) -> None:
    sketch = Sketch(sample=(1, 2), time_ids=(1, 2))
    cosine = sketch.call("cosine", aten.cos.default, sketch.inputs["time_ids"])
    doubled = sketch.call("doubled", aten.mul.Tensor, cosine, 2.0)
    y = sketch.linear("proj", sketch.inputs["sample"], [[1, 2], [3, 4]])
    program = sketch.program(sketch.call("sum", aten.add.Tensor, y, doubled))
    assert golden("split-prologue", program, "split-prologue").prologue is not None


def test_split_start_token(golden: Golden) -> None:
    golden("split-start-token", attention(crossing=True), "split-start-token")


def test_fold_start_token(golden: Golden) -> None:
    program = attention(crossing=True)
    golden("fold-start-token", replace(program, calibration=prompts(program, [2.0, -1])), "fold-start-token")


def test_insert_sites(golden: Golden) -> None:
    golden("insert-sites{bits=6}", attention(crossing=False), "insert-sites")


def test_insert_sites_at_edges(golden: Golden) -> None:
    golden("insert-sites{bits=4,edges=8}", convolution(), "insert-sites-edges")


def test_merge_quantizers(golden: Golden) -> None:
    golden("merge-quantizers", sited(attention(crossing=False), merged=False), "merge-quantizers")


@pytest.mark.parametrize("method", ["minmax", "mse"])
def test_quantize_weights(golden: Golden, method: str) -> None:
    name = "quantize-weights" if method == "mse" else "quantize-weights-minmax"
    golden(f"quantize-weights{{bits=4,method={method}}}", sited(dense()), name)


def test_observe_ranges(golden: Golden) -> None:
    golden("observe-ranges", calibrated(sited(convolution())), "observe-ranges")


def test_add_headroom(golden: Golden) -> None:
    observed = ObservedOperand(LINEAR, CHANNEL, PIXEL)
    golden("add-headroom{factor=1.5}", dense_with(observed), "add-headroom")


def test_static_ranges(golden: Golden) -> None:
    golden("static-ranges", dense_with(ObservedOperand(LINEAR, CHANNEL, PIXEL)), "static-ranges")


def test_outlier_dims(golden: Golden) -> None:
    golden("outlier-dims", dense_with(ObservedOperand(LINEAR, CHANNEL, PIXEL)), "outlier-dims")


def test_kmeans_groups(golden: Golden) -> None:
    placed = PlacedOperand(LINEAR, Dimension.CHANNEL, CHANNEL)
    golden("kmeans-groups{groups=2}", dense_with(placed), "kmeans-groups")


def test_error_groups(golden: Golden) -> None:
    placed = PlacedOperand(LINEAR, Dimension.CHANNEL, CHANNEL)
    golden("error-groups{groups=2}", dense_with(placed), "error-groups")


def test_log_quant(golden: Golden) -> None:
    golden("log-quant{scale=tensor}", sited(attention(crossing=False)), "log-quant")


def test_uniform_quant(golden: Golden) -> None:
    program = sited(attention(crossing=False))
    seen = ObservedProbabilities(4, torch.tensor([0.75, 0.5]))
    plans = {**program.plans, "softmax.probabilities": seen}
    golden("uniform-quant", replace(program, plans=plans), "uniform-quant")


def test_choose_probabilities(golden: Golden) -> None:
    golden("choose-probabilities", calibrated(sited(attention(crossing=False))), "choose-probabilities")


def test_choose_exponents(golden: Golden) -> None:
    """Unlike channels through a function, a sum, a concatenation and a norm, which takes two together."""
    chosen = golden("choose-exponents{calls=2,enough=1000}", seen_uneven(), "choose-exponents")
    own = {name for name, plan in chosen.plans.items() if getattr(plan, "exponent", None) is not None}
    assert own == {"up.output", "act.output", "both.output", "norm.output"}


def test_absorb_multiples(golden: Golden) -> None:
    program = decided(sited(dense()))
    grouped = GroupedOperand(LINEAR, Dimension.CHANNEL, CHANNEL, torch.tensor([0, 1, 0, 1]))
    golden(
        "absorb-multiples",
        replace(program, plans={**program.plans, "proj.input": grouped}),
        "absorb-multiples",
    )


def test_timestep_tables(golden: Golden) -> None:
    grouped = GroupedOperand(LINEAR, Dimension.CHANNEL, CHANNEL, torch.tensor([0, 1, 0, 1]))
    program = dense_with(grouped)
    seen = {
        name: ObservedActivation16(torch.tensor([[8.0], [4.0]]))
        for name in program.plans
        if name.endswith(".output")
    }
    golden(
        "timestep-tables{ratio-bits=3}", replace(program, plans={**program.plans, **seen}), "timestep-tables"
    )


def test_split_shortcuts(golden: Golden) -> None:
    sketch = Sketch(sample=(1, 2, 4))
    x = sketch.inputs["sample"]
    both = sketch.call("both", aten.cat.default, [x, sketch.call("act", aten.silu.default, x)], 2)
    y = sketch.linear("proj", both, [[1, -2, 3, 0.5, 4, 0, -1, 2]])
    program = sited(sketch.program(y))
    low = torch.tensor([[-1.0] * 4 + [0.0] * 4, [-2.0] * 4 + [-0.25] * 4])
    seen = ObservedOperand(LINEAR, Ranges(low, -2 * low), PIXEL)
    golden(
        "split-shortcuts", replace(program, plans={**program.plans, "proj.input": seen}), "split-shortcuts"
    )


def test_step_groups(golden: Golden) -> None:
    golden("step-groups{groups=2}", calibrated(sited(picture())), "step-groups")


def test_search_ranges(golden: Golden) -> None:
    wide = Ranges(4 * CHANNEL.low, 4 * CHANNEL.high)
    grouped = GroupedOperand(LINEAR, Dimension.CHANNEL, wide, torch.tensor([0, 1, 0, 1]))
    golden(
        "search-ranges{candidates=3,spacing=0.25,power=2.0}", calibrated(dense_with(grouped)), "search-ranges"
    )


def test_widen_ranges(golden: Golden) -> None:
    seen = Variation(torch.tensor([4, 4]), CHANNEL.low / 2, CHANNEL.high / 2)
    grouped = GroupedOperand(LINEAR, Dimension.CHANNEL, CHANNEL, torch.tensor([0, 1, 0, 1]), seen)
    golden("widen-ranges", dense_with(grouped), "widen-ranges")


def test_balance_channels(golden: Golden) -> None:
    """Channels 1 and 3 are 1024 times the others, and read by weights as much smaller."""
    program = decided(sited(dense()))
    high = torch.tensor([[1.0, 1024, 2, 1024], [0.5, 512, 1, 512]])
    seen = ObservedOperand(LINEAR, Ranges(-high, high), Ranges(-high[:, 1:3], high[:, 1:3]))
    program.graph.proj_weight[:, 1::2] /= 1024
    golden(
        "balance-channels", replace(program, plans={**program.plans, "proj.input": seen}), "balance-channels"
    )


def test_balance_channels_by_dilation(golden: Golden) -> None:
    """Channels 1 and 3 have weights that are half and an eighth of the largest of their rows, or less."""
    program = decided(sited(dense()))
    high = torch.tensor([[1.0, 2, 1, 8], [0.5, 1, 0.5, 4]])
    seen = ObservedOperand(LINEAR, Ranges(-high, high), Ranges(-high[:, 1:3], high[:, 1:3]))
    program.graph.proj_weight.copy_(torch.tensor([[1, -0.5, 4, 0.5], [4, 2, -1, 0.25]]))
    given = replace(program, plans={**program.plans, "proj.input": seen})
    golden("balance-channels{method=dilate,gain=0.1}", given, "balance-channels-dilate")


def test_balance_queries(golden: Golden) -> None:
    """One feature of the queries is massive, the key's as much smaller."""
    program = attention(crossing=False)
    program.graph.to_q_weight[1] *= 2.0**16
    program.graph.to_k_weight[1] /= 2.0**16
    golden("balance-queries", program, "balance-queries")


def test_keep_wide(golden: Golden) -> None:
    """An operand that stays as wide as it came, and a weight in two bytes."""
    golden("keep-wide{poor=20,enough=1000,calls=2}", calibrated(decided(sited(dense()))), "keep-wide")


def test_rotate(golden: Golden) -> None:
    """One of four channels reaches far: turned, all reach less."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[1, -2, 3, 0.5], [4, 0, -1, 2]], [0.625, -1.5])
    program = sited(sketch.program(sketch.call("act", aten.silu.default, y)))

    def read(step: int) -> Iterator[Inputs]:
        yield {"sample": (step + 1) * torch.tensor([[[1.0, -1, 16, 1], [-1, 1, -16, 1]]])}

    given = Calibration(program.schedule, read, synthetic=False, origin="one channel reaches far")
    golden("rotate{size=4,groups=1,gain=0.1}", replace(program, calibration=given), "rotate")


def test_dynamic_rows(golden: Golden) -> None:
    """A layer of two tokens with a bias, whatever it gains."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[1, -2, 3, 0.5], [4, 0, -1, 2]], [0.625, -1.5])
    program = sited(sketch.program(sketch.call("act", aten.silu.default, y)))
    golden("dynamic-rows{groups=1,gain=-99}", calibrated(program), "dynamic-rows")


def test_low_rank(golden: Golden) -> None:
    """The stronger of two outputs is a branch of one direction; what is left is the weaker one."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[4, 0, 0, 0], [0, 0.5, 0, 0]], [0.625, -1.5])
    program = sited(sketch.program(sketch.call("act", aten.silu.default, y)))
    golden("low-rank{rank=1,share=1000}", calibrated(program), "low-rank")


def test_correct_output(golden: Golden) -> None:
    golden("correct-output", drawn(decided(sited(attention(crossing=False)))), "correct-output")


def test_cache_schedule(golden: Golden) -> None:
    program = golden("cache-schedule{interval=2}", drawn(decided(sited(skipping()))), "cache-schedule")
    golden("lower-integer", program, "lower-integer-cached")
    golden("simulate", program, "simulate-cached")


def test_correct_input(golden: Golden) -> None:
    golden("correct-input", drawn(decided(sited(attention(crossing=False)))), "correct-input")


def test_correct_schedule(golden: Golden) -> None:
    golden("correct-schedule", drawn(decided(sited(attention(crossing=False)))), "correct-schedule")


def test_lower_integer_of_corrections(golden: Golden) -> None:
    """Both places, factors and offsets, at two calls."""
    program = decided(sited(attention(crossing=False)))
    for place in Corrected:
        factor = torch.tensor([[1.0, 0.5], [1, 1]], dtype=torch.float64)
        program = corrected(program, place, Correction(factor, factor / 8 - 0.125))
    golden("lower-integer", program, "lower-integer-corrections")


def test_assign_bits(golden: Golden) -> None:
    """Of weights of 4 bits eight take 3 that round better than theirs, and four bytes: 7 of 8 bytes."""
    golden("assign-bits{budget=0.000008,calls=2}", calibrated(decided(sited(two_layers()))), "assign-bits")


def test_gptq(golden: Golden) -> None:
    golden("gptq{samples=2,ridge=0}", calibrated(decided(sited(dense()))), "gptq")


@pytest.mark.parametrize("name", ["adaround", "brecq", "fbr", "learn-scales"])
def test_reconstruction(golden: Golden, name: str) -> None:
    """One step of gradient descent, whose size is the rate: numbers stay exact in binary."""
    rates = "rate=0.25" + (",scale-rate=0.25" if name == "fbr" else "")
    golden(f"{name}{{iterations=1,{rates},batch=1,samples=2}}", calibrated(decided(sited(dense()))), name)


def test_measure_error(golden: Golden) -> None:
    golden("measure-error", calibrated(decided(sited(dense()))), "measure-error")


def test_simulate(golden: Golden) -> None:
    golden("simulate", decided(sited(attention(crossing=False))), "simulate")


def test_lower_integer(golden: Golden) -> None:
    golden("lower-integer", decided(sited(dense())), "lower-integer")


def test_lower_integer_of_an_attention(golden: Golden) -> None:
    golden("lower-integer", decided(sited(attention(crossing=False))), "lower-integer-attention")


def test_lower_integer_of_a_picture(golden: Golden) -> None:
    golden("lower-integer", decided(sited(picture())), "lower-integer-picture")


def test_split_products(golden: Golden) -> None:
    golden("split-products", lowered(geglu()), "split-products")


def test_permute_channels(golden: Golden) -> None:
    golden("permute-channels", lowered(dense()), "permute-channels")


def test_permute_channels_of_a_geglu(golden: Golden) -> None:
    golden("permute-channels", SplitProducts().run(lowered(geglu())), "permute-channels-geglu")


def test_permute_keys(golden: Golden) -> None:
    golden("permute-keys", lowered(attention(crossing=True)), "permute-keys")


def test_plan_memory(golden: Golden) -> None:
    golden("plan-memory", FuseRows().run(lowered(dense())), "plan-memory")


def test_fuse_rows(golden: Golden) -> None:
    golden("fuse-rows", lowered(dense()), "fuse-rows")


def test_cut_bands(golden: Golden) -> None:
    golden("cut-bands{band=1,least=4}", lowered(tall()), "cut-bands")
