"""A compiled program in the place of a diffusers UNet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from diffusers.configuration_utils import ConfigMixin
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from ..bundle.diffusers_files import CLASS, CONFIG
from ..frontends.loading.arguments import named_arguments
from ..frontends.loading.gates import OPEN, gates_open
from ..frontends.loading.guidance import KEY as GUIDANCE
from ..frontends.loading.guidance import guidance_embedding
from ..frontends.loading.model_inputs import sample_channels
from ..frontends.loading.weights import CLASSES
from ..ir.caching import FeatureCache
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.reading import explained
from ..ir.typed import typed
from .backends import check_backend
from .drawing_caches import drawing_caches
from .named_step import one_timestep
from .picture_steps import PictureSteps

CLOSE = 0.02
"""Between embedded guidance scales, whose sines are of thousands, and may come in halves."""
PLACE = "place"
LOOKED_AT = ("add_embedding", "encoder_hid_proj")
"""Parts of the original that pipelines read shapes from."""
UPLOADING = ("commit_message", "private", "token", "create_pr")
"""Options of `save_pretrained` that are about uploading."""
OF_LAYERS = ("compile_repeated_blocks", "enable_gradient_checkpointing", "enable_parallelism")
"""What every model of diffusers has, and what needs layers."""


@runtime_checkable
class Runnable(Protocol):
    """A `CompiledProgram`, or what is called like one."""

    @property
    def program(self) -> Program:
        """Its graph, inputs and schedule."""

    def answer(
        self,
        inputs: Inputs,
        timestep: torch.Tensor | float | None = None,
        *,
        step: int | None = None,
        backend: str | None = None,
        allow_nearest_step: bool = False,
        caches: Sequence[FeatureCache] | None = None,
    ) -> torch.Tensor:
        """One UNet call."""


class MissingPart(DgqcError, AttributeError):
    """Something was asked of a compiled UNet that needs the original's layers.

    An AttributeError, so that pipelines that ask whether it is there hear no.
    """


class CompiledUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Answers a pipeline's calls with a compiled program.

    It has the original's config, name, dtype and device, and takes the arguments that the compiled model
    takes; others (LoRA scales) are refused rather than ignored; a context is ignored where the original
    ignores it. What needs the original's layers (adapters, FreeU, attention processors) is refused. The
    original's weights are not kept.

    It counts the calls of a picture, which tells apart those at a timestep that the schedule has twice, and
    keeps what full calls leave for shallow ones, apart for each picture and half of a guided one.
    """

    config_name = CONFIG
    _original: type[nn.Module]

    @typed
    def __new__(cls, program: Runnable, unet: nn.Module | None = None, **_: Any) -> CompiledUNet:
        """An object of a class that is called as the original's: a pipeline writes that into its index."""
        original: Any = _class_of(program) if unet is None else type(unet)
        return super().__new__(_named_like(original))  # type: ignore[no-any-return]

    @typed
    def __init__(
        self,
        program: Runnable,
        unet: nn.Module | None = None,
        *,
        backend: str | None = None,
        allow_nearest_step: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        """unet: the original, or any UNet of its config; None takes the config that the program keeps.

        backend, allow_nearest_step: as in `run`. dtype: of answers; the original's, or float32.
        Raises DgqcError for a UNet of another model, for a program that keeps no config, and for a backend
        that can't run it here.
        """
        super().__init__()
        check_backend(backend, program.program)
        self.program = program
        self.backend = backend
        self.allow_nearest_step = allow_nearest_step
        self._steps = PictureSteps()
        self._caches = drawing_caches(program.program)
        config: Any = _config_of(program) if unet is None else getattr(unet, "config", None)
        if not isinstance(config, Mapping):
            raise DgqcError(
                f"A {type(unet).__name__} is no UNet of diffusers; give the one that was compiled."
            )
        _refuse_other_model(program, config)
        self.register_to_config(**config)
        parameter = torch.empty(0) if unet is None else next(unet.parameters())
        device = "cpu" if parameter.is_meta else parameter.device
        place = torch.empty(0, dtype=dtype or parameter.dtype, device=device)
        # Pipelines, and hooks that move models, look for a parameter: one with a type and a place, no values.
        self.register_parameter(PLACE, nn.Parameter(place, requires_grad=False))
        if any(one.name == OPEN for one in program.program.inputs):
            # Pipelines shut the gates of all layers of this class.
            self.switch = GatedSelfAttentionDense(1, 1, 1, 1)
        if (blocks := config.get("up_block_types")) is not None and "sample_rate" in config:
            # The pipeline of sounds counts them: lengths are multiples of what they enlarge.
            self.up_blocks = nn.ModuleList(nn.Identity() for _ in blocks)
        for name in LOOKED_AT:
            if (part := getattr(unet, name, None)) is not None:
                setattr(self, name, _with_shapes_alone(part) if parameter.is_meta else part)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            raise MissingPart(
                f"A compiled UNet has no {name}, for its layers are integers in a program; leave it out, or "
                "use the original UNet."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class has no name of its own to be found by.
        return _unfilled, (self._original,), self.__getstate__()

    def __repr__(self) -> str:
        calls = len(self.program.program.schedule)
        return f"CompiledUNet(a {type(self).__name__} as a program of integers, {calls} calls)"

    def begin_picture(self) -> None:
        """The next call of this thread is a picture's first, even if the last picture was left unfinished.

        Only needed where pictures begin in the middle of a schedule that has a timestep twice, or of one with
        shallow calls after a picture of the same prompt was left there.
        """
        self._steps.begin()
        self._caches.begin()

    def save_pretrained(self, save_directory: str | os.PathLike[str], **options: Any) -> None:
        """Writes the program as a bundle, which `from_pretrained` loads where dgqc is imported.

        options: of diffusers; push_to_hub and what belongs to it upload the bundle, others are about how
        weights are stored, and a bundle has its own way.
        Raises DgqcError where something else than a bundle stands there.
        """
        save = getattr(self.program, "save", None)
        if save is None:
            raise DgqcError(f"A {type(self.program).__name__} can't be saved; save a CompiledProgram.")
        save(save_directory)
        if options.get("push_to_hub"):
            name = options.get("repo_id") or Path(save_directory).resolve().name
            self.push_to_hub(name, **{key: options[key] for key in UPLOADING if key in options})

    def dequantize(self) -> None:
        """Always raises DgqcError: what was rounded away is gone."""
        raise DgqcError("A compiled UNet has no float weights to go back to; load the original UNet.")

    def to(self, *args: Any, **kwargs: Any) -> CompiledUNet:
        """Changes the dtype of answers, and where a pipeline puts its inputs; integers stay as they are.

        Raises DgqcError for a type that isn't floating, for the device meta, and for one that isn't there.
        """
        with explained("A compiled UNet can't go there", "give a device of this machine, or a floating type"):
            device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise DgqcError(f"A compiled UNet answers in floating numbers, and {dtype} is none.")
        if device is not None and device.type == "meta":
            raise DgqcError("A compiled UNet on the device meta couldn't answer; leave it on the CPU.")
        with explained("A compiled UNet can't go there", "give a device of this machine"):
            self._place.data = self._place.data.to(device=device, dtype=dtype)
        return self

    def _check_guidance(self, embedded: torch.Tensor | None) -> None:
        """Raises DgqcError for another guidance scale than the one that is settled in the program."""
        if embedded is None:
            return
        width = self.config.get(GUIDANCE)
        provenance = getattr(self.program, "provenance", None)
        scale = provenance.request.get("guidance_scale") if provenance is not None and width else None
        if scale is None:
            raise DgqcError("A compiled UNet has no timestep_cond; run the pipeline with the original UNet.")
        wanted = guidance_embedding(scale, width).to(embedded)
        if not torch.allclose(embedded, wanted.expand_as(embedded), atol=CLOSE):
            raise DgqcError(
                f"The program is compiled for a guidance scale of {scale:g}, and the pipeline gives another; "
                f"draw with guidance_scale={scale:g}, or compile with --guidance-scale."
            )

    @property
    def dtype(self) -> torch.dtype:
        """What a pipeline casts its inputs to."""
        return self._place.dtype

    @property
    def device(self) -> torch.device:
        """Where a pipeline puts its inputs; the program itself always runs on the CPU."""
        return self._place.device

    @property
    def _place(self) -> nn.Parameter:
        found: nn.Parameter = self.get_parameter(PLACE)
        return found

    @torch.compiler.disable(reason="a compiled UNet runs as a program already")  # type: ignore[untyped-decorator, no-untyped-call]
    @typed
    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        timestep_cond: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        cross_attention_kwargs: Mapping[str, Any] | None = None,
        added_cond_kwargs: Mapping[str, Any] | None = None,
        return_dict: bool = True,
        *,
        step: int | None = None,
        **others: Any,
    ) -> Any:
        """As the original's: `UNet2DConditionOutput` or, without `return_dict`, a tuple of one tensor.

        step: the call's place in the schedule; None counts the calls of a picture.
        """
        if not (told := any(one.name == "timestep_cond" for one in self.program.program.inputs)):
            self._check_guidance(timestep_cond)
        given = {
            "sample": sample,
            "encoder_hidden_states": encoder_hidden_states,
            "class_labels": class_labels,
            "timestep_cond": timestep_cond if told else None,
            "attention_mask": attention_mask,
            "cross_attention_kwargs": cross_attention_kwargs,
            "added_cond_kwargs": added_cond_kwargs,
        }
        inputs, unknown = named_arguments({**given, **others})
        if unknown:
            raise DgqcError(
                f"A compiled UNet has no {unknown[0]}; run the pipeline without it, or with the original."
            )
        if "gligen_boxes" in inputs:
            inputs[OPEN] = torch.full((len(sample), 1), float(gates_open(self)))
        if step is None:
            step = self._steps.step_of(self.program.program.schedule, one_timestep(timestep))
        output = self.program.answer(
            inputs,
            timestep,
            step=step,
            backend=self.backend,
            allow_nearest_step=self.allow_nearest_step,
            caches=self._caches.of(inputs, step),
        )
        if not return_dict:
            return (output,)
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        return UNet2DConditionOutput(sample=output)


@cache
def _named_like(original: Any) -> type[CompiledUNet]:
    """A class whose objects pass for the original's, since diffusers asks for instances of its own types."""
    parts = {
        "__module__": original.__module__,
        "__doc__": CompiledUNet.__doc__,
        "__class__": property(lambda _: original),
        "_original": original,
        **dict.fromkeys(OF_LAYERS, property(_missing)),
    }
    return type(original.__name__, (CompiledUNet,), parts)


def _missing(_: CompiledUNet) -> None:
    """Python asks `__getattr__` next, which says what is missing."""
    raise AttributeError


def _unfilled(original: Any) -> CompiledUNet:
    return object.__new__(_named_like(original))


def _config_of(program: Runnable) -> Mapping[str, Any]:
    """The config that a program keeps. Raises DgqcError where it keeps none of a UNet of diffusers."""
    provenance = getattr(program, "provenance", None)
    config = None if provenance is None else provenance.config
    if config is None or config.get(CLASS) not in CLASSES:
        raise DgqcError(
            "The program keeps no config of a UNet of diffusers, for it was compiled from another model or "
            "by an older dgqc; give the original: as_diffusers_unet(pipe.unet)."
        )
    return config  # type: ignore[no-any-return]


def _class_of(program: Runnable) -> type[nn.Module]:
    found: type[nn.Module] = CLASSES[_config_of(program)[CLASS]]
    return found


def _with_shapes_alone(part: nn.Module) -> nn.Module:
    """A part whose weights have no values, without them: pipelines read shapes from it."""
    for module in part.modules():
        module._parameters.update(dict.fromkeys(module._parameters))
        module._buffers.update(dict.fromkeys(module._buffers))
    return part


def _refuse_other_model(program: Runnable, config: Mapping[str, Any]) -> None:
    compiled = next(given for given in program.program.inputs if given.name == "sample")
    channels = sample_channels(config)
    if channels != compiled.shape[1]:
        raise DgqcError(
            f"The UNet takes {channels} channels, but the program was compiled from one with "
            f"{compiled.shape[1]}; give the UNet that was compiled."
        )
