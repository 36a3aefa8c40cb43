"""The real interface of a model, established before the first pass: what conditions its output, and whether
the pipeline around it agrees.

`model_inputs` says which inputs a model takes. What could condition its output besides is refused: in a
config by `conditionings`, in a live module by `live_models`, and here what pipeline and model don't agree on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...ir.errors import DgqcError
from .conditionings import refuse_unknown
from .model_inputs import context_width, text_width
from .pipeline_facts import PipelineFacts

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    """A number that two parts of a pipeline must agree on. given, taken: None where it isn't known."""

    giver: str
    what: str
    given: Callable[[PipelineFacts], int | None]
    taken: Callable[[Config], int | None]


AGREEMENTS = (
    Agreement("second text encoder gives", "beside its time ids", lambda facts: facts.text_width, text_width),
    Agreement("text encoders give", "for each token", lambda facts: facts.context_width, context_width),
)


def check_interface(config: Config, facts: PipelineFacts, source: str) -> None:
    """Raises DgqcError for a conditioning without an input, and where the pipeline gives the UNet something
    else than it takes. Asked before weights are read."""
    refuse_unknown(config)
    for one in AGREEMENTS:
        given, taken = one.given(facts), one.taken(config)
        if given and taken and given != taken:
            raise DgqcError(
                f"{source}: the pipeline's {one.giver} {given} numbers, but the UNet takes {taken} "
                f"{one.what}; give a pipeline whose parts belong together."
            )
