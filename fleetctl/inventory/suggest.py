"""What somebody meant by a host, tier or tag that does not exist; quick at any size of fleet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fleetctl.base.hostrange import fold
from fleetctl.base.names import did_you_mean, nearest
from fleetctl.inventory.model import Fleet

_NUMBER = re.compile(r"[0-9]+")
COMPARED_MAX = 500
"""Names compared letter by letter; more than that is first thinned out by their shape."""


def suggest_host(word: str, fleet: Fleet) -> str:
    """A hint for a host name or glob that matches nothing."""
    if word in fleet.tiers:
        return f'"{word}" is a tier: write tier={word}'
    bare = word.replace("*", "").replace("?", "")
    found = nearest_host(bare, fleet.hosts)
    if found is not None:
        return f'did you mean "{found}"?'
    if word != bare and (tier := nearest(bare, fleet.tiers)) is not None:
        return f'did you mean "tier={tier}"?'
    return f"known: {_short(fold(fleet.hosts))}" if fleet.hosts else ""


def nearest_host(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`: first of the same shape but for its numbers, then by letters."""
    everything = list(names)
    if len(everything) <= COMPARED_MAX:
        found = nearest(word, everything)
        if found is not None:
            return found
    shapes: dict[str, list[str]] = {}
    for name in everything:
        shapes.setdefault(_NUMBER.sub("0", name), []).append(name)
    shape = nearest(_NUMBER.sub("0", word), list(shapes)[:COMPARED_MAX])
    if shape is None:
        return None
    wanted = _numbers(word)
    return min(shapes[shape], key=lambda name: _distance(_numbers(name), wanted))


def _numbers(name: str) -> list[int]:
    return [int(text) for text in _NUMBER.findall(name)]


def _distance(numbers: list[int], wanted: list[int]) -> int:
    return sum(abs(a - b) for a, b in zip(numbers, wanted, strict=False))


def suggest_tier(word: str, fleet: Fleet) -> str:
    """A hint for a tier that does not exist."""
    return did_you_mean(word, fleet.tiers)


def suggest_key(word: str, fleet: Fleet) -> str:
    """A hint for a tag nobody has."""
    keys = {"tier"}
    for host in fleet.hosts.values():
        keys.update(host.tags)
    return did_you_mean(word, keys)


def suggest_value(key: str, word: str, values: Mapping[str, object]) -> str:
    """A hint for a value a tag never has."""
    found = nearest_host(word, values)
    if found is not None:
        return f'did you mean "{key}={found}"?'
    return f"known: {key}={_short(fold(values))}"


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[:width]}..."
