"""The published figures, from configurations alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import architectures
import pytest
from torch import nn

from dgqc.frontends.capturing.capture import capture
from dgqc.ir.errors import DgqcError
from dgqc.ir.ops.captured import ProductKind
from dgqc.ir.program import Program
from dgqc.report import report as reporting
from dgqc.report.report import Report, report_on
from dgqc.report.text import rows

PRESETS = {"fp32": 1, "w8a8": 16, "w8a6": 64 / 3, "w4a8": 32, "w4a6": 128 / 3}


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sd")
    architectures.stable_diffusion_1_full().save_config(folder)
    return folder / "config.json"


@pytest.fixture(scope="module")
def stable_diffusion_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdxl")
    architectures.stable_diffusion_xl_full().save_config(folder)
    return folder / "config.json"


@pytest.fixture(scope="module", autouse=True)
def _captured_once() -> Iterator[None]:
    """A report captures the model that it is about; what is asked of one model here shares one capture."""
    known: dict[str, Program] = {}

    def capture_once(model: nn.Module, **options: Any) -> Program:
        key = f"{model.config} {options}"
        if key not in known:
            known[key] = capture(model, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reporting, "capture", capture_once)
        yield


def report(path: Path, opt: str, steps: int = 25) -> Report:
    return report_on(path, opt, steps=steps, sample_size=None, context_length=None)


@pytest.mark.parametrize(
    ("opt", "tera"), [("fp32", 822.6), ("w8a8", 51.4), ("w8a6", 38.6), ("w4a8", 25.7), ("w4a6", 19.3)]
)
def test_bit_operations_of_stable_diffusion(stable_diffusion: Path, opt: str, tera: float) -> None:
    assert report(stable_diffusion, opt)["bops_t"] == pytest.approx(tera, rel=0.005)


def test_float_size_of_stable_diffusion(stable_diffusion: Path) -> None:
    found = report(stable_diffusion, "fp32")
    assert found["float_size_mb"] == pytest.approx(3438, rel=0.005)
    assert found["size_mb"] == found["float_size_mb"]
    assert found["groups"] == found["table_bytes"] == 0


@pytest.mark.parametrize(("opt", "most"), [("w8a8g16", 871), ("w4a8g16", 436)])
def test_integers_of_stable_diffusion_are_no_larger_than_published(
    stable_diffusion: Path, opt: str, most: float
) -> None:
    # Smaller than published: the timestep's network is folded into tables.
    assert 0.95 * most < report(stable_diffusion, opt)["size_mb"] < most


def test_weights_of_stable_diffusion_fill_the_budget_that_they_are_given(stable_diffusion: Path) -> None:
    """831 million beside the timestep's: 208 MB with 2 bits each, 312 with 3; tables and columns on top."""
    found = report(stable_diffusion, "auto,size=310MB")
    assert 310 < found["size_mb"] < 325
    assert report(stable_diffusion, "w3a6")["size_mb"] == pytest.approx(3 / 4 * 430, rel=0.03)
    least = r"200 MB are too few for 831\.2 million weights, which take 207\.8 MB with 2 bits each"
    with pytest.raises(DgqcError, match=least):
        report(stable_diffusion, "auto,size=200MB")


@pytest.mark.slow
def test_stable_diffusion_xl(stable_diffusion_xl: Path) -> None:
    found = report(stable_diffusion_xl, "fp32")
    assert found["float_size_mb"] == pytest.approx(10270, rel=0.005)
    assert found["bops_t"] == pytest.approx(6924, rel=0.005)


def test_kinds_add_up(stable_diffusion: Path) -> None:
    found = report(stable_diffusion, "w4a6")
    assert set(found["macs_by_kind_g"]) == {kind.value for kind in ProductKind}
    assert sum(found["macs_by_kind_g"].values()) == pytest.approx(found["macs_g"])


def test_edges_are_said(stable_diffusion: Path) -> None:
    found = report(stable_diffusion, "w4a6")
    assert found["bops_as_built_t"] > found["bops_t"]
    assert any("first and last convolution stay at 8 bits" in note for note in found["notes"])
    assert "  with edges and attention as built" in dict(rows(found))
    same = report(stable_diffusion, "w8a8")
    assert same["notes"][0] == "BOPs count every product at 8/8 bits, as the paper does; so it is built."
    assert "  with edges and attention as built" not in dict(rows(same))


def test_bundle(saved: Path, model_folder: Path) -> None:
    bundle, estimate = report(saved, "w4a6"), report(model_folder, "w4a6", steps=3)
    keys = {
        "float_size_mb",
        "size_mb",
        "bops_t",
        "macs_g",
        "parameters_m",
        "arena_bytes",
        "table_bytes",
        "groups",
    }
    assert keys <= set(bundle)
    assert keys <= set(estimate)
    assert bundle["arena_bytes"] > 0
    assert bundle["bops_t"] == estimate["bops_t"]
    assert bundle["size_mb"] == pytest.approx(estimate["size_mb"], rel=0.3)
    assert "The schedule is assumed" in bundle["notes"][0]


def test_command(run: Callable[..., tuple[int, str, str]], saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, out, _ = run("report", saved, "--json", "--html", page)
    assert code == 0
    assert json.loads(out)["calls"] == 3
    assert "bit operations" in page.read_text()


def test_options_of_a_compile_are_refused_for_what_is_compiled(
    run: Callable[..., tuple[int, str, str]], saved: Path
) -> None:
    for option in (("-O", "w8a8"), ("--steps", "10"), ("--lora", "a.safetensors"), ("--sample-size", "8x8")):
        name = "--opt" if option[0] == "-O" else option[0]
        code, out, told = run("report", saved, *option)
        assert (code, out) == (2, "")
        assert told.strip().endswith(
            f"is a bundle, which {name} can't change; leave it out, or give the model."
        )


def test_the_map_of_the_arena(run: Callable[..., tuple[int, str, str]], saved: Path) -> None:
    """The largest buffers for people, all of them for programs."""
    _, out, _ = run("report", saved)
    assert {"for all threads", "for each thread", "most in use"} <= {
        line.strip(" │").split("  ")[0] for line in out.splitlines()
    }
    _, out, _ = run("report", saved, "--json")
    memory = json.loads(out)["passes"]["plan-memory"]
    assert (
        memory["arena_bytes"]
        == memory["shared_bytes"] + memory["thread_bytes"]
        == json.loads(out)["arena_bytes"]
    )
    assert memory["peak"]["bytes"] <= memory["shared_bytes"]
    assert max(buffer["offset"] + buffer["bytes"] for buffer in memory["buffers"]) <= memory["shared_bytes"]


def test_what_weights_take_up_is_told(run: Callable[..., tuple[int, str, str]], saved: Path) -> None:
    _, out, _ = run("report", saved)
    assert "multiples in weights" in out
    _, out, _ = run("report", saved, "--json")
    found = json.loads(out)["passes"]["absorb-multiples"]
    assert found["operands"] > 0
    assert 0 <= found["louder-db"] <= 0.5


def test_how_attentions_are_coded_is_told(run: Callable[..., tuple[int, str, str]], saved: Path) -> None:
    _, out, _ = run("report", saved)
    assert "attention probabilities" in out
    _, out, _ = run("report", saved, "--json")
    choice = json.loads(out)["passes"]["choose-probabilities"]
    assert set(choice["chosen"].values()) <= {"log2", "uniform"}
    assert sum(choice["counts"].values()) == len(choice["chosen"]) > 0
