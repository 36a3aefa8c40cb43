"""Bundles in diffusers' own from_pretrained, and everything that a pipeline does with its UNet."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import accelerate
import pytest
import text_parts
import torch
from diffusers import (
    ControlNetModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from diffusers.pipelines import pipeline_utils
from diffusers.quantizers import PipelineQuantizationConfig, auto

import dgqc
from dgqc.drop_in.quantizer import refuse_others
from dgqc.drop_in.registration import register_quantizer
from dgqc.execution.diffusers_adapter import CompiledAdapter
from dgqc.execution.diffusers_controlnet import CompiledControlNet
from dgqc.execution.diffusers_unet import CompiledUNet
from dgqc.ir.errors import DgqcError

from .conftest import STEPS


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


PROMPT = " ".join(text_parts.WORDS[:2])


def whole() -> StableDiffusionPipeline:
    """The float pipeline, around the smallest parts."""
    found = StableDiffusionPipeline(
        vae=None,
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=text_parts.unet(),
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    found.set_progress_bar_config(disable=True)
    return found


def draw(pipeline: Any, steps: int = STEPS, seeds: tuple[int, ...] = (0,), **options: Any) -> torch.Tensor:
    """Latents of a picture for each seed."""
    drawn: torch.Tensor = pipeline(
        PROMPT,
        num_inference_steps=steps,
        num_images_per_prompt=len(seeds),
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        output_type="latent",
        **options,
    ).images
    return drawn


def loaded(folder: Path, **options: Any) -> StableDiffusionPipeline:
    missing = dict.fromkeys(("vae", "safety_checker", "feature_extractor", "image_encoder"))
    found: StableDiffusionPipeline = StableDiffusionPipeline.from_pretrained(
        folder, requires_safety_checker=False, **missing, **options
    )
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusionPipeline:
    """A float pipeline whose UNet is compiled while diffusers loads it."""
    place = tmp_path_factory.mktemp("pipelines") / "float"
    whole().save_pretrained(place)
    how = dgqc.DgqcConfig("w8a8", steps=STEPS, samples=1, context_length=text_parts.TOKENS, check=False)
    return loaded(place, quantization_config=PipelineQuantizationConfig(quant_mapping={"unet": how}))


@pytest.fixture(scope="module")
def folder(first: StableDiffusionPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That pipeline as it is saved."""
    found = tmp_path_factory.mktemp("pipelines") / "compiled"
    first.save_pretrained(found)
    return found


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    return folder / "unet"


@pytest.fixture
def pipeline(folder: Path) -> StableDiffusionPipeline:
    return loaded(folder)


@pytest.fixture(scope="module")
def wanted(first: StableDiffusionPipeline) -> torch.Tensor:
    """What the program draws where it is put into a pipeline by hand."""
    by_hand = whole()
    by_hand.unet = first.unet.program.as_diffusers_unet(by_hand.unet)
    return draw(by_hand)


FRESH = """
import sys
import dgqc
assert "torch" not in sys.modules
from diffusers import UNet2DConditionModel
print(UNet2DConditionModel.from_pretrained(sys.argv[1]))
"""


def test_one_import_is_enough_in_a_fresh_process(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(bundle)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "CompiledUNet(a UNet2DConditionModel as a program of integers, 3 calls)" in done.stdout


def test_diffusers_may_be_imported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**auto.AUTO_QUANTIZER_MAPPING}
    del known["dgqc"]
    monkeypatch.setattr(auto, "AUTO_QUANTIZER_MAPPING", known)
    register_quantizer()
    assert "dgqc" in known


def test_a_pipeline_with_a_bundle_draws_as_the_drop_in(
    pipeline: StableDiffusionPipeline, wanted: torch.Tensor
) -> None:
    assert isinstance(pipeline.unet, CompiledUNet)
    assert sum(one.numel() for one in pipeline.unet.parameters()) == 0
    assert pipeline.unet.config.in_channels == 4
    assert torch.equal(draw(pipeline), wanted)


def test_what_was_compiled_while_loading_is_saved_as_a_bundle(
    first: StableDiffusionPipeline, folder: Path, wanted: torch.Tensor, tmp_path: Path
) -> None:
    assert isinstance(first.unet, CompiledUNet)
    assert first.unet.program.provenance.opt == "w8a8"
    assert torch.equal(draw(first), wanted)
    index = json.loads((folder / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    config = json.loads((folder / "unet" / "config.json").read_text())
    assert config["quantization_config"] == {"quant_method": "dgqc", "opt": "w8a8"}
    loaded(folder).save_pretrained(tmp_path / "again")
    one, other = files_of(folder / "unet"), files_of(tmp_path / "again" / "unet")
    assert [name for name in one if one[name] != other.get(name)] == []


def test_without_the_original(bundle: Path, wanted: torch.Tensor) -> None:
    by_hand = whole()
    original, by_hand.unet = by_hand.unet, dgqc.load(bundle).as_diffusers_unet()
    assert by_hand.unet.config.cross_attention_dim == original.config.cross_attention_dim
    assert torch.equal(draw(by_hand), wanted)


def test_it_passes_for_the_originals_class(
    folder: Path, pipeline: StableDiffusionPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Diffusers warns of components of other types."""
    assert isinstance(pipeline.unet, UNet2DConditionModel)
    with caplog.at_level("WARNING", logger="diffusers"):
        loaded(folder)
    assert "Expected types" not in caplog.text
    missing = dict.fromkeys(("vae", "safety_checker", "image_encoder", "feature_extractor"))
    other = StableDiffusionImg2ImgPipeline.from_pipe(
        pipeline, unet=pipeline.unet, requires_safety_checker=False, **missing
    )
    assert other.unet is pipeline.unet


def test_uploading_takes_the_bundle(
    pipeline: StableDiffusionPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(CompiledUNet, "push_to_hub", lambda _, name, **how: asked.append((name, how)))
    pipeline.unet.save_pretrained(tmp_path / "one")
    pipeline.unet.save_pretrained(tmp_path / "two", push_to_hub=True, private=True, variant="fp16")
    pipeline.unet.save_pretrained(tmp_path / "two", push_to_hub=True, repo_id="me/mine")
    assert asked == [("two", {"private": True}), ("me/mine", {})]


def test_types_and_devices(pipeline: StableDiffusionPipeline, wanted: torch.Tensor, folder: Path) -> None:
    unet = pipeline.to(torch.float64).unet
    assert unet.dtype == torch.float64
    assert draw(pipeline).dtype == torch.float64
    assert unet.half().dtype == torch.float16
    assert unet.to("cpu", torch.float32).dtype == torch.float32
    assert torch.equal(draw(pipeline.to("cpu", torch.float32)), wanted)
    with pytest.raises(DgqcError, match=r"torch\.int8 is none"):
        unet.to(torch.int8)
    with pytest.raises(DgqcError, match="leave it on the CPU"):
        unet.to("meta")
    assert loaded(folder, torch_dtype=torch.bfloat16).unet.dtype == torch.bfloat16


@pytest.mark.parametrize("how", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies(pipeline: StableDiffusionPipeline, wanted: torch.Tensor, how: Any) -> None:
    pipeline.unet = how(pipeline.unet)
    assert isinstance(pipeline.unet, CompiledUNet)
    assert torch.equal(draw(pipeline), wanted)


def test_torch_compile_leaves_it_as_it_is(pipeline: StableDiffusionPipeline, wanted: torch.Tensor) -> None:
    pipeline.unet, unet = torch.compile(pipeline.unet, backend="eager", fullgraph=True), pipeline.unet
    with pytest.raises(RuntimeError, match="a compiled UNet runs as a program already"):
        draw(pipeline)
    torch.compiler.reset()
    pipeline.unet = torch.compile(unet, backend="eager")
    assert torch.equal(draw(pipeline), wanted)


def test_offloading_the_whole_model(pipeline: StableDiffusionPipeline, wanted: torch.Tensor) -> None:
    pipeline.enable_model_cpu_offload(device="cpu")
    assert torch.equal(draw(pipeline), wanted)
    pipeline.remove_all_hooks()
    pipeline.unet, hook = accelerate.cpu_offload_with_hook(pipeline.unet, "cpu")
    assert torch.equal(draw(pipeline), wanted)
    hook.offload()
    assert torch.equal(draw(pipeline), wanted)


def test_offloading_layer_by_layer(pipeline: StableDiffusionPipeline, wanted: torch.Tensor) -> None:
    pipeline.unet = accelerate.cpu_offload(pipeline.unet, "cpu", offload_buffers=True)
    assert torch.equal(draw(pipeline), wanted)


def test_switches_of_attention_change_nothing(
    pipeline: StableDiffusionPipeline, wanted: torch.Tensor
) -> None:
    pipeline.enable_attention_slicing()
    pipeline.enable_xformers_memory_efficient_attention()
    pipeline.unet.set_attention_backend("native")
    assert torch.equal(draw(pipeline), wanted)
    pipeline.disable_attention_slicing()
    pipeline.disable_xformers_memory_efficient_attention()


def test_several_pictures_and_callbacks(pipeline: StableDiffusionPipeline) -> None:
    seen: list[int] = []

    def look(_: Any, step: int, timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        seen.append(step)
        return state

    both = draw(pipeline, seeds=(3, 4), callback_on_step_end=look)
    assert seen == list(range(STEPS))
    assert torch.equal(both, torch.cat([draw(pipeline, seeds=(seed,)) for seed in (3, 4)]))


def test_schedulers_swapped(pipeline: StableDiffusionPipeline, wanted: torch.Tensor) -> None:
    same, other = pipeline.scheduler, EulerDiscreteScheduler(timestep_spacing="trailing")
    pipeline.scheduler = other
    with pytest.raises(DgqcError, match="not in the schedule"):
        draw(pipeline, steps=STEPS + 2)
    pipeline.scheduler = DDIMScheduler.from_config(same.config)
    assert torch.equal(draw(pipeline), wanted)


def test_threads_draw_by_themselves(folder: Path, wanted: torch.Tensor) -> None:
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    found: list[torch.Tensor] = []

    def one(own: StableDiffusionPipeline) -> None:
        own.unet = unet
        found.append(draw(own))

    threads = [threading.Thread(target=one, args=[whole()]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(picture, wanted) for picture in found)
    assert len(found) == 2


def test_what_needs_layers_is_refused(pipeline: StableDiffusionPipeline) -> None:
    with pytest.raises(DgqcError, match="has no enable_freeu, for its layers are integers"):
        pipeline.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    with pytest.raises(DgqcError, match="has no fuse_qkv_projections"):
        pipeline.fuse_qkv_projections()
    with pytest.raises(DgqcError, match="no float weights to go back to"):
        pipeline.unet.dequantize()
    with pytest.raises(DgqcError, match="has no load_attn_procs"):
        pipeline.unet.load_attn_procs({})
    for name in ("compile_repeated_blocks", "enable_gradient_checkpointing", "unload_lora"):
        with pytest.raises(DgqcError, match=f"has no {name}, for its layers are integers"):
            getattr(pipeline.unet, name)
    assert not hasattr(pipeline.unet, "set_attn_processor")


@pytest.mark.parametrize(
    ("float_kind", "kind", "door"),
    [
        (ControlNetModel, CompiledControlNet, "as_diffusers_controlnet"),
        (T2IAdapter, CompiledAdapter, "as_diffusers_adapter"),
    ],
)
def test_what_is_no_unet_has_doors_of_its_own(float_kind: Any, kind: Any, door: str, tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match=rf"dgqc\.load\(DIR\)\.{door}\(original\)"):
        refuse_others(float_kind.__new__(float_kind))
    with pytest.raises(DgqcError, match=r"by its own program\.save"):
        kind.__new__(kind).save_pretrained(tmp_path)


def test_a_bundle_is_not_compiled_again(folder: Path, tmp_path: Path, run: Any) -> None:
    for model in (folder, folder / "unet"):
        code, _, told = run("compile", model, "-o", tmp_path / "out.dgqc")
        assert code == 2
        assert "is compiled already" in told
    with pytest.raises(DgqcError, match="compiled already"):
        dgqc.compile(loaded(folder))


def test_a_variant_is_that_of_the_other_parts(folder: Path, tmp_path: Path, wanted: torch.Tensor) -> None:
    """A bundle has none, and folders whose names have no dot."""
    loaded(folder).save_pretrained(tmp_path / "half", variant="fp16")
    assert (tmp_path / "half" / "text_encoder" / "model.fp16.safetensors").is_file()
    assert torch.equal(draw(loaded(tmp_path / "half", variant="fp16")), wanted)
    register_quantizer()
    assert not hasattr(pipeline_utils._identify_model_variants.__wrapped__, "__wrapped__")


def test_how_to_compile_is_looked_at_before_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text_parts.unet().save_pretrained(tmp_path)
    monkeypatch.setattr(UNet2DConditionModel, "_load_pretrained_model", None)
    for options, message in (
        ({"opt": "w9z9"}, "There is no preset 'w9z9'"),
        ({"stepz": 3}, "unexpected keyword argument 'stepz'"),
        ({"steps": "x"}, "steps is 'x', but a whole number is needed"),
    ):
        with pytest.raises(DgqcError, match=message):
            UNet2DConditionModel.from_pretrained(tmp_path, quantization_config=dgqc.DgqcConfig(**options))


def test_a_config_is_json_whatever_says_its_paths() -> None:
    how = dgqc.DgqcConfig("w4a6", calibration=Path("a/b"), lora=[Path("c"), "d"])
    wanted = {"quant_method": "dgqc", "opt": "w4a6", "calibration": str(Path("a/b")), "lora": ["c", "d"]}
    assert json.loads(how.to_json_string(use_diff=False)) == wanted
    assert how.from_dict(how.to_dict()).to_dict() == wanted


def test_mistakes_are_sentences(bundle: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        shutil.copy(bundle / name, alone)
    with pytest.raises(DgqcError, match=r"has no manifest\.json; give a folder that"):
        UNet2DConditionModel.from_pretrained(alone)
    with pytest.raises(DgqcError, match="spreads a model over devices"):
        UNet2DConditionModel.from_pretrained(bundle, device_map="auto")
    other = tmp_path / "other"
    text_parts.unet().save_pretrained(other)
    unet = UNet2DConditionModel.from_pretrained(bundle)
    with pytest.raises(DgqcError, match="is not a dgqc bundle, so it is left alone"):
        unet.save_pretrained(other)
