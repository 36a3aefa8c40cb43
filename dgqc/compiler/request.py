"""What a compile is asked for. Every option is declared here, once.

`dgqc.compile`, the command line, the manifest and the keys of caches are made from these fields. Another
option is one field here, and the place where it acts.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ir.errors import DgqcError
from ..ir.sample_size import SampleSize, size_text
from .machine_options import MachineOptions
from .model_options import ModelOptions
from .option import LARGEST_SEED, check_fields, option, option_of
from .written import AskedSize, as_json, check_size, check_timesteps, sample_sizes, timestep_list

if TYPE_CHECKING:
    # Needed for types alone: `dgqc --help` does not wait for torch.
    from ..ir.calibration import Calibration
    from ..passes.base import Pass
    from ..passes.manager.instruments import Instrument


MOST_GUIDANCE = 32767
"""What an integer drawing takes; `ir.drawing` says why."""
AUTO, ALL, UNET, OFF = "auto", "all", "unet", "off"
"""Of a pipeline's parts."""


@dataclass(frozen=True)
class Request(MachineOptions, ModelOptions):
    """What to compile, and how."""

    opt: str = field(
        default="w4a6",
        metadata=option(("-O", "--opt"), "Widths and groups: w4a6, w8a8, w4a6g16,edges=8.", metavar="PRESET"),
    )
    _: KW_ONLY
    calibration: Calibration | str | Path | None = field(
        default=None,
        metadata=option(
            "--calib",
            "Samples from `dgqc calibrate`; else the model draws some.",
            kind=Path,
            python="A calibration or its file; None lets the model's pipeline draw everyday captions, or a "
            "model that comes alone denoise noise, which is said in the log and in the report.",
            recorded=False,  # the manifest has its origin
        ),
    )
    steps: int | None = field(
        default=None,
        metadata=option(
            "--steps",
            "UNet calls of the schedule.",
            kind=int,
            least=1,
            python="None takes the calibration's, or 25.",
        ),
    )
    scheduler: object | None = field(
        default=None,
        metadata=option(
            "--scheduler",
            "Who calls the model: a scheduler's file, or its class in diffusers.",
            metavar="FILE|NAME",
            python="Or a scheduler, or its config; None takes the pipeline's own.",
            recorded=False,  # the manifest has the schedule
        ),
    )
    timesteps: tuple[float, ...] | None = field(
        default=None,
        metadata=option(
            "--timesteps",
            "What the model is called at, in order, instead of --steps: 999,749,499,249.",
            metavar="LIST",
            read=timestep_list,
            recorded=False,
        ),
    )
    guidance_scale: float | None = field(
        default=None,
        metadata=option(
            "--guidance-scale",
            "Of pictures that the pipeline draws for calibration.",
            kind=float,
            least=-MOST_GUIDANCE,
            most=MOST_GUIDANCE,
            python="None leaves the pipeline's own.",
        ),
    )
    pictures: str | Path | None = field(
        default=None,
        metadata=option(
            "--pictures",
            "A folder of pictures, for a pipeline that changes pictures.",
            kind=Path,
            metavar="FOLDER",
            python="What its calibration is drawn from.",
        ),
    )
    embeddings: str | Path | None = field(
        default=None,
        metadata=option(
            "--embeddings",
            "A file of prompts' embeddings (or faces'), in the place of a tokenizer.",
            kind=Path,
            metavar="FILE",
            python="A .safetensors by the pipeline's names, prompt_embeds for instance, or its .npy.",
        ),
    )
    strength: float | None = field(
        default=None,
        metadata=option(
            "--strength",
            "How much such a pipeline changes them: below 1 its calls begin late.",
            kind=float,
            python="None leaves the pipeline's own.",
        ),
    )
    pass_pipeline: str | None = field(
        default=None,
        metadata=option("--pass-pipeline", "Passes as text, in the place of -O.", metavar="PASSES"),
    )
    sample_size: AskedSize = field(
        default=None,
        metadata=option(
            "--sample-size",
            "Size of the latents, 64x64; of a video 16x64x64; several with commas.",
            metavar="HxW",
            read=sample_sizes,
            python="Height and width, frames before them, or 1 and a sound's length; None takes the "
            "calibration's, then the model's own. A tuple of them makes one program for all of these, "
            "calibrated at the first, over one set of weights.",
        ),
    )
    context_length: int | None = field(
        default=None,
        metadata=option(
            "--context-length",
            "Tokens of encoder_hidden_states.",
            kind=int,
            least=1,
            python="None takes the calibration's, then the model's own, then 77.",
        ),
    )
    samples: int | None = field(
        default=None,
        metadata=option(
            "--samples",
            "Pictures that are drawn without --calib.",
            kind=int,
            least=1,
            python="None begins with 16 (8 for more than 100 million parameters), and draws more while "
            "ranges still grow.",
        ),
    )
    batch_size: int = field(
        default=4, metadata=option("--batch-size", "Of them at a time.", kind=int, least=1)
    )
    seed: int = field(
        default=0, metadata=option("--seed", "Of random numbers.", kind=int, least=0, most=LARGEST_SEED)
    )
    calib_select: str = field(
        default="all",
        metadata=option(
            "--calib-select",
            "Which samples to use: all, uniform, tdac or tap.",
            metavar="HOW",
            choices=("all", "uniform", "tdac", "tap"),
            python="uniform takes as many of each call; tdac is EDA-DM's choice by density and diversity, "
            "tap Q&C's by clusters of alike samples.",
        ),
    )
    calib_samples: int | None = field(
        default=None,
        metadata=option(
            "--calib-samples",
            "How many samples uniform, tdac and tap choose.",
            kind=int,
            least=1,
            python="None takes one of each trajectory.",
        ),
    )
    headroom: float | None = field(
        default=None,
        metadata=option(
            "--headroom",
            "Ranges so many times as wide as observed, for louder inputs: 1.5.",
            kind=float,
            python="Costs up to 20 log10(headroom) dB of signal to noise; None is 1.",
        ),
    )
    loop: str | None = field(
        default=None,
        metadata=option(
            "--loop",
            "Add the scheduler's loop, in integers too: own, auto, or its name.",
            metavar="SCHEDULER",
            python="For `CompiledProgram.draw`, and as emitted C. A name is refused where another scheduler "
            "calls the model; auto leaves out what can't be, and stands for None where parts are compiled.",
        ),
    )
    parts: str = field(
        default=AUTO,
        metadata=option(
            "--parts",
            "Of a pipeline: auto, with what has an integer form; all, or refused; unet alone.",
            choices=(AUTO, ALL, UNET),
            python="auto takes the text encoders and the decoder that can be integers, and leaves others "
            "float, which is said; all refuses such a pipeline before any work.",
            recorded=False,  # a bundle has what it has
        ),
    )
    text: str | None = field(
        default=None,
        metadata=option("--text", "Text encoders' widths (w8a8), or off.", metavar="PRESET", recorded=False),
    )
    decoder: str | None = field(
        default=None,
        metadata=option(
            "--decoder", "The decoder's widths (w8a8), or off.", metavar="PRESET", recorded=False
        ),
    )
    check: bool = field(
        default=True,
        metadata=option(
            "--check",
            "Run it beside the float model, on samples that did not calibrate.",
            kind=bool,
            python="What is found stands in `CompiledProgram.report['quality']`; below what is expected, the "
            "log warns. Of recorded samples, one picture's are held out for it.",
        ),
    )
    least: float | None = field(
        default=None,
        metadata=option(
            "--least",
            "Decibels to expect; else 20, 15 or 10.",
            kind=float,
            least=0,
            metavar="DB",
            recorded=False,  # the report has what was found
        ),
    )
    repair: bool = field(
        default=False,
        metadata=option(
            "--repair",
            "Change options until that is met, or the budget is spent.",
            kind=bool,
            python="Checks the program, whatever `check` says.",
            recorded=False,  # the options that it arrives at are
        ),
    )
    budget: int = field(
        default=8,
        metadata=option(
            "--budget",
            "Changes that --repair tries, each a compile.",
            kind=int,
            least=1,
            metavar="N",
            recorded=False,
        ),
    )
    output: Path | None = field(
        default=None, metadata=option((), "Where the bundle goes: that disk is looked at.", recorded=False)
    )
    verify_each: bool = field(
        default=True,
        metadata=option("--verify-each", "Verify the graph after every pass.", kind=bool, recorded=False),
    )
    stop_after: str | None = field(
        default=None,
        metadata=option(
            "--stop-after",
            "Print or save the graph after this pass.",
            metavar="PASS",
            python="For `dgqc.compiler.driver.lower`: what is not whole can't be run as a compiled program.",
            recorded=False,  # what isn't whole has no manifest
        ),
    )
    drawn: MutableMapping[Any, Any] = field(
        default_factory=dict,
        metadata=option(
            (), "Latents of pictures that were drawn already, by settings and seed.", recorded=False
        ),
    )
    instruments: Sequence[Instrument] = field(
        default=(), metadata=option((), "Told before and after each pass, as --timing is.", recorded=False)
    )

    def __post_init__(self) -> None:
        check_size(self.sample_size)
        check_timesteps(self.timesteps)
        check_fields(self)
        self.check_device()
        if len(set(self._sizes)) < len(self._sizes):
            raise DgqcError(
                f"The sizes {', '.join(map(size_text, self._sizes))} name one twice; give each once."
            )
        if self.timesteps is not None and self.steps is not None and len(self.timesteps) != self.steps:
            raise DgqcError(
                f"--steps asks for {self.steps} calls, and --timesteps lists {len(self.timesteps)}; give one "
                "of them."
            )

    @property
    def first_size(self) -> SampleSize | None:
        """The size that is calibrated; None where nobody says it."""
        return self._sizes[0] if self._sizes else None

    @property
    def other_sizes(self) -> tuple[SampleSize, ...]:
        """Those that share its weights."""
        return self._sizes[1:]

    @property
    def _sizes(self) -> tuple[SampleSize, ...]:
        asked: Any = self.sample_size
        if asked is None:
            return ()
        return tuple(map(tuple, asked)) if isinstance(asked[0], Sequence) else (tuple(asked),)

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The pipeline that is asked for, read once.

        Raises PipelineError for an unknown preset, pass or option.
        """
        from ..passes.manager.pipeline import parse_pipeline
        from ..passes.manager.presets import pipeline_for
        from .headroom import with_headroom

        text = pipeline_for(self.opt) if self.pass_pipeline is None else self.pass_pipeline
        return with_headroom(parse_pipeline(text), self.headroom)

    def recorded(self) -> dict[str, Any]:
        """The values that a result depends on and JSON can hold, by name: for manifests and cache keys."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if option_of(one).recorded}
        if self.other_sizes:
            values["sample_size"] = [size_text(one) for one in self._sizes]
        return {name: as_json(value) for name, value in values.items()}
