"""`fold-time-embedding` keeps the function, call by call, and leaves no timestep behind."""

from __future__ import annotations

import pytest
import torch
from architectures import ARCHITECTURES, run_model
from diffusers import UNet2DModel
from programs import SCHEDULE, apply, calls, captured, run_float, samples

from dgqc.frontends import capture
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program
from dgqc.ir.schedule import Schedule
from dgqc.ir.tensors import constants
from dgqc.passes.graph.edit import constant

dgqc = torch.ops.dgqc
NAMES = pytest.mark.parametrize("name", ["only_cross_attention", "class_conditional"])


@NAMES
def test_every_call_computes_what_the_model_does_at_its_timestep(name: str) -> None:
    folded = apply(captured(name), "fold-time-embedding")
    unet = ARCHITECTURES[name]()
    for step, timestep in enumerate(SCHEDULE.timesteps):
        inputs = samples(name, 7)
        found = run_float(folded, inputs, step)
        # The model's attention has another order of sums.
        assert torch.allclose(found, run_model(unet, dict(inputs), timestep), atol=1e-4)
        assert torch.equal(found, run_float(captured(name), inputs, step)), "the tables are exact"


@NAMES
def test_the_timestep_is_replaced_by_the_calls_step(name: str) -> None:
    folded = apply(captured(name), "fold-time-embedding")
    names = [str(node.target) for node in folded.graph.graph.nodes if node.op == "placeholder"]
    assert names == [*(item.name for item in folded.inputs), "step"]
    tables = calls(folded, dgqc.at_step.default)
    assert tables
    for node in tables:
        table = constant(folded.graph, node.args[0])  # type: ignore[arg-type]
        assert table.shape[0] == len(SCHEDULE)
        assert torch.equal(table[1], table[2]), "the same timestep twice"
        assert not torch.equal(table[0], table[1])


def test_the_embeddings_parameters_leave_the_program() -> None:
    before = captured("only_cross_attention")
    after = apply(before, "fold-time-embedding")

    def numbers(program: Program) -> int:
        return sum(tensor.numel() for _, tensor in constants(program.graph))

    report = after.report["fold-time-embedding"]
    assert report["folded_parameters"] > 4000
    assert numbers(before) - report["folded_parameters"] + report["table_values"] == numbers(after)
    assert not any("time_embedding" in name for name, _ in after.graph.named_parameters())


def test_a_schedule_that_the_embedding_can_t_take_is_refused() -> None:
    """A model that is told noise levels takes their logarithm; timesteps of another kind may be negative."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
        time_embedding_type="fourier",
    )
    apply(capture(unet.eval(), schedule=Schedule("ScoreSdeVeScheduler", (80.0, 0.01))), "fold-time-embedding")
    with pytest.raises(DgqcError, match="not finite at timestep -1, as of a logarithm"):
        apply(capture(unet, schedule=Schedule("EDMEulerScheduler", (1.0, -1.0))), "fold-time-embedding")
