"""What programs are compared on: a model, recorded UNet calls, prompts to draw, a judge of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from ..compiler.callers import caller_of
from ..compiler.prepare import Start, begin, known_of
from ..compiler.request import Request
from ..compiler.samples import shown
from ..demo_model import pipeline_dir
from ..demo_model import prompts as demo_prompts
from ..demo_model.evaluate import GUIDANCE, evaluation_scenes
from ..frontends.calibrating.calibrate import calibrate
from ..frontends.calibrating.calibration_file import load_calibration
from ..frontends.loading.pipelines import load_pipeline, unknown_words
from ..ir.calibration import Calibration
from ..ir.devices import device_here, kinds
from ..ir.errors import DgqcError
from ..ir.ranks import agreed
from .drawing import Decode, PictureSeries, has_latent_pictures
from .judges import Judge
from .observing import Observed
from .store import Store, digest, files_digest
from .trajectory import Reference, references

HELD_OUT_SEED = 70_000
"""Far from the seeds of calibration and of pictures."""
BATCH = 8


def tell_nobody() -> None:
    """Where nobody waits for the work to begin."""


@dataclass(frozen=True)
class Amounts:
    """How much is measured. calibration, held_out, pictures (of each set): prompts. steps: of denoising."""

    calibration: int = 16
    held_out: int = 4
    pictures: int = 16
    steps: int = 25


@dataclass(frozen=True)
class Workload:
    """Everything but the candidates.

    calibration: what ranges come from. held_out: calls of the float model, for signal to noise.
    drawings: what pictures are made of, by the name of the set of prompts; the first one's is empty, and
    there are none where nothing is drawn. judge: what pictures are worth.
    identity: the hash of the model, the calibration and the schedule. held_out_identity: of the held-out
    calls.
    """

    model: Path
    steps: int
    calibration: Calibration
    held_out: Calibration
    drawings: Mapping[str, PictureSeries]
    judge: Judge | None
    identity: str
    held_out_identity: str

    @cached_property
    def unet(self) -> nn.Module:
        """The float model."""
        return known_of(Request(self.model)).model

    @cached_property
    def references(self) -> list[Reference]:
        """The float model's answers."""
        return references(self.unet, self.held_out)

    @cached_property
    def start(self) -> Start:
        """The captured model, which all candidates begin with a copy of."""
        return begin(self.request_for(""))

    def request_for(self, passes: str) -> Request:
        """What is asked of the compiler for a candidate's passes."""
        return Request(self.model, calibration=self.calibration, pass_pipeline=passes)

    @cached_property
    def observed(self) -> Observed:
        """Ranges that candidates have seen, for those after them."""
        return {}


def is_pipeline(model: Path) -> bool:
    """Whether a model can be prompted."""
    return (model / "model_index.json").is_file()


def prompted(
    model: Path,
    store: Store,
    sizes: Amounts,
    judge: Judge | None,
    *,
    calibration_prompts: Sequence[str],
    prompts: Sequence[str],
    others: Mapping[str, Sequence[str]] | None = None,
    guidance: float | None = None,
    calibration: Path | None = None,
    decoder: tuple[str, Decode] | None = None,
    begins: Callable[[], None] = tell_nobody,
) -> Workload:
    """A pipeline on prompts: the i-th is drawn from noise with seed i.

    others: more sets of prompts to draw, by name. calibration: recorded samples instead of
    `calibration_prompts`. guidance: None takes the demo model's 1.5 for a pipeline whose latents are
    pictures, the pipeline's own otherwise. decoder: of latents where the pipeline has no VAE, and its name.
    begins: told once all this is checked, before the first work.
    Raises DgqcError where there are too few prompts, or the judge can't read one.
    """
    sets = {"": prompts, **(others or {})}
    _check_numbers(sizes, sets, None if calibration else len(calibration_prompts))
    given = None if calibration is None else load_calibration(calibration)
    if judge is not None:
        judge.check([prompt for some in sets.values() for prompt in some[: sizes.pictures]])
    begins()
    if guidance is None and has_latent_pictures(model):
        guidance = GUIDANCE
    own = files_digest(model)

    def recorded(some: Sequence[str], seed: int) -> tuple[Calibration, str]:
        key = digest("recording", own, list(some), sizes.steps, seed, guidance, *kinds(device_here()))
        file = store.folder / f"{key}.safetensors"
        if not agreed(file.is_file):
            store.folder.mkdir(parents=True, exist_ok=True)
            tell = shown("recording UNet calls")
            calibrate(model, some, sizes.steps, file, seed, BATCH, guidance, tell)
        return load_calibration(file), key

    if given is None or calibration is None:
        samples, samples_key = recorded(calibration_prompts[: sizes.calibration], 0)
    else:
        samples, samples_key = given, files_digest(calibration)
    held_out, held_out_key = recorded(prompts[: sizes.held_out], HELD_OUT_SEED)
    drawings = {
        name: PictureSeries(model, tuple(some[: sizes.pictures]), 0, sizes.steps, guidance, decoder)
        for name, some in sets.items()
    }
    return Workload(
        model=model,
        steps=sizes.steps,
        calibration=samples,
        held_out=held_out,
        drawings=drawings if sizes.pictures else {},
        judge=judge,
        identity=digest(own, samples_key),
        held_out_identity=held_out_key,
    )


def _check_numbers(
    sizes: Amounts, sets: Mapping[str, Sequence[str]], calibration_prompts: int | None
) -> None:
    """Raises DgqcError where there are fewer prompts than asked for.

    sets: by name, "" those to compare on. calibration_prompts: None where samples are recorded already.
    """
    needed, prompts = max(sizes.held_out, sizes.pictures), len(sets[""])
    if prompts < needed or (calibration_prompts is not None and calibration_prompts < sizes.calibration):
        wanted, given = (0, 0) if calibration_prompts is None else (sizes.calibration, calibration_prompts)
        raise DgqcError(
            f"{wanted} prompts are needed to calibrate with and {needed} others to compare on, "
            f"but there are {given} and {prompts}; give more, or ask for less."
        )
    for name, some in sets.items():
        if len(some) < sizes.pictures:
            raise DgqcError(
                f"{sizes.pictures} pictures are asked for of each set, but {name!r} has {len(some)} prompts; "
                "give more, or ask for less."
            )


def demo(
    store: Store,
    sizes: Amounts,
    judge: Judge | None,
    model: Path | None = None,
    *,
    unseen: bool = False,
    guidance: float | None = None,
    calibration: Path | None = None,
    begins: Callable[[], None] = tell_nobody,
) -> Workload:
    """The demo model, or another one with its grammar: calibrated on its prompts, compared on fresh scenes.

    unseen: also draws scenes whose pairs of shapes training never showed. begins: as for `prompted`.
    Raises DgqcError where the model has other words than the grammar.
    """
    place = model or pipeline_dir()
    if unknown := unknown_words(load_pipeline(place).tokenizer, demo_prompts()):
        raise DgqcError(
            f"Comparing {place} needs prompts in its own words ({unknown[0]!r} is none of them); give a text "
            "file with --prompts, one a line."
        )

    def captions(some: bool) -> list[str]:
        count = max(sizes.held_out, sizes.pictures)
        return [scene.caption() for scene in evaluation_scenes(count, some)]

    return prompted(
        place,
        store,
        sizes,
        judge,
        calibration_prompts=demo_prompts(),
        prompts=captions(False),
        others={"unseen": captions(True)} if unseen else {},
        guidance=guidance,
        calibration=calibration,
        begins=begins,
    )


def unprompted(
    model: Path,
    sizes: Amounts,
    calibration: Path | None = None,
    begins: Callable[[], None] = tell_nobody,
) -> Workload:
    """A UNet without a pipeline around it: compared on noise that the model itself denoises.

    begins: as for `prompted`.
    """
    if calibration is not None:
        samples = load_calibration(calibration)
        begins()
        return Workload(
            model, len(samples.schedule), samples, samples, {}, None, files_digest(model),
            files_digest(calibration),
        )  # fmt: skip

    known = known_of(Request(model))
    caller = caller_of(Request(model, steps=sizes.steps), known, None)
    begins()

    def made(count: int, seed: int) -> Calibration:
        return caller.samples(known.model, count, BATCH, seed)

    about: list[Any] = ["drawn", caller.schedule.to_json(), caller.drawings is None, files_digest(model)]
    about += kinds(device_here())
    return Workload(
        model=model,
        steps=sizes.steps,
        calibration=made(sizes.calibration, 0),
        held_out=made(sizes.held_out, HELD_OUT_SEED),
        drawings={},
        judge=None,
        identity=digest(*about, sizes.calibration),
        held_out_identity=digest(*about, sizes.held_out, HELD_OUT_SEED),
    )
