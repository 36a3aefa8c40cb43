"""Times and sizes as people say them."""

from __future__ import annotations

UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))


def duration(least: float, most: float) -> str:
    """A span of time as people say it: `20 to 45 seconds`, `2 to 5 minutes`."""
    size, unit = next((size, unit) for size, unit in UNITS if most >= 1.5 * size or size == 1)
    low, high = (_rounded(one / size) for one in (least, most))
    if low != high:
        return f"{low} to {high} {unit}s"
    return f"about {high} {unit}{'' if high == '1' else 's'}"


def short(seconds: float) -> str:
    """Less than a minute, to two digits: `8.3 ms`, `690 ms`, `2.7 s`."""
    unit, name = (1.0, "s") if seconds >= 1 else (1e-3, "ms")
    return f"{float(f'{seconds / unit:.2g}'):g} {name}"


def amount(size: float) -> str:
    """Bytes as people say them."""
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / unit:.{0 if size >= 10 * unit else 1}f} {name}"


def _rounded(value: float) -> str:
    return f"{max(value, 1):.0f}"
