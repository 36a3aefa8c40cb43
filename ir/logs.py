"""What is said in passing: warnings may quote a file, and are one printable line like errors."""

from __future__ import annotations

import logging

from .errors import one_line


class OneLineFilter(logging.Filter):
    """Makes a record's message one printable line of bounded length. Lets everything pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(record.getMessage()), ()
        return True


def say_in_one_line() -> None:
    """From now on, all that is said by the logger `dgqc`."""
    logger = logging.getLogger("dgqc")
    if not any(isinstance(one, OneLineFilter) for one in logger.filters):
        logger.addFilter(OneLineFilter())
