"""A pipeline's parts beside its UNet, each with what it is compiled with; refused before any work, or not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..frontends.calibrating.drawings import Drawings
from ..frontends.calibrating.sample_by_sample import is_large
from ..frontends.capturing.capture import capture
from ..frontends.parts.decoders import COMPONENT, DECODER, PICTURES, decoder_part
from ..frontends.parts.part import Part
from ..frontends.parts.text_encoders import TOKENIZERS, text_encoder_part
from ..ir.errors import DgqcError, UnsupportedOperation
from ..ir.tokenizer import Tokenizer
from .callers import KnownModel, drawings_of, own_pipeline
from .prepare import known_of, recorded_of, settled
from .request import ALL, AUTO, OFF, UNET, Request
from .samples import sizes

log = logging.getLogger("dgqc")


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


@dataclass(frozen=True)
class OtherParts:
    """Of a pipeline beside its UNet.

    asked: what each part is compiled with, by its name. floating: parts that stay float, by name, with why.
    """

    asked: Mapping[str, AskedPart] = field(default_factory=dict)
    floating: Mapping[str, str] = field(default_factory=dict)


def other_parts(request: Request) -> OtherParts:
    """What becomes of the other parts of the request's pipeline.

    Nothing for a model that comes alone, and where nothing else is asked for.
    Raises DgqcError, before any work, for a part that has no integer form or can't be calibrated, where all
    parts are asked for.
    """
    if request.parts == UNET or (request.text, request.decoder) == (OFF, OFF):
        return OtherParts()
    recorded = None if request.calibration is None else recorded_of(request.calibration)
    known = known_of(request, recorded)
    if known.pipeline is None:
        return OtherParts()
    request = settled(request, known)
    try:
        pipeline = own_pipeline(known)
    except DgqcError as error:
        if request.parts == ALL:
            raise
        return _all_floating(error)
    return _sorted(request, list(_made(request, known, pipeline)))


Making = tuple[str, _Kind, str, Callable[[], Part]]
"""A part's name, its kind, its widths, and what makes it."""


def _made(request: Request, known: KnownModel, pipeline: Any) -> Iterator[Making]:
    """The parts that a pipeline has and that aren't left out."""
    for name in _TEXT.names:
        if request.text != OFF and getattr(pipeline, name, None) is not None:
            yield name, _TEXT, request.text, partial(text_encoder_part, pipeline, name, request.seed)
    if request.decoder != OFF and getattr(pipeline, COMPONENT, None) is not None:
        yield DECODER, _PIXELS, request.decoder, partial(_decoder, request, known)


def _sorted(request: Request, found: Sequence[Making]) -> OtherParts:
    """Those that can be compiled, and those that can't."""
    asked: dict[str, AskedPart] = {}
    floating: dict[str, str] = {}
    for name, kind, opt, make in found:
        try:
            asked[name] = _asked(request, _captured(kind, make), opt)
        except DgqcError as error:
            if request.parts == ALL:
                raise
            floating[name] = str(error.__cause__ or error)
            log.warning("%s It stays float.", floating[name])
    return OtherParts(asked, floating)


def _all_floating(error: DgqcError) -> OtherParts:
    """Of a pipeline that can't be loaded as a whole, though its UNet can."""
    log.warning("%s Its other parts stay float.", error)
    return OtherParts(floating={"other parts": str(error)})


def _decoder(request: Request, known: KnownModel) -> Part:
    """Of latents as large as the pipeline's, which need not be square, as a sound's aren't."""
    drawings = drawings_of(request, known)
    size = request.first_size or sizes(drawings.rehearse())["sample_size"]
    if len(size) != 2:
        raise UnsupportedOperation("A video's frames are decoded by its pipeline.")
    height, width = size
    count = PICTURES
    if request.samples is not None and is_large(drawings.pipeline.unet):
        count = min(count, request.samples)
    return decoder_part(drawings, (height, width), request.seed, count, partial(_drawings, request))


def _drawings(request: Request) -> Drawings:
    """The request's pipeline, loaded anew where it comes from files."""
    return drawings_of(request, known_of(request))


def _captured(kind: _Kind, make: Callable[[], Part]) -> Part:
    """A part whose every op has an integer form. Raises DgqcError for another, with what leaves it out."""
    try:
        part = make()
        capture(part.model)
    except DgqcError as error:
        said = str(error).rstrip(".")
        raise type(error)(
            f"{said}; leave the part out with --{kind.option} {OFF}, or all that have no integer form with "
            f"--parts {AUTO}."
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
