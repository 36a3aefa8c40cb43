"""One guard around each door: whatever goes wrong while something is read becomes one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .errors import DgqcError, reason


def reading(what: str, remedy: str) -> AbstractContextManager[None]:
    """Turns every error inside into a DgqcError that says what can't be read, why, and what to do.

    For what is left after checks that know better: a library meets a crafted or damaged file in ways that
    nobody can list. DgqcErrors pass.
    """
    return explained(f"{what} can't be read", remedy)


@contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Turns every error inside into "what (why); remedy.". DgqcErrors pass."""
    try:
        yield
    except DgqcError:
        raise
    except RecursionError as error:
        raise DgqcError(f"{what} (it is nested too deeply); {remedy}.") from error
    except MemoryError as error:
        raise DgqcError(f"{what} (it asks for more memory than there is); {remedy}.") from error
    except Exception as error:
        raise DgqcError(f"{what} ({reason(error)}); {remedy}.") from error
