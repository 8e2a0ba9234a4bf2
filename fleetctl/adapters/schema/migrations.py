"""A folder of numbered SQL files: `001_create.sql`, `002_add_colour.sql`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from .facts import Migration, Trouble

_NAME = re.compile(r"(\d{1,9})[_.-].*\.sql|(\d{1,9})\.sql")
_DELIMITER = re.compile(r"^\s*DELIMITER\b", re.IGNORECASE | re.MULTILINE)


def read_migrations(
    folder: Path, upto: int | None = None, *, to_come: bool = False
) -> list[Migration]:
    """The folder's migrations by number, up to `upto`; raises Trouble when it makes no sense.

    `to_come`: that `upto` itself is not here yet is no trouble.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    except OSError as error:
        raise Trouble(f"cannot read the migrations in {folder}: {error.strerror}") from None
    found: dict[int, Migration] = {}
    for name in names:
        one = _read(folder, name)
        if one.number in found:
            raise Trouble(f"{found[one.number].file} and {name} have the same number")
        found[one.number] = one
    newest = max(found, default=0)
    if upto is not None and upto not in found and not (to_come and upto > newest):
        raise Trouble(f"{folder} holds no migration {upto}; the newest is {newest}")
    numbers = sorted(number for number in found if upto is None or number <= upto)
    if not numbers:
        raise Trouble(f"{folder} holds no migration such as 001_create.sql")
    return [found[number] for number in numbers]


def _read(folder: Path, name: str) -> Migration:
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise Trouble(f"{folder / name} has no number; name it like 001_create.sql")
    number = int(matched[1] or matched[2])
    if number == 0:
        raise Trouble(f"{folder / name}: numbers begin at 1")
    raw = (folder / name).read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Trouble(f"{folder / name} is not UTF-8 text") from None
    if _DELIMITER.search(text):
        why = "DELIMITER is a word of the command-line client; bodies of triggers need none here"
        raise Trouble(f"{folder / name}: {why}")
    return Migration(number, name, text, hashlib.sha256(raw).hexdigest())
