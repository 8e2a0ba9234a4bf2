"""What is carried of a journal: never a gap, never twice, and no change goes unseen."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from fleetctl.journal.rows import RunRow, StoredRecord
from fleetctl.rollout import carried
from fleetctl.rollout.carried import Link, Reading, Unlinked, bundle, merged
from fleetctl.transport import carriage
from fleetctl.transport.carriage import LegName

ROW = RunRow("r1", "lab", "push", "d", "ann@desk 1", 1.0, ("push",), 2)
BEGUN = carried.begin(ROW, b"plan")
RECORDS = [StoredRecord(seq, float(seq), b"body %d" % seq) for seq in range(1, 7)]
FIRST, SECOND = LegName(100, 1), LegName(200, 4)


def _lines(*sizes: int) -> list[bytes]:
    """The records in bundles of these sizes, as they lie on a host."""
    link, at, lines = BEGUN, 0, []
    for size in sizes:
        link, data = bundle(link, RECORDS[at : at + size])
        at += size
        lines.append(base64.b64encode(data))
    return lines


def test_bundles_read_twice_give_each_record_once() -> None:
    """A bundle sent again after a lost answer changes nothing."""
    first, second = _lines(2, 4)
    reading = Reading(BEGUN)
    assert reading.take([first, first, second, first, second]) == RECORDS


@pytest.mark.parametrize("cut", [0, 1, 17])
def test_a_torn_bundle_ends_the_reading(cut: int) -> None:
    """What comes after a torn bundle is left out until it is whole."""
    first, second, third = _lines(2, 2, 2)
    reading = Reading(BEGUN)
    assert reading.take([first, second[:cut], third]) == RECORDS[:2]
    assert reading.take([second, third]) == RECORDS[2:]


def test_a_changed_record_is_told_by_its_place() -> None:
    """A bundle that does not follow from the one before is refused."""
    _, other = bundle(Link(2, b"x" * 32), RECORDS[2:4])
    reading = Reading(BEGUN)
    with pytest.raises(Unlinked, match="record 3"):
        reading.take([_lines(2)[0], base64.b64encode(other)])


def test_another_plan_begins_another_chain() -> None:
    """Records do not pass under a plan they were not carried with."""
    with pytest.raises(Unlinked, match="record 1"):
        Reading(carried.begin(ROW, b"plam")).take(_lines(2))


def test_the_later_leg_has_the_word_once_it_got_to_its_own_records() -> None:
    """What the first controller wrote past the place where it was taken over does not count."""
    theirs = [*RECORDS[:3], StoredRecord(4, 9.0, b"resumed")]
    assert merged({FIRST: RECORDS, SECOND: theirs}) == (SECOND, theirs)
    assert merged({FIRST: RECORDS, SECOND: theirs[:3]}) == (FIRST, RECORDS[:3])


def _say(home: Path, text: str) -> bytes:
    environ = {**os.environ, "HOME": str(home), "FLEETCTL_HOME": str(home / "f")}
    done = subprocess.run(["sh"], input=text.encode(), env=environ, capture_output=True,
                          timeout=60, check=False)  # fmt: skip
    return done.stdout


def test_a_host_keeps_bundles_whole_and_to_itself(tmp_path: Path) -> None:
    """Sent twice they are there once; nobody else can read them; they are told by page."""
    first, second = (base64.b64decode(line) for line in _lines(2, 4))
    assert carriage.is_kept(
        _say(tmp_path, carriage.send_text("lab", "r1", carriage.keep("row", b"row")))
    )
    for at, data in ((1, first), (3, second), (3, second)):
        assert carriage.is_kept(
            _say(tmp_path, carriage.send_text("lab", "r1", carriage.add(FIRST, None, (at, data))))
        )
    said = carriage.read_watched(_say(tmp_path, carriage.watch_text("lab", "r1", FIRST, 0, 0)))
    assert said is not None
    assert said.legs == (FIRST,)
    assert said.age_s is not None
    assert Reading(BEGUN).take(said.page.split(b"\n")) == RECORDS
    rest = carriage.read_watched(_say(tmp_path, carriage.watch_text("lab", "r1", FIRST, 1, 5)))
    assert rest is not None
    assert rest.page == base64.b64encode(second)[5:] + b"\n"
    modes = {path.stat().st_mode & 0o77 for path in (tmp_path / "f").rglob("*")}
    assert modes == {0}


def test_the_last_twenty_runs_are_kept(tmp_path: Path) -> None:
    """Older ones go, so a bastion does not fill up; the one at hand stays."""
    folder = tmp_path / "f" / "carried" / "lab"
    for number in range(25):
        run = f"r{number}"
        _say(tmp_path, carriage.send_text("lab", run, carriage.keep("row", b"row")))
        _say(tmp_path, carriage.send_text("lab", run, carriage.add(FIRST, 0, None)))
        os.utime(folder / run / "heard", (number, number))
    assert {path.name for path in folder.iterdir()} == {f"r{number}" for number in range(5, 25)}
    listed = carriage.read_list(_say(tmp_path, carriage.list_text("lab")))
    assert listed is not None
    assert len(listed) == 20
