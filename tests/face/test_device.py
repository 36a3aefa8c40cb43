"""What computes: on a device that refuses what a GPU refuses, programs and recordings are the CPU's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fresh_python
import pytest
import torch.utils.backend_registration

Run = Callable[..., tuple[int, str, str]]
PYTHON_DEVICES = hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend")
by_disguise = pytest.mark.skipif(not PYTHON_DEVICES, reason="this PyTorch has no devices made in Python")
TESTS = Path(__file__).parents[1]
COMPILES = """
import json
import os
import sys
from pathlib import Path
import fake_device
import torch
from diffusers import UNet2DConditionModel
kept = fake_device.install()
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.passes.weights.reconstruction.content_hash import content_hash, structure
torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=4, block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=2, attention_head_dim=4,
    cross_attention_dim=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), mid_block_type=None,
).eval()
weights = dict(unet.named_parameters())
sizes = {"steps": 2, "samples": 2, "batch_size": 2, "context_length": 3, "check": False}
found = []
for device in ("cpu", "fake"):
    program, _ = lower(Request(unet, sys.argv[1], device=device, look_ahead=False, **sizes))
    report = dict(program.report)
    found.append({
        "device": report.pop("device", None),
        "graph": content_hash(structure(list(program.graph.graph.nodes))),
        "constants": content_hash(program.graph.state_dict()),
        "plans": content_hash(program.plans),
        "report": json.loads(json.dumps(report)),
        "kept": len(list(Path(os.environ["DGQC_CACHE"]).rglob("*.safetensors"))),
    })
assert all(weights[name] is one and one.device.type == "cpu" for name, one in unet.named_parameters())
print(json.dumps(found))
"""
RECORDS = """
import sys
import fake_device
kept = fake_device.install()
import every_pipeline
pipeline = every_pipeline.built(sys.argv[1])
from dgqc.frontends.calibrating.calibrate import calibrate
files = []
for device in ("cpu", "fake"):
    place = f"{sys.argv[2]}/{device}.safetensors"
    calibrate(pipeline, None, 2, place, samples=2, batch_size=2, device=device)
    files.append(open(place, "rb").read())
assert files[0] == files[1]
"""


def on_fake_device(program: str, cache: Path, *arguments: str) -> str:
    """What a program says, in a process of its own, since torch never forgets a device."""
    ended = fresh_python.run(
        program, *arguments, paths=[TESTS], environment={"DGQC_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@by_disguise
@pytest.mark.parametrize(
    "opt",
    [
        "w4a6",
        *(
            pytest.param(opt, marks=pytest.mark.slow)
            for opt in (
                "w4a4",
                "eda-w4a8,iterations=2",
                "q-diffusion-w4a8,iterations=2",
                "dgq-exact-w4a6",
                "svdquant-w4a6",
                "cachequant-w8a8",
                "auto,size=0.02MB",
            )
        ),
    ],
)
def test_a_program_is_the_cpus_wherever_it_was_computed(opt: str, tmp_path: Path) -> None:
    cpu, device = json.loads(on_fake_device(COMPILES, tmp_path, opt))
    assert (cpu.pop("device"), device.pop("device")) == (None, "fake (a CPU in disguise)")
    assert device.pop("kept") == 2 * cpu.pop("kept")  # finished layers are kept by kind of device
    assert device == cpu


@by_disguise
@pytest.mark.parametrize("kind", ["StableDiffusionPipeline", "DDIMPipeline"])
def test_a_pipelines_recording_is_the_cpus(kind: str, tmp_path: Path) -> None:
    on_fake_device(RECORDS, tmp_path, kind, str(tmp_path))


@pytest.mark.parametrize(
    "arguments", [("compile",), ("calibrate", "-o", "x.safetensors"), ("compare", "--presets", "naive")]
)
def test_a_device_that_is_not_there_is_refused_before_any_work(
    arguments: tuple[str, ...], run: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *others = arguments
    code, out, err = run(command, model_folder, *others, "--device", "cuda:99")
    assert code == 2
    assert not out
    assert err.count("\n") == 1
    assert "There is no device cuda:99 here; torch has " in err
