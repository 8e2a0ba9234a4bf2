"""Which instances there are: from a file, from a command, or from a query on the shard.

A line is `NAME [DATABASE [STATE]]`. The columns of a query are called name, database, state.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .facts import Instance, Trouble

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,99}")
_COMMAND_TIMEOUT_S = 60
Ask = Callable[[str, "str | None"], "Iterable[Sequence[Any]]"]
"""Runs the query for all instances, or for the one named; rows of name, database, state."""


def read_instances(
    source: Mapping[str, str], pattern: str, ask: Ask, only: str | None = None
) -> list[Instance]:
    """The instances, or the one named `only`; raises Trouble.

    `pattern` makes a database's name of an instance's, where the list has none: `app_{name}`.
    """
    if "query" in source:
        rows: Iterable[Sequence[Any]] = ask(source["query"], only)
    elif "file" in source:
        rows = _lines(_text_of_file(Path(source["file"]).expanduser()))
    elif "command" in source:
        rows = _lines(_text_of_command(source["command"]))
    else:
        raise Trouble("nothing says which instances there are")
    found = [_instance(row, pattern) for row in rows if only is None or str(row[0]) == only]
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Trouble(f"the list of instances has {twice[0]} twice")
    return found


def _lines(text: str) -> list[list[str]]:
    lines = (line.split() for line in text.splitlines())
    return [words for words in lines if words and not words[0].startswith("#")]


def _text_of_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Trouble(f"cannot read the list of instances {path}: {error.strerror}") from None


def _text_of_command(text: str) -> str:
    """What the sh text prints; it is the author's own, from the playbook."""
    done = subprocess.run(
        ["sh", "-c", text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_COMMAND_TIMEOUT_S,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Trouble(
            f"the command that lists instances ended with {done.returncode}: {''.join(said)}"
        )
    return done.stdout.decode("utf-8", "replace")


def _instance(row: Sequence[Any], pattern: str) -> Instance:
    words = ["" if word is None else str(word) for word in row]
    name = words[0]
    if not _NAME.fullmatch(name):
        raise Trouble(f"the list of instances holds {name!r}, which cannot name one")
    database = words[1] if len(words) > 1 and words[1] else pattern.replace("{name}", name)
    state = words[2].lower() if len(words) > 2 and words[2] else "active"
    if state not in ("active", "suspended", "destroyed"):
        raise Trouble(f"instance {name} is {state!r}; it is active, suspended or destroyed")
    return Instance(name, database or name, state)
