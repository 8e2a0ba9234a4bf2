"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 process`, `3 processes`; `1 source of attention`, `3 sources of attention`."""
    first, space, rest = noun.partition(" ")
    many = f"{first}{'es' if first.endswith('s') else 's'}{space}{rest}"
    return f"{number} {noun if number == 1 else many}"
