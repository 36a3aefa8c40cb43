"""A pipeline's parts beside its UNet, each with what it is compiled with; refused before any work, or not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from ..passes.manager.pipeline import parse_pipeline
from ..passes.manager.presets import pipeline_for
from .callers import KnownModel, drawings_of, own_pipeline
from .prepare import known_of, recorded_of, settled
from .request import ALL, AUTO, OFF, UNET, Request
from .samples import sizes

log = logging.getLogger("dgqc")


USUAL = "w8a8"
"""Widths of a part where nobody says them."""


@dataclass(frozen=True)
class _Kind:
    """A kind of part. option: of the request, which says its widths, or that it is left out. called: by
    people."""

    option: str
    names: tuple[str, ...]
    called: str

    def opt(self, request: Request) -> str:
        """Its widths, or `off`."""
        return getattr(request, self.option) or USUAL

    def said(self, request: Request) -> bool:
        """Whether somebody wants it in widths of their own."""
        return getattr(request, self.option) not in (None, OFF)


_TEXT = _Kind("text", tuple(TOKENIZERS), "text encoders")
_PIXELS = _Kind("decoder", (DECODER,), "a decoder")
_KINDS = (_TEXT, _PIXELS)


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
    Raises DgqcError, before any work, for widths that there are none of, or of a part that isn't there; and
    for a part that has no integer form or can't be calibrated, where all parts are asked for.
    """
    for kind in _KINDS:
        if kind.said(request):
            parse_pipeline(pipeline_for(kind.opt(request)))
    if request.parts == UNET or (request.text, request.decoder) == (OFF, OFF):
        return OtherParts()
    recorded = None if request.calibration is None else recorded_of(request.calibration)
    known = known_of(request, recorded)
    if known.pipeline is None:
        _refuse_absent(request, (), f"a {type(known.model).__name__} that comes alone")
        return OtherParts()
    request = settled(request, known)
    try:
        pipeline = own_pipeline(known)
    except DgqcError as error:
        if request.parts == ALL:
            raise
        return _all_floating(error)
    made = list(_made(request, known, pipeline))
    _refuse_absent(request, [kind for _, kind, *_ in made], f"a {type(pipeline).__name__} like this")
    return _sorted(request, made)


def _refuse_absent(request: Request, present: Collection[_Kind], model: str) -> None:
    """Raises DgqcError where somebody says the widths of what a model hasn't."""
    for kind in _KINDS:
        if kind.said(request) and kind not in present:
            raise DgqcError(
                f"--{kind.option} {kind.opt(request)} says the widths of {kind.called}, and {model} has "
                "none; leave it out, or give a pipeline that has."
            )


Making = tuple[str, _Kind, str, Callable[[], Part]]
"""A part's name, its kind, its widths, and what makes it."""


def _made(request: Request, known: KnownModel, pipeline: Any) -> Iterator[Making]:
    """The parts that a pipeline has and that aren't left out."""
    for name in _TEXT.names:
        if request.text != OFF and getattr(pipeline, name, None) is not None:
            yield name, _TEXT, _TEXT.opt(request), partial(text_encoder_part, pipeline, name, request.seed)
    if request.decoder != OFF and getattr(pipeline, COMPONENT, None) is not None:
        yield DECODER, _PIXELS, _PIXELS.opt(request), partial(_decoder, request, known)


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
        device=request.device,
        instruments=request.instruments,
    )
    return AskedPart(own, part.tokenizer)
