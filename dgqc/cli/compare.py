"""`dgqc compare`: many presets on one model, side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..ir.errors import DgqcError
from ..ir.ranks import agreed, rank
from ..ir.typed import check_type
from . import options
from .build import read_prompts
from .console import as_json, progress, result
from .places import check_folder

if TYPE_CHECKING:
    from ..compare import Workload
    from ..compare.drawing import Decode
    from ..compare.judges import Judge
    from ..compare.row import Row
    from ..compare.run import DrawnColumns
    from ..compare.store import Store
    from ..compare.workload import Amounts

log = logging.getLogger("dgqc")

PRESETS = "naive,q-diffusion,tfmq,eda,dgq,dgq-exact,ours"
BITS = "w8a8,w8a6,w4a8,w4a6"
WILL_DO = (
    "Measuring %d presets on %s: each is compiled, compared at %d steps and draws %d pictures; what was "
    "measured before is kept, and the first one tells how long they take."
)
FILES = "compare.md, .csv, .json, trajectory.csv and plots"
PAGE = "compare.html"


Model = Annotated[
    Path | None,
    typer.Argument(metavar="[MODEL]", help="A pipeline's or UNet's folder; the demo model if left out."),
]
Presets = Annotated[str, typer.Option("--presets", help="Methods, or whole presets such as w4a6g16.")]
Bits = Annotated[str, typer.Option("--bits", help="Widths to take the methods at.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="For presets that take it: iterations=100."),
]
WithSimulated = Annotated[
    bool, typer.Option("--simulated", help="Each integer program's simulation beside it.")
]
Prompts = Annotated[
    Path | None,
    typer.Option("--prompts", help="One a line: the first calibrate, the others are compared on."),
]
OtherPrompts = Annotated[
    Path | None, typer.Option("--other-prompts", help="A second set, drawn and judged beside the first.")
]
Calib = Annotated[
    Path | None, typer.Option("--calib", help="Samples from `dgqc calibrate`, in the place of prompts.")
]
CalibPrompts = Annotated[int, typer.Option("--calib-prompts", min=1, help="To calibrate with.")]
HeldOut = Annotated[int, typer.Option("--held-out", min=1, help="Prompts for signal to noise.")]
PictureCount = Annotated[int, typer.Option("--pictures", min=0, help="To draw and judge, of each set.")]
Unseen = Annotated[bool, typer.Option(help="Whether the demo model also draws pairs of shapes it never saw.")]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Denoising steps.")]
Guidance = Annotated[
    float | None,
    typer.Option("--guidance-scale", help="Else the pipeline's own, or 1.5 for one without a VAE."),
]
JudgeName = Annotated[
    str | None,
    typer.Option("--judge", help="demo, clip, fid (clip, distances, scores), pixels, none, or a package's."),
]
DecoderName = Annotated[
    str | None,
    typer.Option("--decoder", help="Of latents without a VAE: a VAE's folder, or a package's."),
]
Clip = Annotated[Path | None, typer.Option("--clip", help="The folder of CLIP's weights.")]
RealPictures = Annotated[Path | None, typer.Option("--real", help="A folder of real pictures, for fid.")]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="DEVICE", help="What calibrates and rounds; as of dgqc compile."),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Where everything goes and is kept.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compare")(compare)


def compare(
    model: Model = None,
    presets: Presets = PRESETS,
    bits: Bits = BITS,
    setting: Setting = None,
    simulated: WithSimulated = False,
    prompts: Prompts = None,
    other_prompts: OtherPrompts = None,
    calib: Calib = None,
    calib_prompts: CalibPrompts = 16,
    held_out: HeldOut = 4,
    pictures: PictureCount = 16,
    unseen: Unseen = True,
    steps: Steps = 25,
    guidance_scale: Guidance = None,
    judge: JudgeName = None,
    clip: Clip = None,
    real: RealPictures = None,
    decoder: DecoderName = None,
    device: Device = None,
    output: Output = Path("build/compare"),
    json: options.Json = False,
) -> None:
    """Compare presets on one model: noise, pictures, size.

    Started again, it goes on where it stopped.
    """
    from ..compare import candidates
    from ..compare import compare as measure
    from ..compare.output import for_terminal, without_quantization, write
    from ..compare.page import SHOWN
    from ..compare.run import pictures_of
    from ..compare.store import Store
    from ..compare.workload import Amounts
    from ..ir.devices import computing_on, device_name

    check_folder(output)
    wanted = candidates(_names(presets), _names(bits), _settings(setting or []), simulated)
    store = Store(output / "measured")
    amounts = Amounts(calib_prompts, held_out, pictures, steps)
    asked = _Asked(amounts, prompts, other_prompts, unseen, calib, guidance_scale, judge, clip, real, decoder)
    _look(model, asked)
    rows = []
    with computing_on(device) as chosen:
        will_do = partial(log.info, WILL_DO, len(wanted), device_name(chosen), steps, pictures)
        workload = _workload(model, store, asked, will_do)
        with progress():
            for row in measure(wanted, workload, store):
                rows.append(row)
                log.info("%s: done, %d rows so far", row.name, len(rows))
                if not rank():
                    write(output, rows)
        agreed(lambda: _finish(output, rows, workload, partial(pictures_of, wanted, workload, store, SHOWN)))
    if json:
        as_json([row.to_json() for row in rows])
        return
    result(for_terminal(rows))
    for line in (*without_quantization(rows), f"Everything: {output}/{PAGE} to look at, {FILES}."):
        result(line)


def _finish(
    output: Path, rows: Sequence[Row], workload: Workload, pictures: Callable[[], dict[str, DrawnColumns]]
) -> None:
    """The plots and the page."""
    from ..compare.output import without_quantization
    from ..compare.page import as_page
    from ..compare.plots import plot
    from ..ir.storage.whole import write_text

    plot(output, rows)
    with progress():
        shown = pictures()
    write_text(output / PAGE, as_page(rows, shown, [*_about(workload), *without_quantization(rows)]))


def _about(workload: Workload) -> list[str]:
    """What the page says at its top."""
    found = [f"{workload.model.resolve().name}, {workload.steps} steps."]
    for drawing in list(workload.drawings.values())[:1]:
        scale = "the pipeline's own" if drawing.guidance is None else f"{drawing.guidance:g}"
        found.append(f"Pictures: noise of seeds 0 and on, guidance scale {scale}.")
    if workload.judge is not None:
        found.append(f"Judged by {workload.judge.name}.")
    return found


@dataclass(frozen=True)
class _Asked:
    """What the command line says about the workload."""

    sizes: Amounts
    prompts: Path | None
    other_prompts: Path | None
    unseen: bool
    calib: Path | None
    guidance: float | None
    judge: str | None
    clip: Path | None
    real: Path | None
    decoder: str | None


def _look(model: Path | None, asked: _Asked) -> None:
    """Raises DgqcError for what is seen to be wrong before any work."""
    from ..compare.judges import JudgeKind
    from ..compare.own import judge_names

    for place in filter(None, (model, asked.calib, asked.clip, asked.real)):
        if not place.exists():
            raise DgqcError(f"{place} does not exist; check the path.")
    for file in filter(None, (asked.prompts, asked.other_prompts)):
        read_prompts(file)
    names = [*JudgeKind, *judge_names()]
    if asked.judge is not None and asked.judge not in names:
        raise DgqcError(f"There is no judge {asked.judge!r}; choose one of {', '.join(names)}.")
    if asked.guidance is not None:
        check_type("--guidance-scale", asked.guidance, float)


def _workload(model: Path | None, store: Store, asked: _Asked, begins: Callable[[], None]) -> Workload:
    """begins: told once all is checked, before the first work."""
    from ..compare import workload
    from ..compare.drawing import has_latent_pictures
    from ..demo_model import pipeline_dir

    place = model or pipeline_dir()
    if not workload.is_pipeline(place):
        if asked.prompts or asked.other_prompts or asked.judge or asked.clip or asked.real or asked.decoder:
            raise DgqcError(
                f"{place} is no pipeline's folder, so nothing can be drawn with it; leave out prompts and "
                "judges, or give the pipeline."
            )
        return workload.unprompted(place, asked.sizes, asked.calib, begins)
    decoder = _decoder(place, asked)
    if asked.prompts is None:
        if decoder is not None or not has_latent_pictures(place):
            raise DgqcError(f"Comparing {place} needs prompts; give a text file with --prompts, one a line.")
        return workload.demo(
            store,
            asked.sizes,
            _judge(place, asked, ()),
            place,
            unseen=asked.unseen,
            guidance=asked.guidance,
            calibration=asked.calib,
            begins=begins,
        )
    lines = read_prompts(asked.prompts)
    first = 0 if asked.calib else asked.sizes.calibration
    others = {asked.other_prompts.stem: read_prompts(asked.other_prompts)} if asked.other_prompts else {}
    drawn = [prompt for some in (lines[first:], *others.values()) for prompt in some[: asked.sizes.pictures]]
    return workload.prompted(
        place,
        store,
        asked.sizes,
        _judge(place, asked, drawn),
        calibration_prompts=lines[:first],
        prompts=lines[first:],
        others=others,
        guidance=asked.guidance,
        calibration=asked.calib,
        decoder=decoder,
        begins=begins,
    )


def _decoder(place: Path, asked: _Asked) -> tuple[str, Decode] | None:
    from ..compare.drawing import has_latent_pictures
    from ..compare.own import decoder

    if asked.decoder is None:
        return None
    if not has_latent_pictures(place):
        raise DgqcError(f"--decoder is for pipelines without a VAE, and {place} has one; leave it out.")
    return decoder(asked.decoder)


def _judge(place: Path, asked: _Asked, drawn: Sequence[str]) -> Judge | None:
    from ..compare.judges import JudgeKind, choose
    from ..compare.own import own_judge

    if not asked.sizes.pictures:
        return None
    if asked.judge is not None and asked.judge not in list(JudgeKind):
        return own_judge(asked.judge)
    kind = JudgeKind(asked.judge) if asked.judge else None
    return choose(kind, place, asked.clip, asked.real, drawn, decoded=asked.decoder is not None)


def _names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise DgqcError("There is nothing to compare; name presets such as ours,dgq and bits such as w4a6.")
    return found


def _settings(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key or not value:
            raise DgqcError(f"--set {text!r} is written KEY=VALUE, such as iterations=100.")
        found[key] = value
    return found
