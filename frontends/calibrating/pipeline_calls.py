"""Pictures asked of a pipeline, whatever its kind, and the UNet calls that they make."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.reading import explained
from ...ir.sample_size import SampleSize, size_of
from ..loading.model_inputs import model_config, model_inputs
from ..loading.pipelines import quietly
from ..loading.sample_sizes import own_frames, own_size
from ..schedules import check_steps, check_timesteps
from .boxes import boxes_of
from .embeddings import FACES, NEGATIVE, PROMPTS, Embeddings, arguments_of
from .pictures import Picture
from .pipeline_parts import networks_of, reads_gray
from .recorder import recording
from .shown_pictures import is_shown_pictures, shown

INSTEAD = "record its calls with your own code in dgqc.recording(pipe.unet), and give them with --calib"
"""Of a pipeline's own loop."""
PICTURES = "np"
"""What a pipeline without latents returns; "latent" where it would decode them."""
ENLARGED: Mapping[str, int] = {"StableDiffusionLatentUpscalePipeline": 2}
"""How much larger latents are than those of the picture that is given, by the pipeline's class."""


@dataclass(frozen=True)
class Asked:
    """One picture. prompt, label, given: None where the pipeline takes none. seed: of its noise.

    given: the picture that is changed. embeddings: by the pipeline's name for each, of this picture.
    """

    seed: int
    prompt: str | None = None
    label: int | None = None
    given: Picture | None = None
    embeddings: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What all pictures have in common.

    steps: the pipeline's `num_inference_steps`. timesteps: in the place of its scheduler's own.
    guidance_scale: None leaves the pipeline's own. size: of the latents, as `model_inputs` takes it; None
        likewise.
    strength: how much of a given picture is noise at first, so how late the calls begin; None likewise.
    """

    steps: int
    timesteps: tuple[float, ...] | None = None
    guidance_scale: float | None = None
    size: SampleSize | None = None
    strength: float | None = None

    def __post_init__(self) -> None:
        check_steps(self.steps)
        if self.strength is not None and not 0 < self.strength <= 1:
            raise DgqcError(f"The strength is {self.strength:g}, but it is above 0 and at most 1.")
        if self.timesteps is not None:
            check_timesteps(self.timesteps)


class UnfitPipeline(DgqcError):
    """A pipeline that can't call its UNet as that must be called: an unconditional one around classes."""


def takes(pipeline: Any, name: str) -> bool:
    """Whether the pipeline can be called with it."""
    return name in inspect.signature(pipeline.__call__).parameters


def own_guidance(pipeline: Any) -> float | None:
    """The guidance scale that a pipeline, or a class of them, has where none is given."""
    taken = inspect.signature(pipeline.__call__).parameters.get("guidance_scale")
    return float(taken.default) if taken is not None and isinstance(taken.default, int | float) else None


def guides(pipeline: Any, settings: Settings) -> bool:
    """Whether the pipeline calls its UNet for what leads away, too."""
    scale = own_guidance(pipeline) if settings.guidance_scale is None else settings.guidance_scale
    return scale is not None and scale > 1 and model_config(pipeline.unet).get("time_cond_proj_dim") is None


def draw(pipeline: Any, pictures: Sequence[Asked], settings: Settings) -> Any:
    """Draws pictures together. Returns latents (B, C, H, W), or what a pipeline without any draws.

    Raises DgqcError where the pipeline takes no such settings, and for whatever it raises itself.
    """
    options: dict[str, Any] = {
        "generator": [torch.Generator().manual_seed(one.seed) for one in pictures],
        "num_inference_steps": settings.steps,
        "output_type": "latent" if takes(pipeline, "prompt") else PICTURES,
        **_conditions(pipeline, pictures, guides(pipeline, settings)),
        **_given(pipeline, pictures, settings),
        **_chosen(pipeline, settings),
    }
    if settings.timesteps is not None:
        del options["num_inference_steps"]
    name = type(pipeline).__name__
    if missing := [one for one in _demanded(pipeline) if one not in options]:
        raise DgqcError(f"The {name} wants {', '.join(missing)}, which only you have; {INSTEAD}.")
    pipeline.set_progress_bar_config(disable=True)
    with explained(f"The {name} can't draw by itself", INSTEAD), quietly():
        found = pipeline(**{key: value for key, value in options.items() if takes(pipeline, key)})[0]
    return found.to(CPU) if isinstance(found, torch.Tensor) else found


def _demanded(pipeline: Any) -> list[str]:
    """What nobody can call the pipeline without."""
    parameters = inspect.signature(pipeline.__call__).parameters.values()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        one.name for one in parameters if one.default is inspect.Parameter.empty and one.kind not in optional
    ]


def reads_pictures(pipeline: Any) -> bool:
    """Whether the pipeline wants pictures: to change them, or to show them to an IP-Adapter."""
    return takes(pipeline, "image") or is_shown_pictures(pipeline)


def rehearsal(pipeline: Any, settings: Settings, picture: Asked) -> Calibration:
    """The calls that the pipeline makes for a picture: its own loop runs with a UNet that answers zeros.

    Raises DgqcError as `draw` does, and where it does not call its UNet; UnfitPipeline where it does so
    without something that the UNet takes.
    """
    name, unet = type(pipeline).__name__, pipeline.unet
    with recording(unet) as recorder, _answering_zeros(unet):
        draw(pipeline, [picture], settings)
    if not recorder.done:
        raise DgqcError(
            f"The {name} makes no call of its UNet in {settings.steps} steps; ask for more with --steps, or "
            "for a larger --strength where it changes pictures."
        )
    found = recorder.calibration(f"asked of {name}", type(pipeline.scheduler).__name__)
    first = next(found.read(0))
    for needed in (one.name for one in model_inputs(unet, size_of(first["sample"].shape), 1)):
        if needed not in ("timestep", *first):
            raise UnfitPipeline(f"The {name} calls its UNet without {needed}, which that takes.")
    return found


def _conditions(pipeline: Any, pictures: Sequence[Asked], guided: bool) -> Mapping[str, Any]:
    """Prompts or a number of pictures, embeddings, classes, as far as the pipeline takes them."""
    found: dict[str, Any] = arguments_of([one.embeddings for one in pictures], guided)
    if takes(pipeline, "prompt"):
        if PROMPTS not in found:
            found["prompt"] = [one.prompt for one in pictures]
    else:
        found["batch_size"] = len(pictures)
    if takes(pipeline, "gligen_boxes"):
        found |= boxes_of(pictures[0].prompt or "", pictures[0].seed)
    if all(one.label is not None for one in pictures):
        found["class_labels"] = [one.label for one in pictures]
    return found


def check_embeddings(pipeline: Any, given: Embeddings | None, settings: Settings) -> None:
    """Raises DgqcError for embeddings that the pipeline doesn't take, and where it can make none by itself.

    given: None where nobody has any.
    """
    name = type(pipeline).__name__
    for one in given.tensors if given is not None else ():
        argument = FACES if one.startswith(FACES) else one
        if not takes(pipeline, argument):
            raise DgqcError(f"A {name} takes no {one}; leave it out of the embeddings.")
    if not takes(pipeline, PROMPTS) or _reads_prompts(pipeline):
        return
    if given is None or not given.prompted:
        raise DgqcError(
            f"The {name} has no tokenizer with a text encoder to read prompts; give their embeddings with "
            f"--embeddings FILE ({PROMPTS} and {NEGATIVE}, a row a picture)."
        )
    if NEGATIVE not in given.tensors and guides(pipeline, settings):
        raise DgqcError(
            f"The {name} guides away from {NEGATIVE}, and has no text encoder to make them; add them to the "
            "embeddings, or draw without guidance (--guidance-scale 1)."
        )


def _reads_prompts(pipeline: Any) -> bool:
    """Whether there is a text encoder and a tokenizer for it; SDXL's refiner has the second of each alone."""
    return any(
        getattr(pipeline, f"tokenizer{end}", None) is not None
        and getattr(pipeline, f"text_encoder{end}", None) is not None
        for end in ("", "_2", "_3")
    )


def _told_faces(picture: Asked) -> bool:
    """Whether what IP-Adapters read is given as it is."""
    return any(name.startswith(FACES) for name in picture.embeddings)


def _given(pipeline: Any, pictures: Sequence[Asked], settings: Settings) -> Mapping[str, Any]:
    """The pictures that are changed, and their masks, as large as the pipeline wants them; those that an
    IP-Adapter is shown."""
    found: dict[str, Any] = {}
    if pictures[0].given is not None and is_shown_pictures(pipeline) and not _told_faces(pictures[0]):
        found |= shown(pipeline, pictures[0].given.whole())
    if not takes(pipeline, "image"):
        return found
    size = settings.size or own_size(pipeline.unet)
    # A picture to be enlarged is as large as the latents.
    factor = 1 if takes(pipeline, "noise_level") else getattr(pipeline, "vae_scale_factor", 1)
    height, width = (side * factor // ENLARGED.get(type(pipeline).__name__, 1) for side in size[-2:])
    with_pictures = [(one.given, one.seed) for one in pictures if one.given is not None]
    found["image"] = [one.fitted(height, width) for one, _ in with_pictures]
    if networks := networks_of(pipeline):
        name = "control_image" if takes(pipeline, "control_image") else "image"
        each = [
            [one.control(number, height, width, reads_gray(network)) for one, _ in with_pictures]
            for number, network in enumerate(networks)
        ]
        # Of several, each is given its picture of the only one that is drawn at a time.
        found[name] = each[0] if len(each) == 1 else [one[0] for one in each]
    if takes(pipeline, "mask_image"):
        found["mask_image"] = [one.fitted_mask(height, width, seed) for one, seed in with_pictures]
    return found


def _chosen(pipeline: Any, settings: Settings) -> Mapping[str, Any]:
    """Settings that not every pipeline has. Raises DgqcError for one that this has not."""
    found: dict[str, Any] = {}
    if settings.timesteps is not None:
        whole = all(one.is_integer() for one in settings.timesteps)
        found["timesteps"] = [int(one) if whole else one for one in settings.timesteps]
    if settings.guidance_scale is not None:
        found["guidance_scale"] = settings.guidance_scale
    if settings.strength is not None:
        found["strength"] = settings.strength
    if takes(pipeline, "num_frames"):
        size = settings.size or ()
        found["num_frames"] = size[0] if len(size) == 3 else own_frames(pipeline.unet, _frames(pipeline))
    if settings.size is not None and takes(pipeline, "audio_length_in_s"):
        found["audio_length_in_s"] = settings.size[-1] / pipeline.unet.config.sample_rate
    elif settings.size is not None and (takes(pipeline, "height") or not takes(pipeline, "image")):
        factor = getattr(pipeline, "vae_scale_factor", 1)
        found |= {"height": settings.size[-2] * factor, "width": settings.size[-1] * factor}
    for name in found:
        if not takes(pipeline, name):
            raise DgqcError(f"A {type(pipeline).__name__} takes no {name}; leave it out.")
    return found


def _frames(pipeline: Any) -> int | None:
    """How many frames the pipeline draws where nobody says it; None where it doesn't say either."""
    default = inspect.signature(pipeline.__call__).parameters["num_frames"].default
    return default if isinstance(default, int) else None


@contextmanager
def _answering_zeros(unet: nn.Module) -> Iterator[None]:
    """The UNet's hooks run, its layers don't."""
    config: Any = unet.config
    channels = config.get("out_channels", config.get("in_channels"))
    if channels is None:
        raise DgqcError(
            f"A {type(unet).__name__} is no UNet that dgqc knows; export it (docs/own-unet.md), and give it "
            "with its calls, recorded by your own code in dgqc.recording(pipe.unet)."
        )

    def zeros(sample: torch.Tensor, *arguments: Any, return_dict: bool = True, **keywords: Any) -> Any:
        from diffusers.models.unets.unet_2d import UNet2DOutput

        found = sample.new_zeros(sample.shape[0], channels, *sample.shape[2:])
        return UNet2DOutput(sample=found) if return_dict else (found,)

    own = vars(unet).get("forward")
    unet.forward = zeros
    try:
        yield
    finally:
        del unet.forward
        if own is not None:
            unet.forward = own
