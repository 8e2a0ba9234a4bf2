"""How many of a whole: a count (`3`) or a percentage (`25%`), as limits and floors are written."""

from __future__ import annotations

import math
import re

_AMOUNT = re.compile(r"([0-9]+)(%?)")


def check_amount(value: str | int) -> str:
    """The amount as text; raises ValueError when it is neither a count nor a percentage to 100%."""
    text = str(value).strip()
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is neither a count such as 3 nor a percentage such as 25%')
    if match[2] and int(match[1]) > 100:
        raise ValueError(f"{text} is more than 100%")
    return text


def hosts_of(amount: str, whole: int, *, up: bool) -> int:
    """How many of `whole` hosts a checked amount means, a percentage rounded `up` or down.

    Round up what must stay (a floor), down what may go.
    """
    number, percent, _ = amount.partition("%")
    if not percent:
        return int(number)
    part = whole * int(number) / 100
    return math.ceil(part) if up else math.floor(part)


_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\s*/\s*(s|sec|min|m|h|hour))?")
_PER_MIN = {"s": 60.0, "sec": 60.0, "min": 1.0, "m": 1.0, "h": 1 / 60, "hour": 1 / 60}


def parse_throttle_per_min(value: str | int | float) -> float:
    """Host starts a minute meant by `30/min`, `2/s`, or a bare number of them; else ValueError."""
    match = _RATE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError(f'"{value}" is no rate; write it as 30/min or 2/s')
    rate = float(match[1]) * _PER_MIN[match[2] or "min"]
    if not rate:
        raise ValueError(f'"{value}" would let no host start; leave it out for no throttle')
    return rate
