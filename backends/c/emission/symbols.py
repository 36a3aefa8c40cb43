"""Names of the runtime's symbols carry its version, and the path that they are compiled for.

Programs of two releases may share an application, and several paths a library."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

ABOVE = """\
/* The runtime's symbols carry its version, so that programs of several releases can be linked together. */
#ifndef DGQC_SYMBOLS_H
#define DGQC_SYMBOLS_H

/* Functions have a name for each path that they are compiled for (DGQC_PATH); tables are shared. */
#ifdef DGQC_PATH
#define DGQC_JOINED(name, path) name##_##path
#define DGQC_OF_PATH(name, path) DGQC_JOINED(name, path)
#define DGQC_SYMBOL(name) DGQC_OF_PATH(name, DGQC_PATH)
#else
#define DGQC_SYMBOL(name) name
#endif

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
    functions, tables = (
        {name for text in texts for name in pattern.findall(text)} for pattern in (_FUNCTION, _TABLE)
    )
    lines = [f"#define {name} DGQC_SYMBOL({name}_{version})" for name in sorted(functions)]
    lines += [f"#define {name} {name}_{version}" for name in sorted(tables)]
    return "\n".join([ABOVE, *lines, BELOW])
