"""The specs: kinds, instances and sources of attention, out of a folder of TOML or JSON files.

    [kind.taskmaster]            what is started; every key has a default (`kinds.DEFAULTS`)
    command = ["php", "taskmaster.php", "{instance}"]
    max = 4

    [[instances]]                who has which kinds
    names = ["acme", "i[0001-3333]"]
    kinds = ["taskmaster", "pull", "trigger"]

    [pool."acme/taskmaster"]     what is different for one pool
    max = 8

    [attention.queue]            a program that tells which pools have work
    command = ["watch-the-queue"]

Ten thousand pools are a few lines; each pool of a kind shares the kind. All mistakes are told at
once, with file and line.
"""

from __future__ import annotations

import json
import os
import re

from fleetctl.pools.overseer.kinds import BOUNDS, CHOICES, DEFAULTS, Kind
from fleetctl.pools.overseer.listeners import address, parsed
from fleetctl.pools.overseer.zygotes import recipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TABLES = ("kind", "instances", "pool", "attention")
INSTANCE_KEYS = ("names", "names_from", "kinds")
ATTENTION_DEFAULTS: dict[str, object] = {"command": (), "sqlite": "", "query": "", "every": 1.0}
POOLS_MOST = 1_000_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_RANGE = re.compile(r"([^\[\]]*)\[(\d+)-(\d+)\]([^\[\]]*)")


class Attention:
    """A program that tells which pools have work."""

    __slots__ = ("command", "every_s", "name", "query", "sqlite")

    def __init__(self, name: str, given: dict[str, Any]) -> None:
        self.name = name
        self.command = tuple(given.get("command", ()))
        self.sqlite = str(given.get("sqlite", ""))
        self.query = str(given.get("query", ""))
        self.every_s = float(given.get("every", 1.0))


class Specs:
    """What the folder says."""

    __slots__ = ("attention", "pools")

    def __init__(self, pools: dict[str, Kind], attention: dict[str, Attention]) -> None:
        self.pools = pools
        self.attention = attention


class SpecError(Exception):
    """Mistakes in the specs, all of them, in the order of the files."""


class _Reading:
    """One reading of a folder."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.kinds: dict[str, dict[str, Any]] = {}
        self.overrides: dict[str, dict[str, Any]] = {}
        self.groups: list[tuple[_File, dict[str, Any], int]] = []
        self.attention: dict[str, Attention] = {}


class _File:
    """One file: its text, to find lines in."""

    def __init__(self, path: str, text: str, mistakes: list[str]) -> None:
        self.path = path
        self.lines = text.split("\n")
        self.mistakes = mistakes

    def wrong(self, place: tuple[str, ...], what: str, hint: str = "") -> None:
        """Remember a mistake at a place such as ("kind", "pull", "max")."""
        where = f"{self.path}:{self._line(place)}"
        self.mistakes.append(f"{where}: {what}" + (f"\n  hint: {hint}" if hint else ""))

    def _line(self, place: tuple[str, ...]) -> int:
        """The line the last part of a place stands in, found part by part; 1 if not at all."""
        found, start = 1, 0
        for part in place:
            pattern = re.compile(rf'(?<![\w-])"?{re.escape(part)}"?(?![\w-])')
            for number in range(start, len(self.lines)):
                text = self.lines[number].split("#")[0]
                if pattern.search(text):
                    found, start = number + 1, number
                    break
        return found


def read(folder: str) -> Specs:
    """Read every `.toml` and `.json` file of a folder, in the order of their names.

    Raises SpecError with every mistake, and then nothing of the folder counts.
    """
    reading = _Reading()
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError as error:
        raise SpecError(f"{folder}: {error.strerror}") from None
    for name in names:
        if name.endswith((".toml", ".json")):
            _read_file(reading, f"{folder}/{name}")
    pools = _pools(reading) if not reading.mistakes else {}
    reading.mistakes += _socket_mistakes(pools)
    if reading.mistakes:
        raise SpecError("\n".join(reading.mistakes))
    return Specs(pools, reading.attention)


def _read_file(reading: _Reading, path: str) -> None:
    """One file's tables."""
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123
            text = opened.read()
    except OSError as error:
        reading.mistakes.append(f"{path}: {error.strerror}")
        return
    file = _File(path, text, reading.mistakes)
    content = _parse(file, path, text)
    for table, value in content.items():
        if table not in TABLES:
            file.wrong((table,), f"unknown table {table!r}", _nearest(table, TABLES))
        elif table == "instances":
            _read_instances(reading, file, value)
        elif not isinstance(value, dict):
            file.wrong((table,), f"{table} must be a table of names")
        else:
            for name, given in value.items():
                _read_named(reading, file, (table, name), given)


def _parse(file: _File, path: str, text: str) -> dict[str, Any]:
    """The content of a file; empty with a mistake told when it cannot be read."""
    try:
        if path.endswith(".json"):
            content = json.loads(text or "{}")
        else:
            import tomllib

            content = tomllib.loads(text)
    except ImportError:
        file.wrong((), "TOML needs Python 3.11 on the host", "write it as JSON")
    except json.JSONDecodeError as error:
        file.mistakes.append(f"{path}:{error.lineno}:{error.colno}: {error.msg}")
    except ValueError as error:
        line = re.search(r"at line (\d+), column (\d+)", str(error))
        where = f"{path}:{line[1]}:{line[2]}" if line else path
        file.mistakes.append(f"{where}: {str(error).partition(' (at ')[0]}")
    else:
        if isinstance(content, dict):
            return content
        file.wrong((), "the file must be a table")
    return {}


def _read_named(reading: _Reading, file: _File, place: tuple[str, str], given: object) -> None:
    """A kind, an override of a pool, a source of attention."""
    table, name = place
    if not isinstance(given, dict):
        file.wrong(place, f"{table} {name!r} must be a table")
        return
    if not all(_NAME.fullmatch(part) for part in name.split("/", 1 if table == "pool" else 0)):
        file.wrong(place, f"{name!r} is no name", "letters, digits, `.`, `_` and `-`")
    if table == "attention":
        _check(file, place, given, ATTENTION_DEFAULTS)
        if not given.get("command") and not given.get("sqlite"):
            file.wrong(place, f"attention {name!r} has neither command nor sqlite")
        elif not [mistake for mistake in reading.mistakes if mistake.startswith(file.path)]:
            reading.attention[name] = Attention(name, given)
        return
    known = reading.kinds if table == "kind" else reading.overrides
    if name in known:
        file.wrong(place, f"{table} {name!r} is given twice")
    known[name] = given
    _check(file, place, given, DEFAULTS)
    if table == "kind" and not given.get("command"):
        file.wrong(place, f"kind {name!r} has no command", 'command = ["program", "argument"]')
    elif table == "kind" and not file.mistakes:
        cold = _cold(Kind(name, given))
        if cold:
            file.wrong((*place, "warm"), f"kind {name!r} {cold}", "leave out warm: it is optional")


def _check(
    file: _File, place: tuple[str, str], given: dict[str, Any], defaults: dict[str, object]
) -> None:
    """Every key is known, of the right type and within its bounds."""
    for key, value in given.items():
        here = (*place, key)
        if key not in defaults:
            file.wrong(here, f"unknown key {key!r}", _nearest(key, tuple(defaults)))
        elif not _fits(value, defaults[key]):
            file.wrong(here, f"{key} must be {_TYPES[type(defaults[key])]}, not {value!r}")
        elif key in CHOICES and value not in CHOICES[key]:
            file.wrong(here, f"{key} must be one of {', '.join(CHOICES[key])}, not {value!r}")
        elif key in BOUNDS and not BOUNDS[key][0] <= value <= BOUNDS[key][1]:
            file.wrong(here, f"{key} must be {BOUNDS[key][0]} to {BOUNDS[key][1]}, not {value!r}")
    least, most = given.get("min", 0), given.get("max", 1)
    if defaults is DEFAULTS and isinstance(least, int) and isinstance(most, int) and least > most:
        file.wrong((*place, "min"), f"min {least} is more than max {most}")


_TYPES = {
    tuple: "a list of words",
    str: "a text",
    dict: "a table of texts",
    int: "a whole number",
    float: "a number of seconds",
}


def _fits(value: object, default: object) -> bool:
    """Whether a value can stand where the default does."""
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(word, str) for word in value)
    if isinstance(default, dict):
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    return type(value) is type(default)


def _read_instances(reading: _Reading, file: _File, value: object) -> None:
    """Groups of instances; names are checked when all kinds are known."""
    groups = value if isinstance(value, list) else [value]
    for group in groups:
        if not isinstance(group, dict):
            file.wrong(("instances",), "instances must be a table with names and kinds")
            continue
        for key in group:
            if key not in INSTANCE_KEYS:
                hint = _nearest(key, INSTANCE_KEYS)
                file.wrong(("instances", key), f"unknown key {key!r}", hint)
        lists_only = all(_fits(group.get(key, []), ()) for key in ("names", "kinds"))
        if not lists_only or not isinstance(group.get("names_from", ""), str):
            file.wrong(("instances",), "names and kinds must be lists of words")
        elif not group.get("kinds"):
            file.wrong(("instances",), "these instances have no kinds")
        else:
            reading.groups.append((file, group, 0))


def _pools(reading: _Reading) -> dict[str, Kind]:
    """Every pool with its kind."""
    kinds = {name: Kind(name, given) for name, given in reading.kinds.items()}
    pools: dict[str, Kind] = {}
    for file, group, _ in reading.groups:
        wanted = []
        for kind in group["kinds"]:
            if kind in kinds:
                wanted.append(kinds[kind])
            else:
                hint = _nearest(kind, tuple(kinds))
                file.wrong(("instances", kind), f"unknown kind {kind!r}", hint)
        for name in _names(file, group):
            for known in wanted:
                pools[f"{name}/{known.name}"] = known
    for name, given in reading.overrides.items():
        kind = name.partition("/")[2]
        if name not in pools:
            hint = _nearest(name, tuple(pools))
            reading.mistakes.append(f"pool {name!r}: no instance has it\n  hint: {hint}")
        else:
            pools[name] = whole = Kind(kind, {**reading.kinds[kind], **given})
            if whole.min > whole.max:
                what = f"min {whole.min} is more than max {whole.max}, with what its kind says"
                reading.mistakes.append(f"pool {name!r}: {what}")
            elif _cold(whole):
                reading.mistakes.append(f"pool {name!r} {_cold(whole)}")
    return pools


def _socket_mistakes(pools: dict[str, Kind]) -> list[str]:
    """Sockets that cannot be, or that two pools would share."""
    mistakes, taken = [], dict[str, str]()
    for name, kind in pools.items():
        if not kind.socket:
            continue
        at = address(kind, name)
        try:
            parsed(at)
        except ValueError as error:
            mistakes.append(f"pool {name!r}: socket {error}")
        if kind.max > 1:
            mistakes.append(f"pool {name!r}: with a socket, max must be 1, not {kind.max}")
        if at in taken:
            hint = "put {instance} into its path, or give each pool its own"
            mistakes.append(f"pool {name!r}: {taken[at]!r} has socket {at!r}\n  hint: {hint}")
        taken[at] = name
    return mistakes[:20]


def _cold(kind: Kind) -> str:
    """Why a kind that should start warm cannot; empty if nothing is wrong."""
    try:
        if kind.warm:
            recipe_of(kind)
    except ValueError as error:
        return f"cannot start warm: {error}"
    return ""


def _names(file: _File, group: dict[str, Any]) -> list[str]:
    """The instances of a group, ranges written out."""
    words = list(group.get("names", ()))
    if group.get("names_from"):
        path = os.path.join(os.path.dirname(file.path), group["names_from"])  # noqa: PTH118, PTH120
        try:
            with open(path, encoding="utf-8") as opened:  # noqa: PTH123
                words += opened.read().split()
        except OSError as error:
            file.wrong(("instances", "names_from"), f"{path}: {error.strerror}")
    names = []
    for word in words:
        found = _RANGE.fullmatch(word)
        if found and int(found[3]) - int(found[2]) < POOLS_MOST:
            width = len(found[2])
            numbers = range(int(found[2]), int(found[3]) + 1)
            names += [f"{found[1]}{number:0{width}d}{found[4]}" for number in numbers]
        elif _NAME.fullmatch(word):
            names.append(word)
        else:
            file.wrong(("instances", word), f"{word!r} is no name of an instance")
    return names


def _nearest(word: str, known: tuple[str, ...]) -> str:
    """What was probably meant."""
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known[:12])}"
