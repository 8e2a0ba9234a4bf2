"""Durations as people write them: `30s`, `5m`, `1h30m`, `1.5s`, or a bare number of seconds."""

from __future__ import annotations

import re

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration_s(text: str | float) -> float:
    """Seconds meant by `text`; raises ValueError when it is no duration or is negative."""
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is no duration")
    if isinstance(text, (int, float)):
        if text < 0:
            raise ValueError(f"a duration cannot be negative: {text}")
        return float(text)
    compact = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text!r} is no duration; write it as 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(compact))


def format_duration(seconds: float) -> str:
    """A short form for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
