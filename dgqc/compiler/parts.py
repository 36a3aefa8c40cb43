"""A pipeline's parts beside its UNet, each with what it is compiled with; refused before any work, or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..frontends.capturing.capture import capture
from ..frontends.loading.model_inputs import model_config, own_size
from ..frontends.parts.decoders import COMPONENT, DECODER, decoder_part
from ..frontends.parts.part import Part
from ..frontends.parts.text_encoders import TOKENIZERS, text_encoder_part
from ..ir.errors import DgqcError
from ..ir.tokenizer import Tokenizer
from .callers import KnownModel, drawings_of, own_pipeline
from .prepare import known_of, recorded_of, settled
from .request import ALL, OFF, Request


@dataclass(frozen=True)
class _Kind:
    """A kind of part. option: of the request, which says its widths, or that it is left out."""

    option: str
    names: tuple[str, ...]


_TEXT, _PIXELS = _Kind("text", tuple(TOKENIZERS)), _Kind("decoder", (DECODER,))


@dataclass(frozen=True)
class AskedPart:
    """A part as it is to be compiled. tokenizer: that its program carries, if any."""

    request: Request
    tokenizer: Tokenizer | None = None


def part_requests(request: Request) -> Mapping[str, AskedPart]:
    """What each other part of the request's pipeline is compiled with, by the part's name.

    Nothing for a model that comes alone, and where nothing else is asked for.

    Raises DgqcError, before any work, for a part that has no integer form or can't be calibrated.
    """
    if request.parts != ALL or (request.text, request.decoder) == (OFF, OFF):
        return {}
    recorded = None if request.calibration is None else recorded_of(request.calibration)
    known = known_of(request, recorded)
    if known.pipeline is None:
        return {}
    request = settled(request, known)
    pipeline = own_pipeline(known)
    found: dict[str, AskedPart] = {}
    for name in _TEXT.names:
        if request.text != OFF and getattr(pipeline, name, None) is not None:
            part = _captured(_TEXT, partial(text_encoder_part, pipeline, name, request.seed))
            found[name] = _asked(request, part, request.text)
    if request.decoder != OFF and getattr(pipeline, COMPONENT, None) is not None:
        part = _captured(_PIXELS, partial(_decoder, request, known))
        found[DECODER] = _asked(request, part, request.decoder)
    return found


def _decoder(request: Request, known: KnownModel) -> Part:
    """Of latents as large as the UNet's."""
    size = request.sample_size or own_size(model_config(known.model))
    return decoder_part(drawings_of(request, known), size, request.seed)


def _captured(kind: _Kind, make: Callable[[], Part]) -> Part:
    """A part whose every op has an integer form. Raises DgqcError for another, with what leaves it out."""
    try:
        part = make()
        capture(part.model)
    except DgqcError as error:
        said = str(error).rstrip(".")
        raise type(error)(
            f"{said}; leave the part out with --{kind.option} {OFF}, or all parts with --parts unet."
        ) from error
    return part


def _asked(request: Request, part: Part, opt: str) -> AskedPart:
    """What a part is compiled with: its own widths and samples, else as its UNet."""
    own = Request(
        part.model,
        opt,
        calibration=part.calibration,
        seed=request.seed,
        headroom=request.headroom,
        check=request.check,
        repair=request.repair,
        budget=request.budget,
        verify_each=request.verify_each,
        instruments=request.instruments,
    )
    return AskedPart(own, part.tokenizer)
