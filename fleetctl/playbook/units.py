"""Quantities as an author writes them: durations, counts or percentages, rates, ramps.

Each is a subclass of the plain type it behaves as, so the rest of the house needs no unwrapping.
Kinds of steps and gates use them as field types; `decode_unit` is msgspec's `dec_hook` for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from fleetctl.base.durations import parse_duration_s
from fleetctl.inventory.amount import check_amount, hosts_of, parse_throttle_per_min


class Seconds(float):
    """A duration: `30s`, `5m`, `1h30m`, or a bare number of seconds."""

    @classmethod
    def read(cls, value: Any) -> Seconds:
        if not isinstance(value, (str, int, float)):
            raise ValueError("expected a duration such as 30s or 5m")
        return cls(parse_duration_s(value))


class SomeSeconds(Seconds):
    """A duration that is not nothing: a deadline of 0 s would end everything, or mean none."""

    @classmethod
    def read(cls, value: Any) -> SomeSeconds:
        length = super().read(value)
        if not length > 0:
            raise ValueError("expected a duration above 0")
        return cls(length)


def seconds(number: float) -> Any:
    """The default of a `Seconds` field; a plain default could not be told in the JSON Schema."""
    return msgspec.field(default_factory=lambda: Seconds(number))


class Amount(str):
    """A count or a percentage of some total: `3`, `25%`."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Amount:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError("expected a count such as 3 or a percentage such as 25%")
        return cls(check_amount(value))

    @property
    def percent(self) -> bool:
        return self.endswith("%")

    @property
    def number(self) -> int:
        return int(self.rstrip("%"))

    def floor_of(self, total: int) -> int:
        """How many of `total` this is, rounded down: for what is allowed."""
        return hosts_of(self, total, up=False)

    def ceil_of(self, total: int) -> int:
        """How many of `total` this is, rounded up: for what must remain."""
        return hosts_of(self, total, up=True)


class Rate(float):
    """Starts a minute; written `30/min`, `2/s`, `100/h`."""

    @classmethod
    def read(cls, value: Any) -> Rate:
        if not isinstance(value, (str, int, float)):
            raise ValueError("expected a rate such as 30/min or 2/s")
        return cls(parse_throttle_per_min(value))


class Ramp(tuple[Amount, ...]):
    """Sizes of the batches in turn, the last one repeated: `[1, 25%, 100%]`, or one size."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Ramp:
        sizes: Iterable[Any] = value if isinstance(value, (list, tuple)) else (value,)
        ramp = cls(Amount.read(size) for size in sizes)
        if not ramp:
            raise ValueError("a ramp needs at least one size")
        if any(size.number == 0 for size in ramp):
            raise ValueError("a batch of no hosts never ends; write at least 1 or 1%")
        return ramp


class Bound(str):
    """A number that is not to be passed: `30` or `> 30` upwards, `< 5` downwards."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Bound:
        text = str(value) if isinstance(value, (int, float)) else value
        found = _BOUND.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None or isinstance(value, bool):
            raise ValueError('expected a number not to be passed, such as 30, "> 30" or "< 5"')
        return cls(f"{found[1] or '>'} {found[2]}")

    def passed_by(self, number: float) -> bool:
        """Whether `number` is beyond it; to be at it is fine."""
        sign, _, bound = self.partition(" ")
        return number < float(bound) if sign == "<" else number > float(bound)


_BOUND = re.compile(r"([<>])?\s*(-?[0-9]+(?:\.[0-9]+)?)")


def decode_unit(kind: type, value: Any) -> Any:
    """msgspec's `dec_hook` for every unit of this module; raises ValueError on what is none.

    NotImplementedError is msgspec's word for a type the hook does not know.
    """
    if kind in (Seconds, SomeSeconds, Amount, Rate, Ramp, Bound):
        return kind.read(value)
    raise NotImplementedError(f"no unit: {kind}")


_AMOUNT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^(0|[1-9][0-9]*)%?$"},
    ],
    "description": "a count or a percentage: 3, 25%",
}
_SCHEMAS: dict[type, dict[str, Any]] = {
    Seconds: {
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
        "description": "a duration: 30s, 5m, 1h30m, or seconds",
    },
    SomeSeconds: {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}],
        "description": "a duration above 0: 30s, 5m, 1h30m, or seconds",
    },
    Amount: _AMOUNT_SCHEMA,
    Rate: {"type": "string", "description": "starts in a time: 30/min, 2/s, 100/h"},
    Bound: {
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": _BOUND.pattern}],
        "description": "a number not to be passed: 30, > 30, < 5",
    },
    Ramp: {
        "anyOf": [_AMOUNT_SCHEMA, {"type": "array", "items": _AMOUNT_SCHEMA, "minItems": 1}],
        "description": "sizes of the batches in turn, the last one repeated",
    },
}


def unit_schema(kind: type) -> dict[str, Any]:
    """msgspec's `schema_hook` for every unit of this module."""
    return _SCHEMAS[kind]
