"""From a prompt to a picture: a pipeline's programs, tokenizer and scheduler, all in integers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_parts
import torch
from PIL import Image

import dgqc
from dgqc.backends.c import emission
from dgqc.compiler.surroundings import Surroundings, surroundings_of, with_picture
from dgqc.frontends.parts.text_encoders import ids_of
from dgqc.ir.crossing import pixels
from dgqc.ir.errors import DgqcError
from dgqc.report.quality import decibels

from .test_parts import compiled_whole, pipeline

Run = Callable[..., tuple[int, str, str]]
PROMPT = "a red circle"


@pytest.fixture(scope="module")
def compiled() -> dgqc.CompiledProgram:
    return compiled_whole()


@pytest.fixture(scope="module")
def bundle(compiled: dgqc.CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled.save(tmp_path_factory.mktemp("drawing") / "all.dgqc", targets=())


def test_parts_bring_a_loop_and_a_tokenizer(compiled: dgqc.CompiledProgram) -> None:
    assert compiled.program.loop is not None
    tokenizer = compiled.text_encoder.program.tokenizer
    assert tokenizer is not None
    assert [tokenizer.encode(PROMPT)] == ids_of(text_parts.tokenizer(), [PROMPT]).tolist()


def test_a_picture_is_the_pipeline_s_own(compiled: dgqc.CompiledProgram) -> None:
    """From the same noise, by integers all the way and by the float pipeline."""
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-4, 4)
    found = compiled.draw(PROMPT, noise=noise, guidance_scale=2.0, backend="reference")
    with torch.no_grad():
        wanted = pipeline()(PROMPT, num_inference_steps=2, latents=noise, guidance_scale=2.0).images[0]
    assert found.size == wanted.size
    a, b = (torch.tensor(np.asarray(one)).double() for one in (wanted, found))
    assert decibels(a - 127.5, b - 127.5) > 15
    other = compiled.draw("blue", noise=noise, guidance_scale=2.0, backend="reference")
    assert np.asarray(other).tolist() != np.asarray(found).tolist()


def test_a_saved_bundle_draws_the_same(
    compiled: dgqc.CompiledProgram, bundle: Path, tmp_path: Path, run: Run
) -> None:
    wanted = np.asarray(compiled.draw(PROMPT, 3, negative="blue", guidance_scale=3.0, backend="reference"))
    file = tmp_path / "not yet" / "there" / "picture.png"
    given = ("--negative", "blue", "--guidance", 3.0, "--seed", 3, "--backend", "reference", "-o", file)
    code, out, error = run("draw", bundle, PROMPT, *given)
    assert (code, out.strip()) == (0, f"{file}: 8 x 8, seed 3"), error
    assert np.array_equal(np.asarray(Image.open(file)), wanted)
    ids = ids_of(text_parts.tokenizer(), [PROMPT])[0].tolist()
    by_ids = compiled.draw(ids, 3, negative="blue", guidance_scale=3.0, backend="reference")
    assert np.array_equal(np.asarray(by_ids), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["c", "c{weights=stream}"])
def test_c_draws_the_same_picture(target: str, compiled: dgqc.CompiledProgram, tmp_path: Path) -> None:
    """The joined project's own program, from words to bytes."""
    project = compiled.save(tmp_path / "all.dgqc", targets=(target,)) / "parts" / "c"
    flags = [
        "-std=c99",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
        "-fno-sanitize-recover",
    ]
    files = [*sorted(project.glob("src/*.c")), project / "draw.c", *project.glob("*_weights.c")]
    places = [f"-I{project / 'include'}", f"-I{project / 'src'}"]
    subprocess.run(["gcc", *flags, *places, "-o", tmp_path / "draw", *files], check=True)
    for negative, guidance in (("", 7.5), ("blue", 2.25), ("", 1)):
        picture = tmp_path / "picture.ppm"
        asked = [PROMPT, "--seed", "3", "--guidance", str(guidance), "--negative", negative, "-o", picture]
        subprocess.run([tmp_path / "draw", *asked], check=True, cwd=project, capture_output=True)
        given: dict[str, Any] = {"negative": negative, "guidance_scale": guidance}
        wanted = compiled.draw(PROMPT, 3, backend="reference", **given)
        assert np.array_equal(np.asarray(Image.open(picture)), np.asarray(wanted))


def test_latents_are_no_pixels_whatever_their_channels(compiled: dgqc.CompiledProgram) -> None:
    """With an autoencoder around, no bundle without its decoder draws; without one, squares of pixels do."""
    around = surroundings_of(pipeline(), None, None)
    assert around.decodes
    sample = replace(compiled.program.inputs[0], shape=(1, 12, 8, 8))
    twelve = replace(compiled.program, inputs=(sample, *compiled.program.inputs[1:]))
    for known, block in ((around, None), (Surroundings(False), 2)):
        found = with_picture(twelve, known, ()).picture
        assert found is not None
        assert found.block == block
    assert with_picture(twelve, None, ()).picture is compiled.program.picture


@pytest.mark.parametrize(("asked", "scale"), [(None, 7.5), (3.0, 3.0), (1.0, 1.0), (0.0, 1.0)])
def test_guidance_is_what_was_asked_for_or_the_pipeline_s_own(asked: float | None, scale: float) -> None:
    assert surroundings_of(pipeline(), None, asked).guidance == scale


def test_a_model_that_is_told_the_scale_is_called_once_a_step() -> None:
    told = pipeline()
    told.unet.register_to_config(time_cond_proj_dim=8)
    assert surroundings_of(told, None, None).guidance == 1


def test_what_was_compiled_without_guidance_is_drawn_without(
    compiled: dgqc.CompiledProgram, tmp_path: Path
) -> None:
    facts = compiled.program.picture
    assert facts is not None
    assert facts.guidance == 7.5
    program = replace(compiled.program, picture=replace(facts, guidance=1.0))
    alone = dgqc.CompiledProgram(program, compiled.provenance, compiled.report)
    alone = alone.with_parts({name: compiled.part(name) for name in compiled.parts})
    found, wanted, other = (
        np.asarray(one.draw(PROMPT, 3, backend="reference", **given))
        for one, given in ((alone, {}), (compiled, {"guidance_scale": 1.0}), (compiled, {}))
    )
    assert np.array_equal(found, wanted)
    assert not np.array_equal(found, other)
    bundle = alone.save(tmp_path / "alone.dgqc", targets=("c",))
    assert dgqc.load(bundle).program.picture == program.picture
    assert "65536, 0};" in (bundle / "parts" / "c" / "draw.c").read_text()


def test_squares_of_pixels() -> None:
    codes = torch.arange(-24, 24, dtype=torch.int16).reshape(1, 12, 2, 2) * 5
    found = pixels(2.0**-7, 2)(codes)
    wanted = torch.nn.functional.pixel_shuffle(codes.double(), 2)[0].permute(1, 2, 0) / 128
    assert found.shape == (4, 4, 3)
    assert torch.equal(found.double(), ((wanted + 1) * 127.5).round().clamp(0, 255))


def test_c_lays_squares_of_pixels_the_same_way(tmp_path: Path) -> None:
    codes = torch.arange(-24, 24, dtype=torch.int16).reshape(1, 12, 2, 2) * 5
    given = pixels(2.0**-7, 2)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "dgqc_crossing.h"\nint main(void) {\n'
        f"int16_t x[] = {{{', '.join(map(str, codes.flatten().tolist()))}}}; uint8_t y[48];\n"
        f"dgqc_picture p = {{3, 2, 2, 2, {given.factor}}};\n"
        "dgqc_pixels(&p, x, y); fwrite(y, 1, sizeof y, stdout); return 0; }\n"
    )
    runtime = Path(emission.__file__).parents[1] / "runtime"
    sources = [tmp_path / "main.c", runtime / "dgqc_crossing.c"]
    subprocess.run(["cc", "-std=c99", f"-I{runtime}", "-o", tmp_path / "main", *sources], check=True)
    shown = subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout
    assert list(shown) == given(codes).flatten().tolist()


def test_progress_is_told(compiled: dgqc.CompiledProgram) -> None:
    told: list[tuple[int, int]] = []
    compiled.draw(PROMPT, backend="reference", progress=lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]


def test_what_is_missing_is_named(compiled: dgqc.CompiledProgram, tmp_path: Path, run: Run) -> None:
    with pytest.raises(DgqcError, match="has no text encoder; compile its pipeline with --parts all"):
        compiled.with_parts({}).draw(PROMPT)
    encoder = {"text_encoder": compiled.text_encoder}
    with pytest.raises(DgqcError, match="has no decoder for its latents"):
        compiled.with_parts(encoder).draw(PROMPT)
    with pytest.raises(DgqcError, match="ids of tokens, but here are 2"):
        compiled.draw([1, 2])
