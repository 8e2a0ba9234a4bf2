"""Data comes out the same in every format, and only as data."""

from __future__ import annotations

import io
import json

import pytest
import yaml

from fleetctl.base.plaintext import printable
from fleetctl.cli.output import colour_wanted, emit, quoted

ROWS: list[dict[str, object]] = [
    {"name": "db001", "tier": "db", "tags": {"zone": "a"}, "via": "bastion001", "extra": 1},
    {"name": "web001", "tier": "web", "tags": {}, "via": ""},
]
COLUMNS = ("name", "tags", "via", "zone")
PICKED = [
    {"name": "db001", "tags": {"zone": "a"}, "via": "bastion001", "zone": None},
    {"name": "web001", "tags": {}, "via": "", "zone": None},
]


def test_a_table_is_aligned_and_has_no_holes(capsys: pytest.CaptureFixture[str]) -> None:
    """People read columns; a value that is not there shows as a dash."""
    emit(ROWS, COLUMNS, "table")
    assert capsys.readouterr().out == (
        "NAME    TAGS    VIA         ZONE\n"
        "db001   zone=a  bastion001  -\n"
        "web001  -       -           -\n"
    )


def test_programs_get_the_same_rows_in_each_format(capsys: pytest.CaptureFixture[str]) -> None:
    """json is one array, jsonl a line each, yaml a list: all with exactly the columns."""
    emit(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == PICKED
    emit(ROWS, COLUMNS, "jsonl")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == PICKED
    emit(ROWS, COLUMNS, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == PICKED


def test_no_rows_are_still_data(capsys: pytest.CaptureFixture[str]) -> None:
    """A program parsing our json never meets an empty text."""
    emit([], COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == []


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, False, True),
        ({"CLICOLOR": "0"}, True, False),
    ],
)
def test_colour_follows_the_environment(
    environ: dict[str, str], terminal: bool, wanted: bool
) -> None:
    """NO_COLOR wins over CLICOLOR_FORCE wins over CLICOLOR wins over being a terminal."""
    stream = _Terminal() if terminal else io.StringIO()
    assert colour_wanted(stream, environ) is wanted


def test_output_of_a_host_cannot_move_the_cursor() -> None:
    """Escape sequences a host sends are shown, not obeyed."""
    assert printable("a\x1b[2Jb\tc\n") == "a\\x1b[2Jb\tc\n"


def test_a_title_that_quotes_something_is_not_quoted_again() -> None:
    """Gates are named after their command: `true` on each host."""
    assert (quoted("upgrade"), quoted("`true` on each host")) == (
        "`upgrade`",
        "`true` on each host",
    )
