"""Results of the ops without their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Result = Callable[..., Any]


def fake(op: Any) -> Callable[[Result], Result]:
    """Decorator that makes a function the op's fake kernel, as `register_fake` does. The function takes only
    those of the op's arguments that its result's shape depends on, by their names.

    op: what `torch.library.custom_op` returned.
    """
    parameters = inspect.signature(op._init_fn).parameters
    names = list(parameters)

    def register(result: Result) -> Result:
        needed = list(inspect.signature(result).parameters)
        places = [names.index(name) for name in needed]

        def of_arguments(*given: Any) -> Any:
            # What isn't given is left to its default.
            rest = (parameters[name].default for name in names[len(given) :])
            whole = (*given, *rest)
            return result(*(whole[place] for place in places))

        op.register_fake(of_arguments)
        return result

    return register
