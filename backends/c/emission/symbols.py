"""Names of the runtime's symbols carry its version: programs of two releases may share an application."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

ABOVE = """\
/* The runtime's symbols carry its version, so that programs of several releases can be linked together. */
#ifndef DGQC_SYMBOLS_H
#define DGQC_SYMBOLS_H
"""
BELOW = """
#endif
"""
_FUNCTION = re.compile(r"^(?!static\b|typedef\b|extern\b|#)[a-z][\w \*]*?\b(dgqc_\w+)\(", re.MULTILINE)
_TABLE = re.compile(r"^(?:extern )?const \w+ (dgqc_\w+)\[", re.MULTILINE)


def symbols_source(texts: Sequence[str]) -> str:
    """`dgqc_symbols.h`: every symbol that the runtime's files share, followed by the hash of all of them.

    texts: of all these files.
    """
    version = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]
    found = (pattern.findall(text) for text in texts for pattern in (_FUNCTION, _TABLE))
    names = sorted({name for some in found for name in some})
    return "\n".join([ABOVE, *(f"#define {name} {name}_{version}" for name in names), BELOW])
