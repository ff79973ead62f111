"""Write bytes and seconds as people read them, for logs."""

from __future__ import annotations

KILO = 1000
MINUTE, HOUR, DAY = 60, 3600, 86400


def bytes_text(size: int) -> str:
    """Return a number of bytes as a text such as ``512 bytes`` or ``12.1 MB``."""
    if size < KILO:
        return f"{size} bytes"
    amount, units = size / KILO, ["TB", "GB", "MB", "kB"]
    while round(amount, 1) >= KILO and len(units) > 1:
        amount /= KILO
        units.pop()
    return f"{amount:,.1f} {units[-1]}"


def rows_text(count: int) -> str:
    """Return a number of rows as a text such as ``1 row`` or ``12,345 rows``."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def seconds_text(seconds: float) -> str:
    """Return a time in seconds as a text such as ``1.2 s``, ``14 s``, ``4 min 10 s``, ``2 h 5 min`` or ``7 d``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two_parts(whole, MINUTE, "min", "s")
    if whole < DAY:
        return _two_parts(round(seconds / MINUTE), MINUTE, "h", "min")
    return _two_parts(round(seconds / HOUR), 24, "d", "h")


def _two_parts(amount: int, ratio: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, ratio)
    return f"{whole} {large}" + (f" {rest} {small}" if rest else "")
