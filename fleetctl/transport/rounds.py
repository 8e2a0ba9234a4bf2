"""Rounds of foreach steps as sh text for `items.sh`, and what it says of their items. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import cast, get_args

import msgspec

from fleetctl.transport.protocol import ItemEnd, Output, Round, StepEnd, StepResult
from fleetctl.transport.shelltexts import checked, quote

PROGRAM = "items.sh"
_ID_CHARACTERS = 24
_LINE = b"item "
_OVER = b"over\n"


def encode_round(found: Round, *, keep_output: bool) -> str:
    """The round's text; raises ValueError for what sh cannot hold."""
    if found.secrets:
        raise ValueError(f"step {found.key} was not given its secrets")
    script = f"set --\neval {quote(found.act)}"
    if found.check:
        script = checked(found.check, found.act)
    ids = [id_of(found.key, item.name) for item in found.items]
    listed = "\n".join(ids)
    head = (
        f"_round {found.concurrency} {max(1, round(found.timeout_s * 100))} {found.lose} "
        f"{quote('' if keep_output else 'q')} {found.done} {found.total or len(ids)} "
        f"{quote(listed)} {quote(script)}"
    )
    lines = [
        f"_i {id_} {item.try_no} {quote(item.name)}"
        for id_, item in zip(ids, found.items, strict=True)
    ]
    return "\n".join([head, *lines, "_over"])


def id_of(key: str, item: str) -> str:
    """What the host's record calls the item of that step."""
    name = f"{key}\0{item}".encode("utf-8", "surrogateescape")
    return sha256(name).hexdigest()[:_ID_CHARACTERS]


def with_items(result: StepResult) -> StepResult:
    """The result of a round with what it says of its items, and no output besides."""
    items, all_told = _read(result.stdout.head + result.stdout.tail)
    return msgspec.structs.replace(result, stdout=Output(), items=items, all_told=all_told)


def _read(text: bytes) -> tuple[tuple[ItemEnd, ...], bool]:
    """Each item told, and whether all are; what follows something unreadable is not told."""
    items: list[ItemEnd] = []
    at = 0
    while text.startswith(_LINE, at):
        line_end = text.find(b"\n", at)
        words = text[at:line_end].split(b" ", 7)
        if line_end < 0 or len(words) != 8 or not words[6].isdigit():
            break
        said = text[line_end + 1 : line_end + 1 + int(words[6])]
        at = line_end + 1 + int(words[6])
        item = _item(words, said)
        if item is None or text[at : at + 1] != b"\n":
            break
        items.append(item)
        at += 1
    return tuple(items), text[at:] == _OVER


def _item(words: list[bytes], said: bytes) -> ItemEnd | None:
    try:
        end, status, spent, replayed, size = [word.decode() for word in words[1:6]]
        name = words[7].decode()
        end = end.replace("timed-out", "timed out")
        if end not in get_args(StepEnd):
            return None
        whole = int(size) <= len(said)
        output = Output(head=said, size=len(said)) if whole else Output(b"", said, int(size))
        code = None if status == "-" else int(status)
        return ItemEnd(name, cast(StepEnd, end), code, int(spent) / 100, output, replayed == "1")
    except ValueError:
        return None
