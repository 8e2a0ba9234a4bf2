"""Data on stdout: tables for people, json, jsonl and yaml for programs. Talk on stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO, TypeVar

import click

from fleetctl.base.plaintext import printable as printable
from fleetctl.cli.endings import silence_stdout

FORMATS = ("table", "json", "jsonl", "yaml")
Row = Mapping[str, object]
Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(command: Command) -> Command:
    """`--output/-o FORMAT`, passed to the command as `output`."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How results are written.",
    )(command)


def emit(rows: Iterable[Row], columns: Sequence[str], fmt: str = "table") -> None:
    """Write rows to stdout; `columns` orders and limits them, a missing value is null (`-`).

    json is an array of objects, jsonl an object a line as rows come. A reader that has gone away
    is no error.
    """
    picked = ({column: row.get(column) for column in columns} for row in rows)
    if fmt == "jsonl":
        for row in picked:
            if not write(to_json(row)):
                return
    elif fmt == "json":
        write(to_json(list(picked), indent=2))
    elif fmt == "yaml":
        write(_to_yaml(list(picked)))
    else:
        write(to_table(list(picked), columns))


def write(text: str) -> bool:
    """Write `text` and a newline to stdout; False when that is not possible any more.

    A reader that is gone (a closed pipe or terminal) is no trouble; a full disk is told.
    """
    try:
        click.echo(text)
    except OSError as error:
        silence_stdout()
        if error.errno not in (errno.EPIPE, errno.EIO):
            tell(f"error: standard output cannot be written: {error.strerror}")
        return False
    return True


def tell(text: str) -> None:
    """A line on stderr; a terminal that is gone is no reason to stop."""
    try:
        click.echo(text, err=True)
    except OSError:
        return


def room(most: int) -> int:
    """Columns a line may have: those of the terminal that is written to, but not above `most`."""
    for stream in (sys.stdout, sys.stderr):
        try:
            return min(most, os.get_terminal_size(stream.fileno()).columns or most)
        except (OSError, ValueError):
            continue
    return most


def quoted(title: str) -> str:
    """A title as it stands within a sentence; one that quotes something itself stands alone."""
    return title if "`" in title else f"`{title}`"


def to_json(value: object, indent: int | None = None) -> str:
    """JSON text; typed models become objects, bytes text."""
    import json

    return json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)


def to_table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Aligned columns without rules; numbers stay as written (`001` is a name)."""
    from tabulate import tabulate

    cells = [[cell_text(row.get(column)) for column in columns] for row in rows]
    return tabulate(cells, headers=[c.upper() for c in columns], tablefmt="plain",
                    disable_numparse=True)  # fmt: skip


def cell_text(value: object) -> str:
    """One value as a person reads it in a table; control characters are made visible."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value) or "-"
    return printable(str(value))


def colour_wanted(stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to colour what goes to `stream`: NO_COLOR, then CLICOLOR_FORCE, CLICOLOR, a tty."""
    stream = sys.stdout if stream is None else stream
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _to_yaml(rows: list[dict[str, object]]) -> str:
    import yaml

    plain = _deep_plain(rows)
    return yaml.dump(plain, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True).rstrip(
        "\n"
    )


def _deep_plain(value: object) -> object:
    import json

    return json.loads(to_json(value))


def _plain(value: object) -> object:
    import msgspec

    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    return str(value)
