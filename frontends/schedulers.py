"""A scheduler that somebody names: by its file, its class, its config or itself."""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from ..ir.errors import DgqcError, one_line
from ..ir.storage.json_text import read_json_object

FILE = "scheduler_config.json"
ENDINGS = ("", "Scheduler", "DiscreteScheduler")
"""What may be left out of a class's name."""
UNSAID = "_use_default_values"
"""Key of a config: the settings that nobody gave."""
FORMS = (
    f"give a {FILE}, its folder, or a class of diffusers such as EulerDiscreteScheduler or "
    "'EulerDiscreteScheduler{timestep_spacing=trailing}'"
)


def scheduler_config(given: object | None, own: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
    """The configuration of a scheduler, with its class under `_class_name`; `own` where none is given.

    given: a scheduler, its configuration, a file or folder with it, or the name of its class, to which
        options may be added in braces.
    own: the pipeline's, whose settings a class that is only named takes over, as diffusers' `from_config`
        does; without it the class has its own defaults.
    Raises DgqcError for what is none of these.
    """
    if given is None:
        return own
    if isinstance(given, SchedulerMixin):
        scheduler: Any = given
        return {**scheduler.config, "_class_name": type(scheduler).__name__}
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, str | Path):
        raise DgqcError(f"A {type(given).__name__} is no scheduler; {FORMS}.")
    path = Path(given)
    for file in (path, path / FILE, path / "scheduler" / FILE):
        if file.is_file():
            return read_json_object(file, infinite=True)
    text = str(given)
    if "/" in text or text.endswith(".json"):
        raise DgqcError(f"There is no scheduler's configuration at {one_line(text, 200)}; {FORMS}.")
    return _named(text, own or {})


def _named(text: str, own: Mapping[str, Any]) -> dict[str, Any]:
    found = re.fullmatch(r"(\w+)(?:\{(.*)\})?", text.strip(), re.ASCII)
    if not found:
        raise DgqcError(f"{one_line(text, 200)} names no scheduler; {FORMS}.")
    names = [name for name in dir(diffusers) if name.endswith("Scheduler")]
    by_name = {name.lower(): name for name in names}
    lower = found[1].lower()
    name = next((by_name[lower + end.lower()] for end in ENDINGS if lower + end.lower() in by_name), None)
    if name is None:
        short = {known.removesuffix("scheduler").removesuffix("discrete"): known for known in by_name}
        close = difflib.get_close_matches(lower, short, 1)
        meant = f" (closest is {by_name[short[close[0]]]})" if close else ""
        raise DgqcError(f"diffusers {diffusers.__version__} has no scheduler {found[1]}{meant}; {FORMS}.")
    options = _options(found[2] or "")
    taken = inspect.signature(getattr(diffusers, name).__init__).parameters
    if unknown := [option for option in options if option not in taken]:
        raise DgqcError(f"A {name} has no option {unknown[0]}; it has {', '.join(list(taken)[1:])}.")
    config = {**own, "_class_name": name, **options}
    if UNSAID in own:
        # Another class takes its own defaults for these, whatever stands there; not for what was said now.
        config[UNSAID] = [one for one in own[UNSAID] if one not in options]
    return config


def _options(text: str) -> dict[str, Any]:
    """`key=value,key=value`; values are JSON, or texts."""
    options: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier():
            raise DgqcError(f"A scheduler's option is written name=value, but here is {part!r}; {FORMS}.")
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options
