"""Laying tag values and addresses over the hosts of a range, in order."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Mapping, Sequence

from fleetctl.base.hostrange import expand
from fleetctl.inventory.source import Spread, TagText, TagValue

_PLACE = re.compile(r"\{([^{}]*)\}")
ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
"""Never starting with a dash: programs such as ssh would read it as a flag."""


def tag_values(value: TagValue, count: int) -> list[str]:
    """The value of one tag for each of `count` hosts; raises ValueError on a malformed range."""
    each = value.each if isinstance(value, Spread) else 1
    values = _listed(value.values if isinstance(value, Spread) else value)
    if not values:
        raise ValueError("an empty list gives no host a value")
    if each > 1:
        values = [text for text in values for _ in range(min(each, count))]
    return list(itertools.islice(itertools.cycle(values), count))


def _listed(value: TagText | list[TagText]) -> list[str]:
    items = value if isinstance(value, list) else [value]
    listed: list[str] = []
    for item in items:
        text = str(item).lower() if isinstance(item, bool) else str(item)
        if not text:
            raise ValueError("a tag cannot be empty")
        listed += expand(text) if "[" in text else (text,)
    return listed


def tag_rows(columns: Mapping[str, Sequence[str]], count: int) -> list[Mapping[str, str]]:
    """The tags of each host, from the values of each tag; hosts tagged alike share one mapping."""
    if not columns:
        return [_NO_TAGS] * count
    shared: dict[tuple[str, ...], Mapping[str, str]] = {}
    rows: list[Mapping[str, str]] = []
    for values in zip(*columns.values(), strict=True):
        row = shared.get(values)
        if row is None:
            row = shared[values] = dict(zip(columns, values, strict=True))
        rows.append(row)
    return rows


_NO_TAGS: Mapping[str, str] = {}


def addresses(spec: str, names: Sequence[str], tier: str) -> list[str]:
    """The address of each host; raises ValueError when `spec` does not fit as many hosts."""
    if "{" in spec or "}" in spec:
        return _from_pattern(spec, names, tier)
    if spec.endswith("+"):
        return _counted(spec[:-1], len(names))
    found = list(expand(spec))
    if len(found) != len(names):
        raise ValueError(f"it gives {len(found)} addresses for {len(names)} hosts")
    return found


def _from_pattern(spec: str, names: Sequence[str], tier: str) -> list[str]:
    unknown = [word for word in _PLACE.findall(spec) if word not in ("name", "tier")]
    rest = _PLACE.sub("", spec)
    if unknown or "{" in rest or "}" in rest:
        what = f"{{{unknown[0]}}}" if unknown else "a lone brace"
        raise ValueError(f"{what} means nothing here; {{name}} and {{tier}} do")
    if "{name}" not in spec and len(names) > 1:
        raise ValueError(f"without {{name}} it gives one address for {len(names)} hosts")
    spec = spec.replace("{tier}", tier)
    return [spec.replace("{name}", name) for name in names]


def _counted(first: str, count: int) -> list[str]:
    base = ipaddress.ip_address(first)
    if int(base) + count > 1 << base.max_prefixlen:
        raise ValueError(f"there are no {count} addresses from {first} on")
    if base.version == 6:
        return [str(base + index) for index in range(count)]
    return [_dotted(number) for number in range(int(base), int(base) + count)]


def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
