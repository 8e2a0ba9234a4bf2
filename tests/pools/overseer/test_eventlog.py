"""The log of events: whole lines, room for a full disk, and a new file that says the same."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetctl.pools.overseer.eventlog import EventLog, read


@contextmanager
def _disk_of(size: int) -> Iterator[None]:
    """No file can grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _log(folder: Path) -> EventLog:
    log = EventLog(str(folder / "events.jsonl"), "boot")
    log.open()
    return log


def test_what_a_full_disk_refused_is_written_when_there_is_room(tmp_path: Path) -> None:
    """Nothing is lost, nothing twice, no line broken; and meanwhile it is told."""
    log = _log(tmp_path)
    with _disk_of(200):
        for number in range(20):
            log.append([{"t": float(number), "e": "said", "p": "a/b"}], 0.0)
        assert log.trouble
    log.append([{"t": 20.0, "e": "said", "p": "a/b"}], 0.0)
    assert not log.trouble
    assert [r["t"] for r in read(log.path) if "t" in r] == [float(n) for n in range(21)]


def test_a_new_file_is_not_begun_on_a_full_disk(tmp_path: Path) -> None:
    """The old one stays, whole, and is gone on with."""
    log = _log(tmp_path)
    log.append([{"t": 1.0, "e": "said", "p": "a/b"}], 0.0)
    with _disk_of(10):
        log.begin_anew([{"t": 1.0, "e": "kept", "p": "a/b"}], 0.0)
        assert log.trouble
    log.append([{"t": 2.0, "e": "said", "p": "a/b"}], 0.0)
    assert [r["e"] for r in read(log.path)] == ["begin", "said", "said"]


def test_a_line_cut_short_is_passed_over_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A crash in the middle of a write costs that line alone."""
    log = _log(tmp_path)
    log.append([{"t": 1.0, "e": "said", "p": "a/b"}], 0.0)
    with Path(log.path).open("a") as cut:
        cut.write('{"t":2.0,"e":"sa')
    _log(tmp_path).append([{"t": 3.0, "e": "said", "p": "a/b"}], 0.0)
    assert [r.get("t") for r in read(log.path)] == [None, 1.0, 3.0]


def test_a_full_log_is_put_aside(tmp_path: Path) -> None:
    """The new file begins with what is known; the old one can still be read."""
    log = _log(tmp_path)
    log.append([{"t": 1.0, "e": "said", "p": "a/b"}], 0.0)
    log.begin_anew([{"t": 2.0, "e": "kept", "p": "a/b"}], 0.0)
    assert [r["e"] for r in read(log.path)] == ["begin", "kept"]
    assert [r["e"] for r in read(f"{log.path}.1")] == ["begin", "said"]
