"""Pins are a small reviewable file that is always whole, and says where it is wrong."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.errors import InputError, InputErrors, LockHeld, Refused
from fleetctl.releases.pins import pins_path, read_pin_facts, read_pins, write_pins

NOON_S = 1_795_348_800.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return pins_path(tmp_path / "phacility.yaml")


def test_pins_stand_beside_their_inventory(path: Path) -> None:
    """Each inventory has its own pins, named after it; none written means none pinned."""
    assert path.name == "phacility.pins.yaml"
    assert read_pins(path) == {}


def test_a_pin_says_who_when_and_what_was_before(path: Path) -> None:
    """The file can be reviewed: every pin carries its story, and the file is stable."""
    assert write_pins(path, ["db"], "v1", at_s=NOON_S, by="bea") == {"db": None}
    write_pins(path, ["web"], "v1", at_s=NOON_S, by="bea")
    earlier = write_pins(path, ["db"], "1.10", at_s=NOON_S + 60, by="ida", note='the "fix": #7')[
        "db"
    ]
    assert earlier is not None
    assert earlier.release == "v1"
    assert read_pins(path) == {"db": "1.10", "web": "v1"}
    facts = read_pin_facts(path)["db"]
    assert (facts.by, facts.was, facts.note) == ("ida", "v1", 'the "fix": #7')
    assert facts.at == "2026-11-22T12:01:00+00:00"


def test_pinning_what_is_pinned_changes_nothing(path: Path) -> None:
    """No noise in the history of the file."""
    write_pins(path, ["db"], "v1", at_s=NOON_S, by="bea")
    before = path.read_bytes()
    write_pins(path, ["db"], "v1", at_s=NOON_S + 60, by="ida")
    assert path.read_bytes() == before


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=9))
def test_any_word_survives_being_written(
    tmp_path_factory: pytest.TempPathFactory, word: str
) -> None:
    """What is written is read back the same: `no`, `1.10`, `#x`, quotes."""
    path = tmp_path_factory.mktemp("pins") / "x.pins.yaml"
    write_pins(path, [word], word, by=word, note=word)
    assert read_pins(path) == {word: word}


def test_mistakes_are_told_with_their_place_and_what_was_meant(path: Path) -> None:
    """A tier or release that is not there is refused, every one at once."""
    path.write_text("db: v-1.1\nwbe:\n  release: v-1.3\n")
    with pytest.raises(InputErrors) as raised:
        read_pins(path, tiers=["db", "web"], releases=["v-1.1"])
    assert str(raised.value) == (
        f'{path}:2:1: no tier "wbe" to pin\n  hint: did you mean "web"?\n'
        f'{path}:3:12: tier wbe: no release "v-1.3" here\n  hint: did you mean "v-1.1"?'
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("db: 1.10\n", "1:5"),
        ("db:\n  relase: v1\n", "2:3"),
        ("- db\n", "1:1"),
        ("db: v1\ndb: v2\n", "2:1"),
        ("db: {\n", "2:1"),
    ],
)
def test_a_file_that_is_no_pins_is_told_with_its_place(path: Path, text: str, place: str) -> None:
    """Unquoted numbers, unknown keys, double tiers: refused where they stand."""
    path.write_text(text)
    with pytest.raises((InputError, InputErrors), match=f"{path.name}:{place}"):
        read_pins(path)


def test_a_file_that_cannot_be_read_is_never_written_over(path: Path) -> None:
    """Somebody's half-edited pins survive our writing."""
    path.write_text("db: {\n")
    with pytest.raises(InputError):
        write_pins(path, ["db"], "v2")
    assert path.read_text() == "db: {\n"


def test_a_link_stays_a_link_and_a_failed_write_leaves_no_crumbs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced where it really is; on a full disk the old one stays, alone."""
    real = tmp_path / "shared" / "pins.yaml"
    real.parent.mkdir()
    real.write_text("db: v1\n")
    path.symlink_to(real)
    write_pins(path, ["db"], "v2")
    assert path.is_symlink()
    assert read_pins(real) == {"db": "v2"}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match="No space"):
        write_pins(path, ["db"], "v3")
    assert read_pins(real) == {"db": "v2"}
    assert [p.name for p in real.parent.iterdir()] == ["pins.yaml"]


def test_two_writers_exclude_each_other(path: Path) -> None:
    """A pin is never lost to another one written at the same moment."""
    handle = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(LockHeld):
        write_pins(path, ["db"], "v1")
    os.close(handle)
