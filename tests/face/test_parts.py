"""A pipeline compiled with its text encoder and its decoder: one bundle, each part a program."""

from __future__ import annotations

import ctypes
import json
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_parts
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from transformers import BertConfig, BertModel

import dgqc
from dgqc.backends.c.execution.arenas import Handle
from dgqc.backends.c.execution.toolchain import find_compiler
from dgqc.backends.c.target import CTarget
from dgqc.bundle.bundle import PARTS
from dgqc.bundle.shipped import Shipped, compare_shipped
from dgqc.bundle.vectors import random_inputs
from dgqc.cli.verified import Verified, tell, verified
from dgqc.compiler.parts import OtherParts, other_parts
from dgqc.compiler.request import Request
from dgqc.execution.diffusers_parts import CompiledDecoder
from dgqc.execution.verify import Verification
from dgqc.execution.verify_picture import verify_picture
from dgqc.frontends.calibrating import drawings, sample_by_sample
from dgqc.frontends.calibrating.pipeline_calls import Asked, Settings, draw
from dgqc.frontends.parts.text_encoders import ids_of
from dgqc.ir.errors import DgqcError
from dgqc.report.quality import decibels
from dgqc.report.report import FLOATING, bundle_report
from dgqc.report.text import rows

PLACES = ("", "parts/text_encoder", "parts/decoder")
QUICK = "w8a8,rounding=nearest,keep=none"
HOW: dict[str, Any] = {"steps": 2, "samples": 2, "check": False, "text": QUICK, "decoder": QUICK}


def pipeline(**parts: Any) -> Any:
    """Of the smallest parts, without a safety checker."""
    torch.manual_seed(0)
    vae = AutoencoderKL(latent_channels=4, block_out_channels=(4,), norm_num_groups=2, sample_size=8)
    own = {
        "vae": vae.eval(),
        "text_encoder": text_parts.text_encoder(),
        "tokenizer": text_parts.tokenizer(),
        "unet": text_parts.unet(),
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
    }
    found = StableDiffusionPipeline(**{**own, **parts}, safety_checker=None, feature_extractor=None)
    found.set_progress_bar_config(disable=True)
    return found


def drawn(of: Any, **options: Any) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    found = of("a red circle", num_inference_steps=2, generator=noise, output_type="np", **options).images
    return torch.tensor(found)


@cache
def compiled_whole() -> dgqc.CompiledProgram:
    """All parts; `test_drawing` draws with it."""
    return dgqc.compile(pipeline(), QUICK, parts="all", **HOW)


@pytest.fixture(scope="module")
def compiled() -> dgqc.CompiledProgram:
    return compiled_whole()


@pytest.fixture(scope="module")
def bundle(compiled: dgqc.CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled.save(tmp_path_factory.mktemp("parts") / "all.dgqc")


def test_each_part_answers_as_the_pipeline_s_own(compiled: dgqc.CompiledProgram) -> None:
    own = pipeline()
    ids, latents = ids_of(own.tokenizer, ["a red circle"]), torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        states = own.text_encoder(ids)[0]
        pixels = own.vae.decode(latents / own.vae.config.scaling_factor).sample
    assert decibels(states, compiled.text_encoder.run(ids, backend="reference")) > 25
    assert decibels(pixels, compiled.decoder.run(latents, backend="reference")) > 20


@pytest.mark.parametrize(("large", "count"), [(False, 8), (True, 3)])
def test_a_decoder_is_calibrated_with_what_its_unet_drew(
    large: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small network more pictures are drawn than are asked for; none twice."""
    seeds: list[int] = []

    def noted(pipeline: Any, pictures: Sequence[Asked], settings: Settings) -> Any:
        seeds.extend(one.seed for one in pictures)
        return draw(pipeline, pictures, settings)

    monkeypatch.setattr(drawings, "draw", noted)
    monkeypatch.setattr(sample_by_sample, "LARGE", 1 if large else 10**9)
    found = dgqc.compile(pipeline(), QUICK, **{**HOW, "text": "off", "samples": 3})
    assert seeds == list(range(count))
    assert found.decoder.provenance.calibration.startswith(f"latents of {count} prompts of its words")


def test_a_bundle_keeps_its_parts_as_bundles(compiled: dgqc.CompiledProgram, bundle: Path) -> None:
    loaded = dgqc.load(bundle)
    assert sorted(loaded.parts) == ["decoder", "text_encoder"]
    ids = ids_of(text_parts.tokenizer(), ["blue"])
    wanted = compiled.text_encoder.run(ids, backend="reference")
    alone = dgqc.load(bundle / PARTS / "text_encoder")
    for other in (loaded.text_encoder, alone, pickle.loads(pickle.dumps(loaded)).text_encoder):
        assert torch.equal(other.run(ids, backend="reference"), wanted)
    assert (bundle / PARTS / "decoder" / "c" / "include" / "model_decoder.h").is_file()
    with pytest.raises(DgqcError, match="no text_encoder_2"):
        loaded.part("text_encoder_2")


def test_the_unet_s_files_are_those_without_parts(
    compiled: dgqc.CompiledProgram, bundle: Path, tmp_path: Path
) -> None:
    alone = compiled.with_parts({}).save(tmp_path / "unet.dgqc")
    files = {path.relative_to(alone) for path in alone.rglob("*") if path.is_file()}
    ours = {path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()}
    assert files == {path for path in ours if path.parts[0] != PARTS}
    for path in files - {Path("manifest.json")}:
        assert (alone / path).read_bytes() == (bundle / path).read_bytes()


def test_an_altered_part_is_noticed(bundle: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(bundle, tmp_path / "copy.dgqc"))
    file = copied / PARTS / "decoder" / "report.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(DgqcError, match=r"decoder/report\.json"):
        dgqc.load(copied)


def test_parts_are_reported(bundle: Path) -> None:
    report = bundle_report(bundle)
    assert report["parts"]["text_encoder"]["model"] == "CLIPTextModel"
    assert "part decoder" in dict(rows(report))


def test_all_parts_are_one_c_project(compiled: dgqc.CompiledProgram, bundle: Path) -> None:
    project = bundle / PARTS / "c"
    sizes = [json.loads((bundle / place / "c" / "interface.json").read_text()) for place in PLACES]
    header = (project / "include" / "model_parts.h").read_text()
    most = max(one["shared_bytes"] + one["thread_bytes"] for one in sizes)
    assert f"#define MODEL_PARTS_ARENA_BYTES {most}u" in header
    constants = (project / "model_parts_weights.bin").stat().st_size
    assert 0 <= constants - sum(one["weights_bytes"] for one in sizes) < 3 * 64
    shipped = compare_shipped(bundle, compiled.program, {n: one.program for n, one in compiled.parts.items()})
    assert not shipped.altered


@pytest.mark.slow
def test_an_altered_joined_project_is_noticed(
    compiled: dgqc.CompiledProgram, bundle: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(bundle, tmp_path / "copy.dgqc"))
    (copied / PARTS / "c" / "src" / "model_parts.c").write_text("int evil;\n")
    programs = {name: one.program for name, one in compiled.parts.items()}
    shipped = compare_shipped(copied, compiled.program, programs)
    assert "model_parts.c is not what dgqc writes" in shipped.altered["c"]


@pytest.mark.slow
def test_the_c_project_gives_the_reference_s_bits(
    compiled: dgqc.CompiledProgram, bundle: Path, tmp_path: Path
) -> None:
    """All parts from one file of constants, one after the other in one arena, no larger than it says."""
    project, library = bundle / PARTS / "c", tmp_path / "parts.so"
    sources = sorted(str(path) for path in (project / "src").glob("*.c"))
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command = [find_compiler(), *flags, f"-I{project / 'include'}", *sources, "-o", str(library)]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))
    weights = aligned((project / "model_parts_weights.bin").read_bytes())
    arena = aligned(bytes(arena_bytes(project)))
    programs = (ctypes.c_byte * (3 * ctypes.sizeof(Handle)))()
    assert not loaded.model_parts_init(
        programs, weights.ctypes, ctypes.c_size_t(weights.size), arena.ctypes, ctypes.c_size_t(arena.size)
    )
    size = Handle.first.offset  # what a program has whose constants aren't read while it runs
    for place, (name, part) in enumerate(all_programs(compiled)):
        inputs = random_inputs(part.program, 5)
        wanted = part.run_integers(inputs, 0, backend="reference")
        found = torch.zeros(wanted.shape, dtype=torch.int16)
        given = [inputs[one.name].contiguous() for one in part.program.inputs]
        handle = ctypes.byref(programs, place * size)
        pointers = [ctypes.c_void_p(one.data_ptr()) for one in (*given, found)]
        assert not getattr(loaded, f"{name}_run")(handle, 0, *pointers)
        assert torch.equal(found, wanted), name


def all_programs(compiled: dgqc.CompiledProgram) -> list[tuple[str, dgqc.CompiledProgram]]:
    """With the names of their C."""
    return [("model", compiled), *((f"model_{name}", one) for name, one in compiled.parts.items())]


def arena_bytes(project: Path) -> int:
    header = (project / "include" / "model_parts.h").read_text()
    found = re.search(r"#define MODEL_PARTS_ARENA_BYTES (\d+)u", header)
    assert found is not None
    return int(found[1])


def aligned(values: bytes) -> np.ndarray:
    """The bytes at a multiple of 64."""
    room = np.zeros(len(values) + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    room[first : first + len(values)] = np.frombuffer(values, dtype=np.uint8)
    return room[first : first + len(values)]


@pytest.mark.slow
def test_parts_are_verified(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a picture that begins late, at the second of two calls, in C alone, too."""
    monkeypatch.setattr("dgqc.execution.verify_picture.CALLS", 1)
    found = verified(bundle, dgqc.load(bundle), steps_sampled=1, backends=["c"])
    assert found.all_right
    assert found.to_json()["parts"]["decoder"]["bit_exact"]
    tell(found)
    said = capsys.readouterr().out
    assert "text_encoder: reference and c agree" in said
    assert "reference and c and c alone agree on all 192 bytes of a prompt's picture" in said
    assert found.picture is not None
    assert found.picture.calls == 1


def test_a_picture_that_differs_is_no_success(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong byte of one backend is found, and named."""
    program = dgqc.load(bundle)
    own = program.decoder.run_integers

    def wrong(inputs: Any, step: int, *, backend: str | None = None) -> torch.Tensor:
        found = own(inputs, step, backend="reference")
        found[0, 0, 0, 5] += 0 if backend == "reference" else 9000
        return found

    monkeypatch.setattr(program.decoder, "run_integers", wrong)
    monkeypatch.setattr(CTarget, "open_painter", lambda *_: None)
    found = verify_picture(program, ("reference", "c"), 0)
    assert found is not None
    assert "Row 0, column 5 is " in found.sentence()
    assert "from c and" in found.sentence()
    assert verify_picture(program.with_parts({}), ("reference",), 0) is None
    fine = Verification(("reference", "c"), {}, 1, (0,), None)
    assert not Verified({"8x8": fine}, Shipped((), {}, {}), {}, found).all_right
    assert Verified({"8x8": fine}, Shipped((), {}, {}), {}).all_right


def test_a_backend_that_is_none_is_refused_before_a_part_takes_its_place(bundle: Path) -> None:
    program, own = dgqc.load(bundle), pipeline()
    parts = [own.unet, own.text_encoder, own.vae]
    with pytest.raises(DgqcError, match="There is no backend 'nowhere'"):
        program.as_diffusers_pipeline(own, backend="nowhere")
    with pytest.raises(DgqcError, match="There is no backend 'nowhere'"):
        CompiledDecoder(program.decoder, own.vae, backend="nowhere")
    assert [own.unet, own.text_encoder, own.vae] == parts


def test_a_pipeline_with_integer_parts_draws_the_picture(bundle: Path) -> None:
    float_picture, own = drawn(pipeline()), pipeline()
    ours = dgqc.load(bundle).as_diffusers_pipeline(own, backend="reference")
    assert ours is own
    seen: list[int] = []

    def noticed(pipe: Any, step: int, timestep: int, values: dict[str, Any]) -> dict[str, Any]:
        seen.append(step)
        return values

    picture = drawn(ours, callback_on_step_end=noticed)
    assert decibels(float_picture - 0.5, picture - 0.5) > 15
    assert seen == [0, 1]
    with pytest.raises(DgqcError, match="without clip_skip"):
        drawn(ours, clip_skip=1)
    with pytest.raises(DgqcError, match="knows 8 ids"):
        ours.text_encoder(torch.full((1, text_parts.TOKENS), 8))


@pytest.fixture(scope="module")
def other() -> Any:
    """A pipeline whose text encoder is none of CLIP's."""
    small = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    return pipeline(text_encoder=BertModel(small))


def test_a_part_without_an_integer_form_is_refused_before_any_work(other: Any) -> None:
    said = r"a BertModel, is no text encoder of CLIP; leave .* --text off, or all .* --parts auto"
    with pytest.raises(DgqcError, match=said):
        dgqc.compile(other, QUICK, parts="all", **HOW)
    left_out = {**HOW, "text": "off", "decoder": "off"}
    assert other_parts(Request(other, QUICK, parts="all", **left_out)) == OtherParts()
    assert other_parts(Request(other, QUICK, parts="unet", **HOW)) == OtherParts()


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (text_parts.unet, {"text": "w8a8"}, "--text w8a8 says the widths of text encoders, and a UNet2DCond"),
        (
            text_parts.unet,
            {"decoder": QUICK},
            f"--decoder {QUICK} says .* of a decoder, and .* comes alone has",
        ),
        (text_parts.unet, {"text": "w3a3"}, "There is no preset .*w3a3"),
        (
            partial(pipeline, vae=None),
            {"decoder": "w8a8"},
            "of a decoder, and a StableDiffusionPipeline like",
        ),
        (pipeline, {"text": "w3a3"}, "There is no preset .*w3a3"),
        (pipeline, {"decoder": "w8a8,rouding=nearest"}, "rouding"),
        (pipeline, {"decoder": "w3a3", "parts": "unet"}, "There is no preset .*w3a3"),
    ],
)
def test_widths_of_a_part_that_is_not_there_and_wrong_ones_are_refused(
    model: Callable[[], Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DgqcError, match=message):
        other_parts(Request(model(), QUICK, **options))


def test_a_model_alone_may_be_told_to_leave_parts_out() -> None:
    assert other_parts(Request(text_parts.unet(), QUICK, text="off")) == OtherParts()


def test_what_has_an_integer_form_is_compiled_where_nobody_says(
    other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found = other_parts(Request(other, QUICK, **HOW))
    assert list(found.asked) == ["decoder"]
    assert "a BertModel, is no text encoder of CLIP." in found.floating["text_encoder"]
    assert "CLIP. It stays float." in caplog.text
    assert list(other_parts(Request(pipeline(), QUICK, **HOW)).asked) == ["text_encoder", "decoder"]


def test_parts_that_stay_float_stand_in_the_report(bundle: Path, tmp_path: Path) -> None:
    program = dgqc.load(bundle)
    program.report = {**program.report, FLOATING: {"text_encoder": "It is a BertModel."}}
    report = bundle_report(program.with_parts({}).save(tmp_path / "some.dgqc", targets=()))
    assert report["floating"] == {"text_encoder": "It is a BertModel."}
    assert ("part text_encoder", "stays float: It is a BertModel.") in list(rows(report))
