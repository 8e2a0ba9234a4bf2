"""What a release consists of: files, folders and links under clean relative names.

Whatever a release was made from, its entries pass `settle` before they are written: sorted, every
folder there, modes brought down to what matters, and nothing that could reach outside.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

LINKS_FOLLOWED_MAX = 40


class Entry(msgspec.Struct, frozen=True):
    """One piece of a release; `name` is relative, with `/`, without `.` or `..`."""

    name: str
    kind: Literal["folder", "file", "link"]
    mode: int = 0o755
    size: int = 0
    path: Path | None = None
    """Where a file's bytes are, on this machine."""
    target: str = ""
    """What a link says."""


class Unfit(ValueError):
    """A piece that may not be part of a release; the message names it and says why."""


def clean_name(raw: str) -> str:
    """`raw` as an entry's name, "" for the root itself; raises Unfit when it leads outside."""
    if raw.startswith("/"):
        raise Unfit(f"{raw!r} is an absolute path")
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Unfit(f"{raw!r} leads out of the release through `..`")
    if "\0" in raw:
        raise Unfit(f"{raw!r} has a zero byte in its name")
    return "/".join(parts)


def settled_mode(mode: int) -> int:
    """The owner's execute bit, and whether others may read; the rest depends on an umask."""
    private = not mode & 0o044
    if mode & 0o100:
        return 0o700 if private else 0o755
    return 0o600 if private else 0o644


def settle(entries: Iterable[Entry]) -> list[Entry]:
    """All entries in the one order an artifact knows (by bytes), parents added; raises Unfit."""
    found: dict[str, Entry] = {}
    for entry in entries:
        earlier = found.get(entry.name)
        if earlier is not None and not earlier.kind == entry.kind == "folder":
            raise Unfit(f"{entry.name!r} is there twice")
        found[entry.name] = entry
    for name in list(found):
        _add_parents(name, found)
    for entry in found.values():
        if entry.kind == "link":
            _check_link(entry, found)
    return [found[name] for name in sorted(found, key=os.fsencode)]


def _add_parents(name: str, found: dict[str, Entry]) -> None:
    for parent in _parents(name):
        entry = found.setdefault(parent, Entry(parent, "folder"))
        if entry.kind != "folder":
            raise Unfit(f"{name!r} stands below {parent!r}, which is a {entry.kind}")


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = posixpath.dirname(name)
        yield name


def _check_link(link: Entry, found: dict[str, Entry]) -> None:
    """Follow the link as a host would, through other links too; it must never leave the root."""
    here = list(_split(posixpath.dirname(link.name)))
    ahead = _steps(link, link)
    followed = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not here:
                raise Unfit(f"the link {link.name!r} leads out of the release: {link.target!r}")
            here.pop()
            continue
        entry = found.get("/".join([*here, part]))
        if entry is None or entry.kind != "link":
            here.append(part)
            continue
        followed += 1
        if followed > LINKS_FOLLOWED_MAX:
            raise Unfit(f"the link {link.name!r} goes round in circles")
        ahead += _steps(entry, link)


def _steps(entry: Entry, asked: Entry) -> list[str]:
    """The parts of a link's target, last first."""
    if entry.target.startswith("/"):
        raise Unfit(f"the link {asked.name!r} leads to an absolute path: {entry.target!r}")
    return list(_split(entry.target))[::-1]


def _split(path: str) -> Iterator[str]:
    return (part for part in path.split("/") if part not in ("", "."))
