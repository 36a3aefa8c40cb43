"""Kinds of files that dgqc reads, each with a whole one, and the door by which it comes in."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel


@dataclass(frozen=True)
class Kind:
    """A kind of input: a folder that is whole, the file in it that is damaged, and the door it comes in by.

    read: returns a text that says what was read. Two files of one meaning give the same.
    renew: makes checksums fit again that stand in other files, as somebody does who means it.
    slow: whether a case takes a large part of a second.
    """

    folder: Path
    file: str
    read: Callable[[Path], str]
    renew: Callable[[], None] = lambda: None
    slow: bool = False

    @property
    def path(self) -> Path:
        return self.folder / self.file


def meaning(*parts: Any) -> str:
    """A hash of tensors, mappings and whatever has a repr."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            found.update(str(part.dtype).encode() + str(tuple(part.shape)).encode())
            found.update(
                part.detach().contiguous().view(torch.uint8).numpy().tobytes() if part.numel() else b""
            )
        elif isinstance(part, Mapping):
            found.update(meaning(*(item for key in sorted(part) for item in (key, part[key]))).encode())
        else:
            found.update(repr(part).encode())
    return found.hexdigest()


def kinds(work: Path) -> dict[str, Kind]:
    """A whole folder of each kind, made from a small model."""
    unet = small_unet()
    return {**_models(work, unet), **_pipelines(work, unet), **_samples(work, unet), **_bundles(work, unet)}


def small_unet(attention: bool = True) -> UNet2DModel:
    """As small as a UNet can be."""
    torch.manual_seed(0)
    kind = "Attn" if attention else ""
    blocks = {"down_block_types": (f"{kind}DownBlock2D",), "up_block_types": (f"{kind}UpBlock2D",)}
    size = {"sample_size": 4, "block_out_channels": (8,), "norm_num_groups": 4, "layers_per_block": 1}
    return UNet2DModel(**size, **blocks, add_attention=False).eval()


def _models(work: Path, unet: UNet2DModel) -> dict[str, Kind]:
    folder, shards, pickles = work / "unet", work / "shards", work / "pickles"
    unet.save_pretrained(folder)
    unet.save_pretrained(shards, max_shard_size="20KB")
    pickles.mkdir()
    unet.save_config(pickles)
    weights = unet.state_dict()
    torch.save(unet, pickles / "module.pt")
    torch.save(weights, pickles / "weights.pt")
    torch.save(
        {"model": weights, "ema": weights, "epoch": 3, "config": dict(unet.config)}, pickles / "both.pt"
    )
    torch.save(weights, pickles / "legacy.pt", _use_new_zipfile_serialization=False)
    arguments = (_sample(unet), torch.tensor([5]))
    torch.export.save(torch.export.export(unet, arguments, strict=False), pickles / "unet.pt2")
    weights_file = "diffusion_pytorch_model.safetensors"
    return {
        "config": Kind(folder, "config.json", lambda path: _read_model(path.parent)),
        "safetensors": Kind(folder, weights_file, lambda path: _read_model(path.parent)),
        "shards": Kind(shards, f"{weights_file}.index.json", lambda path: _read_model(path.parent)),
        "module": Kind(pickles, "module.pt", _read_model),
        "state dict": Kind(pickles, "weights.pt", _read_model),
        "checkpoint": Kind(pickles, "both.pt", _read_model),
        "legacy pickle": Kind(pickles, "legacy.pt", _read_model),
        "archive": Kind(pickles, "unet.pt2", _read_model, slow=True),
    }


def _pipelines(work: Path, unet: UNet2DModel) -> dict[str, Kind]:
    from dgqc.demo_model import pipeline_dir

    folder = Path(shutil.copytree(pipeline_dir(), work / "pipeline"))
    unet.save_config(folder / "unet")
    parts = {
        "pipeline": "model_index.json",
        "scheduler": "scheduler/scheduler_config.json",
        "text encoder": "text_encoder/config.json",
        "tokenizer": "tokenizer/tokenizer_config.json",
    }
    return {name: Kind(folder, file, lambda path: _read_pipeline(folder)) for name, file in parts.items()}


def _samples(work: Path, unet: UNet2DModel) -> dict[str, Kind]:
    from dgqc.frontends import schedule_for, synthesize
    from dgqc.frontends.calibrating.calibration_file import Recording, save_calibration

    scheduler, schedule = schedule_for(None, 3)
    made = synthesize(unet, scheduler, schedule, samples=2)
    recording = Recording(schedule, True, "synthetic", "", (0,), None, made.versions)
    calls = ((s, b, batch) for s in range(3) for b, batch in enumerate(made.read(s)))
    save_calibration(work / "samples.safetensors", recording, calls)
    (work / "prompts.txt").write_text("a red square\na green circle\n")
    return {
        "calibration": Kind(work, "samples.safetensors", _read_calibration),
        "prompts": Kind(work, "prompts.txt", _read_prompts),
    }


def _bundles(work: Path, unet: UNet2DModel) -> dict[str, Kind]:
    from safetensors.torch import save_file

    import dgqc

    bundle, open_bundle, interface = work / "small.dgqc", work / "renewed.dgqc", work / "interface"
    compiled = dgqc.compile(unet, "w4a6", steps=3, samples=2, check=False)
    # What a target emitted isn't read, only hashed.
    compiled.save(bundle, ["reference"])
    compiled.save(work / "with-c.dgqc")
    shutil.copytree(bundle, open_bundle)
    shutil.copytree(work / "with-c.dgqc" / "c", interface)
    save_file({"sample": _sample(unet)}, work / "inputs.safetensors")
    parts = {
        "manifest": "manifest.json",
        "report": "report.json",
        "program": "program/program.json",
        "integers": "program/program.safetensors",
    }
    renewed = {f"{name}, renewed": _renewed(open_bundle, file) for name, file in parts.items()}
    return {
        **{name: Kind(bundle, file, lambda path: _read_bundle(bundle)) for name, file in parts.items()},
        **renewed,
        "inputs": Kind(work, "inputs.safetensors", _inputs_reader(bundle)),
        "interface": Kind(interface, "interface.json", lambda path: _read_interface(path.parent)),
    }


def _renewed(bundle: Path, file: str) -> Kind:
    """A file of a bundle whose hashes are made right again; a program is then verified, too."""
    of_program = file.startswith("program/")

    def read(path: Path) -> str:
        return _read_and_verify(bundle) if of_program else _read_bundle(bundle)

    return Kind(bundle, file, read, lambda: _renew(bundle), of_program)


def _sample(unet: UNet2DModel) -> torch.Tensor:
    size = int(unet.config["sample_size"])
    return torch.randn(1, int(unet.config["in_channels"]), size, size)


def _read_model(path: Path) -> str:
    from dgqc.frontends.loading.load import load_model

    loaded = load_model(path)
    config = {key: value for key, value in loaded.config.items() if not key.startswith("_")}
    return meaning(dict(loaded.model.state_dict()), config, loaded.scheduler, loaded.context_length)


def _read_pipeline(path: Path) -> str:
    from dgqc.frontends.loading.load import config_only
    from dgqc.frontends.schedules import schedule_for

    found = config_only(path)
    shapes = {name: value.shape for name, value in found.model.state_dict().items()}
    return meaning(schedule_for(found.scheduler, 5)[1], found.context_length, shapes)


def _read_calibration(path: Path) -> str:
    from dgqc.frontends.calibrating.calibration_file import load_calibration

    found = load_calibration(path)
    batches = [dict(batch) for step in range(len(found.schedule)) for batch in found.read(step)]
    return meaning(found.schedule, *batches)


def _read_prompts(path: Path) -> str:
    from dgqc.cli.build import read_prompts

    return meaning(read_prompts(path))


def _read_bundle(path: Path) -> str:
    from dgqc.bundle.bundle import read
    from dgqc.report.report import bundle_report
    from dgqc.report.text import as_html, as_table

    report = bundle_report(path)
    as_html(report)
    as_table(report)
    found = read(path)
    tensors = dict(found.program.graph.state_dict())
    return meaning(found.program.schedule, found.provenance, tensors, str(found.program.graph.graph))


def _read_and_verify(path: Path) -> str:
    """Up to what is made of a program before anything is compiled: its C, as text."""
    from tempfile import TemporaryDirectory

    import dgqc
    from dgqc.backends.selection import select_targets
    from dgqc.ir.reading import explained
    from dgqc.ir.verify.verifier import verify

    said = _read_bundle(path)
    program = dgqc.load(path).program
    with explained("The program can't be made ready", "compile the model again"):
        verify(program)
        (target,) = select_targets(["c"])
        with TemporaryDirectory() as folder:
            target.emit(target.lay_out(program, verified=False), Path(folder), _NoEvidence())
    return said


class _NoEvidence:
    vectors = ()
    drawing = None


def _read_interface(path: Path) -> str:
    from dgqc.backends.c.execution.build import read_signature

    return meaning(read_signature(path))


def _inputs_reader(bundle: Path) -> Callable[[Path], str]:
    """Reads a file for `dgqc run --inputs`, up to the integers that go into the program."""
    import dgqc
    from dgqc.execution.boundary import to_integers
    from dgqc.execution.named_inputs import check_inputs
    from dgqc.execution.one_call import _read

    compiled = dgqc.load(bundle)

    def read(path: Path) -> str:
        values = _read(path)
        check_inputs(values, compiled.provenance.inputs)
        return meaning(to_integers(compiled.program, {name: v[:1] for name, v in values.items()}, 0))

    return read


def _renew(bundle: Path) -> None:
    """Every hash of a bundle fits what lies there, as far as its documents can be read at all."""
    program, manifest = bundle / "program" / "program.json", bundle / "manifest.json"
    tensors = (bundle / "program" / "program.safetensors").read_bytes()
    _rewrite(program, lambda document: _resigned_program(document, tensors))
    _rewrite(manifest, lambda document: _resigned_manifest(document, bundle))


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    try:
        document = json.loads(path.read_bytes())
        if isinstance(document, dict):
            path.write_text(json.dumps(change(document)))
    except (ValueError, RecursionError):
        return


def _resigned_program(document: dict[str, Any], tensors: bytes) -> dict[str, Any]:
    signs = {"tensors_sha256": hashlib.sha256(tensors).hexdigest()}
    if "body" in document:
        signs["body_sha256"] = _hash(document["body"])
    return {**document, **signs}


def _resigned_manifest(document: dict[str, Any], bundle: Path) -> dict[str, Any]:
    from dgqc.bundle.manifest import OWN_HASH, list_files

    body = {key: value for key, value in document.items() if key != OWN_HASH}
    known = body.get("files")
    if isinstance(known, dict):
        for name, entry in list_files(bundle).items():
            if name in known and name.startswith(("program/", "report")):
                known[name] = {"sha256": entry.sha256, "size": entry.size}
    return {**body, OWN_HASH: _hash(body)}


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
