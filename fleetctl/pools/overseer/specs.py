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

import os
import re

from fleetctl.pools.overseer import placeholders
from fleetctl.pools.overseer.instances import MOST, NAME, expand
from fleetctl.pools.overseer.kinds import BOUNDS, CHOICES, DEFAULTS, Kind
from fleetctl.pools.overseer.listeners import address, parsed
from fleetctl.pools.overseer.sheets import HINT, Sheet, nearest, parse, told
from fleetctl.pools.overseer.zygotes import recipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetctl.pools.overseer.sheets import Place

TABLES = ("kind", "instances", "pool", "attention")
INSTANCE_KEYS = ("names", "names_from", "kinds")
ATTENTION_DEFAULTS: dict[str, object] = {"command": (), "sqlite": "", "query": "", "every": 1.0}


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
        self.whole = True
        """Each file could be read."""
        self.kinds: dict[str, dict[str, Any]] = {}
        self.overrides: dict[str, dict[str, Any]] = {}
        self.files: dict[tuple[str, str], Sheet] = {}
        """Where kinds, overrides and sources of attention are written, by table and name."""
        self.groups: list[tuple[Sheet, int, dict[str, Any]]] = []
        """A file, the number of the group in it, the group."""
        self.attention: dict[str, Attention] = {}


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
    pools: dict[str, Kind] = {}
    if reading.whole:  # or what stands in a file that cannot be read would be called unknown
        _check_queues(reading)
        pools = _pools(reading)
    if not reading.mistakes:
        reading.mistakes += _socket_mistakes(pools)
    if reading.mistakes:
        raise SpecError(told(reading.mistakes))
    return Specs(pools, reading.attention)


def _read_file(reading: _Reading, path: str) -> None:
    """One file's tables."""
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123
            text = opened.read()
    except OSError as error:
        reading.mistakes.append(f"{path}: {error.strerror}")
        reading.whole = False
        return
    file, before = Sheet(path, text, reading.mistakes), len(reading.mistakes)
    content = parse(file, path, text)
    reading.whole = reading.whole and len(reading.mistakes) == before
    for table, value in content.items():
        if table not in TABLES:
            file.wrong((table,), f"unknown table {table!r}", nearest(table, TABLES))
        elif table == "instances":
            _read_instances(reading, file, value)
        elif not isinstance(value, dict):
            file.wrong((table,), f"{table} must be a table of names")
        else:
            for name, given in value.items():
                _read_named(reading, file, (table, name), given)


def _read_named(reading: _Reading, file: Sheet, place: tuple[str, str], given: object) -> None:
    """A kind, an override of a pool, a source of attention."""
    table, name = place
    if not isinstance(given, dict):
        file.wrong(place, f"{table} {name!r} must be a table")
        return
    if not all(NAME.fullmatch(part) for part in name.split("/", 1 if table == "pool" else 0)):
        file.wrong(place, f"{name!r} is no name", "letters, digits, `.`, `_` and `-`")
    reading.files.setdefault(place, file)
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
    _check_placeholders(file, place, given)
    if table == "kind" and not given.get("command"):
        file.wrong(place, f"kind {name!r} has no command", 'command = ["program", "argument"]')
    elif table == "kind" and not file.mistakes:
        cold = _cold(Kind(name, given))
        if cold:
            file.wrong((*place, "warm"), f"kind {name!r} {cold}", "leave out warm: it is optional")


def _check(
    file: Sheet, place: tuple[str, str], given: dict[str, Any], defaults: dict[str, object]
) -> None:
    """Every key is known, of the right type and within its bounds."""
    for key, value in given.items():
        here = (*place, key)
        if key not in defaults:
            file.wrong(here, f"unknown key {key!r}", nearest(key, tuple(defaults)))
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


def _read_instances(reading: _Reading, file: Sheet, value: object) -> None:
    """Groups of instances; names are checked when all kinds are known."""
    groups = value if isinstance(value, list) else [value]
    for number, group in enumerate(groups):
        place = ("instances", number)
        if not isinstance(group, dict):
            file.wrong(place, "instances must be a table with names and kinds")
            continue
        for key in group:
            if key not in INSTANCE_KEYS:
                hint = nearest(key, INSTANCE_KEYS)
                file.wrong((*place, key), f"unknown key {key!r}", hint)
        lists_only = all(_fits(group.get(key, []), ()) for key in ("names", "kinds"))
        if not lists_only or not isinstance(group.get("names_from", ""), str):
            file.wrong(place, "names and kinds must be lists of words")
        elif not group.get("kinds"):
            file.wrong(place, "these instances have no kinds")
        else:
            reading.groups.append((file, number, group))


def _pools(reading: _Reading) -> dict[str, Kind]:
    """Every pool with its kind; where kinds have mistakes, only names are judged."""
    sound = not reading.mistakes
    kinds = {name: Kind(name, given if sound else {}) for name, given in reading.kinds.items()}
    pools: dict[str, Kind] = {}
    for file, number, group in reading.groups:
        place = ("instances", number)
        wanted: dict[str, Kind] = {}
        for name in group["kinds"]:
            if name in wanted:
                file.wrong((*place, name), f"kind {name!r} is named twice")
            elif name in kinds:
                wanted[name] = kinds[name]
            else:
                file.wrong((*place, name), f"unknown kind {name!r}", nearest(name, kinds))
        for word, key in _words(file, place, group):
            _add(pools, file, (*place, key), word, wanted)
    if sound and not reading.mistakes:
        for name, given in reading.overrides.items():
            _override(reading, pools, name, given)
    return pools


def _add(
    pools: dict[str, Kind], file: Sheet, place: Place, word: str, wanted: dict[str, Kind]
) -> None:
    """The pools of one word; an instance that has a pool of that kind already is a mistake."""
    try:
        names = expand(word)
    except ValueError as error:
        file.wrong(place, *str(error).split(HINT))
        return
    if len(pools) + len(names) * len(wanted) > MOST:
        file.wrong(place, f"with {word!r} there would be more than {MOST} pools")
        return
    for kind in wanted.values():
        twice = []
        for name in names:
            pool = f"{name}/{kind.name}"
            if pool in pools:
                twice.append(name)
            pools[pool] = kind
        if twice:
            more = f", and so have {len(twice) - 1} more of {word!r}" if twice[1:] else ""
            what = f"instance {twice[0]!r} has kind {kind.name!r} already{more}"
            file.wrong(place, what, "name an instance once for each kind")


def _override(reading: _Reading, pools: dict[str, Kind], name: str, given: dict[str, Any]) -> None:
    """What is different for one pool."""
    file, kind = reading.files["pool", name], name.partition("/")[2]
    if name not in pools:
        file.wrong(("pool", name), f"pool {name!r}: no instance has it", nearest(name, pools))
        return
    pools[name] = whole = Kind(kind, {**reading.kinds[kind], **given})
    if whole.min > whole.max:
        what = f"min {whole.min} is more than max {whole.max}, with what its kind says"
        file.wrong(("pool", name), f"pool {name!r}: {what}")
    elif _cold(whole):
        file.wrong(("pool", name), f"pool {name!r} {_cold(whole)}")


def _check_queues(reading: _Reading) -> None:
    """Whatever counts a kind's tasks is a source of attention."""
    sources = tuple(name for table, name in reading.files if table == "attention")
    for table, tables in (("kind", reading.kinds), ("pool", reading.overrides)):
        for name, given in tables.items():
            queue = given.get("queue")
            if queue and isinstance(queue, str) and queue not in sources:
                what = f"queue {queue!r} is no source of attention"
                hint = nearest(queue, sources) if sources else f"add [attention.{queue}]"
                reading.files[table, name].wrong((table, name, "queue"), what, hint)


def _check_placeholders(file: Sheet, place: tuple[str, str], given: dict[str, Any]) -> None:
    """Words in braces stand for something, where texts are filled in."""
    for key in ("command", "cwd", "env", "socket"):
        value = given.get(key, "")
        if not _fits(value, DEFAULTS[key]):
            continue  # told already
        known = placeholders.OF_SOCKETS if key == "socket" else placeholders.EVERYWHERE
        texts = [value] if isinstance(value, str) else list(value)
        if isinstance(value, dict):
            texts = list(value.values())
        for word in placeholders.unknown("\n".join(texts), known):
            hint = re.sub(rf"\b({'|'.join(known)})\b", r"{\1}", nearest(word, known))
            if known is not placeholders.EVERYWHERE and word in placeholders.EVERYWHERE:
                hint = "a socket is the pool's, not a slot's"
            hint += f"; braces that are meant themselves are written {{{{{word}}}}}"
            file.wrong(
                (*place, key, f"{{{word}}}"), f"{{{word}}} stands for nothing in {key}", hint
            )


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


def _words(file: Sheet, place: Place, group: dict[str, Any]) -> list[tuple[str, str]]:
    """The words that name the instances of a group, each with what is found where it stands."""
    words = [(word, word) for word in group.get("names", ())]
    if group.get("names_from"):
        path = os.path.join(os.path.dirname(file.path), group["names_from"])  # noqa: PTH118, PTH120
        try:
            with open(path, encoding="utf-8") as opened:  # noqa: PTH123
                words += [(word, "names_from") for word in opened.read().split()]
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8"
            file.wrong((*place, "names_from"), f"{path}: {why}")
    return words
