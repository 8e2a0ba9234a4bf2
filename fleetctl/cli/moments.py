"""When a push is to start: `sat 06:00`, `tomorrow 6:30`, `2026-11-28 06:00`. Pure.

A time of day is local time, as the clock on the wall shows it: `sat 06:00` is six o'clock also
where the clocks change that night.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from fleetctl.base.durations import format_duration, parse_duration_s
from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FORMS = "write it as 'sat 06:00', 'tomorrow 06:00', '2026-11-28 06:00' or 'in 2h'"


class Moment(NamedTuple):
    """A point in time, and what is to be said about it."""

    at_s: float
    """Unix time."""
    note: str = ""
    """Where the clocks change at that hour."""


class _Said(NamedTuple):
    """What somebody wrote, and after which flag."""

    text: str
    flag: str

    def __str__(self) -> str:
        return f'{self.flag} "{self.text}"'


def read_moment(
    text: str, now_s: float, zone: tzinfo | None = None, *, flag: str = "--at"
) -> Moment:
    """The moment meant, after `now_s`; `zone` None: this machine's. Raises UsageError."""
    said = _Said(text, flag)
    words = text.strip().lower().replace(",", " ").split()
    if len(words) == 2 and words[0] == "in":
        return Moment(now_s + _duration_s(words[1], flag))
    exact = _with_offset(said)
    if exact is not None:
        _refuse_past(said, exact, now_s, exact + 86400, zone)
        return Moment(exact)
    now = datetime.fromtimestamp(now_s, zone).replace(tzinfo=None)
    day, hour = _split(said, words)
    first, step = _day(day, now, said)
    wanted = first.replace(hour=hour[0], minute=hour[1], second=hour[2], microsecond=0)
    at_s, note = _stamp(wanted, zone)
    if at_s <= now_s:
        later = wanted
        while _lenient_stamp(later, zone) <= now_s:
            later += timedelta(days=step)
        _refuse_past(said, at_s, now_s, _lenient_stamp(later, zone), zone)
    return Moment(at_s, note)


def moment_words(at_s: float, zone: tzinfo | None = None) -> str:
    """`sat 2026-11-28 06:00 CET (+01:00)`."""
    local = datetime.fromtimestamp(at_s, zone).astimezone(zone)
    day, offset = DAYS[local.weekday()][:3], local.strftime("%z")
    return f"{day} {local:%Y-%m-%d %H:%M} {local:%Z} ({offset[:3]}:{offset[3:5]})"


def _duration_s(text: str, flag: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _with_offset(said: _Said) -> float | None:
    """Of `2026-11-28T06:00+01:00` or `...Z`; None where no offset is said."""
    text = said.text.strip()
    if not re.search(r"(Z|[+-]\d{2}:?\d{2})$", text, re.I) or not _DATE.match(text):
        return None
    try:
        found = datetime.fromisoformat(text.upper().replace(" ", "T", 1))
    except ValueError as error:
        raise UsageError(f"{said}: {error}", hint=_FORMS) from None
    return found.timestamp() if found.tzinfo is not None else None


def _split(said: _Said, words: list[str]) -> tuple[str, tuple[int, int, int]]:
    """The day as it is written, and hour, minute, second."""
    if len(words) == 1 and "t" in words[0] and _DATE.match(words[0]):
        words = words[0].split("t", 1)
    clock = _CLOCK.fullmatch(words[-1]) if words else None
    if clock is None or len(words) > 2:
        raise UsageError(f"{said} is no time", hint=_FORMS)
    hour = (int(clock[1]), int(clock[2]), int(clock[3] or 0))
    if hour[0] > 23 or hour[1] > 59 or hour[2] > 59:
        raise UsageError(f"{said}: no clock shows {words[-1]}")
    return (words[0] if len(words) == 2 else "today"), hour


def _day(day: str, now: datetime, said: _Said) -> tuple[datetime, int]:
    """The first day meant, today or later, and after how many days it comes again."""
    if day in ("today", "tomorrow"):
        return now + timedelta(days=int(day == "tomorrow")), 1
    if _DATE.fullmatch(day):
        try:
            return datetime.fromisoformat(day), 1
        except ValueError as error:
            raise UsageError(f"{said}: {error}") from None
    found = [at for at, name in enumerate(DAYS) if len(day) >= 2 and name.startswith(day)]
    if len(found) != 1:
        hint = did_you_mean(day, [*DAYS, "today", "tomorrow"])
        raise UsageError(f'{said}: "{day}" is no day', hint=f"{hint}; {_FORMS}")
    return now + timedelta(days=(found[0] - now.weekday()) % 7), 7


def _stamp(wall: datetime, zone: tzinfo | None) -> tuple[float, str]:
    """Unix time of what the clock on the wall shows; a time it never shows is refused."""
    at_s = _lenient_stamp(wall, zone)
    if datetime.fromtimestamp(at_s, zone).replace(tzinfo=None) != wall:
        there = datetime.fromtimestamp(at_s, zone)
        raise UsageError(
            f"no clock shows {wall:%H:%M} on {wall:%Y-%m-%d}",
            why="the clocks go forward over it",
            hint=f"say {there:%H:%M}, or a time before",
        )
    if wall.replace(tzinfo=zone, fold=1).timestamp() != at_s:
        return at_s, f"the clocks show {wall:%H:%M} twice that day: the first one is meant"
    return at_s, ""


def _lenient_stamp(wall: datetime, zone: tzinfo | None) -> float:
    return wall.replace(tzinfo=zone, fold=0).timestamp()


def _refuse_past(
    said: _Said, at_s: float, now_s: float, next_s: float, zone: tzinfo | None
) -> None:
    if at_s > now_s:
        return
    while next_s <= now_s:
        next_s += 86400
    local = datetime.fromtimestamp(next_s, zone)
    raise UsageError(
        f"{said} is over",
        why=f"it was {format_duration(now_s - at_s)} ago: {moment_words(at_s, zone)}",
        hint=f"the next: {said.flag} '{local:%Y-%m-%d %H:%M}'",
    )
