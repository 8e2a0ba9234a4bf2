"""No byte of a journal changes in silence: it reads as it was written, or the place is told."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.journal.copies import back_up, salvage
from fleetctl.journal.errors import JournalUnusable
from fleetctl.journal.examine import Report, examine
from fleetctl.journal.schema import torn_write
from fleetctl.journal.store import Journal
from fleetctl.rollout.runlog import read_records
from tests.journal.keep import CUT, DONE, STOPPED

KEPT = Path(__file__).parent / "kept"
PAGE = 4096
FLIPS = 150
RUNS = {DONE: 30, STOPPED: 13, CUT: 17}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three runs, closed."""
    return Path(shutil.copy(KEPT / "format2.db", tmp_path / "journal.db"))


@pytest.fixture
def crashed(path: Path) -> Path:
    """A journal whose writer died: its last transactions are in the log beside it only."""
    folder = path.parent / "crashed"
    folder.mkdir()
    with Journal(path) as journal:
        for seq in range(18, 24):
            journal.append(CUT, seq, float(seq), [b"\x81\xa4type" + b"x" * 300])
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(path.parent / name, folder / name)
    return folder / "journal.db"


def content(path: Path) -> dict[str, Any]:
    """Everything a journal answers."""
    with Journal(path) as journal:
        runs = journal.runs()
        return {
            "runs": runs,
            "plans": [journal.plan_of(row.id) for row in runs],
            "records": [list(journal.records(row.id)) for row in runs],
            "orders": [journal.orders(row.id) for row in runs],
            "live": journal.live("test"),
            "durations": journal.times("test"),
            "fence": journal.take_fence(0.0),
        }


def flipped(path: Path, at: int, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def look(path: Path) -> tuple[Report, dict[str, Any] | None]:
    """What an examination says, then what a reader gets; None: it was refused with an error."""
    report = examine(path)
    try:
        return report, content(path)
    except FleetError as error:
        return report, None if error.where else {"an error without its place": error}


def places(size: int, chance: random.Random) -> list[int]:
    """Offsets: some of each page's header and cell pointers, some from anywhere."""
    headers = [page + chance.randrange(64) for page in range(0, size, PAGE)]
    return headers + [chance.randrange(size) for _ in range(FLIPS)]


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_byte_is_harmless_or_told(path: Path, seed: int) -> None:
    """Wherever a byte flips: the content reads the same, or verifying tells where it does not."""
    chance = random.Random(seed)
    whole, before = path.read_bytes(), content(path)
    whole = path.read_bytes()
    before["fence"] += 1
    told = 0
    for at in places(len(whole), chance):
        path.write_bytes(whole)
        flipped(path, at, chance)
        report, after = look(path)
        told += bool(report.damages)
        assert report.damages or after == before, f"offset {at}"
        assert all(damage.text for damage in report.damages)
        _clear(path)
    assert told > FLIPS / 4


def test_a_flipped_byte_of_the_log_is_harmless_or_told(crashed: Path) -> None:
    """SQLite takes a bad frame for the end of its log; we tell that records came after it."""
    chance = random.Random(3)
    log = crashed.with_name("journal.db-wal")
    whole, written = crashed.read_bytes(), log.read_bytes()
    before = content(crashed)
    assert len(before["records"][0]) == 23
    told = 0
    for at in places(len(written), chance)[-80:]:
        _clear(crashed)
        crashed.write_bytes(whole)
        log.write_bytes(written)
        flipped(log, at, chance)
        report, after = look(crashed)
        told += bool(report.damages)
        assert report.damages or after == before, f"offset {at}"
        last = any("last write was cut short" in damage.what for damage in report.damages)
        assert not report.damages or after is None or last
    assert told > 40


def test_a_write_cut_short_by_a_crash_holds_nobody_up(crashed: Path) -> None:
    """A frame is two writes: killed between them, the run goes on without what nobody was told."""
    log = crashed.with_name("journal.db-wal")
    written = bytearray(log.read_bytes())
    size = 24 + int.from_bytes(written[8:12], "big")
    last = len(written) - size
    assert int.from_bytes(written[last + 4 : last + 8], "big") > 0, "the last frame is a commit"
    written[last + 24 :] = bytes(size - 24)
    log.write_bytes(written)
    assert torn_write(crashed).endswith(f"offset {last}")
    report, after = look(crashed)
    assert ["cut short" in damage.what for damage in report.damages] == [True]
    assert after is not None
    assert 0 < len(after["records"][0]) < 23


def test_a_bad_frame_before_the_last_commit_is_damage(crashed: Path) -> None:
    """Behind it stands what somebody was told of: nothing is written over that."""
    log = crashed.with_name("journal.db-wal")
    written = bytearray(log.read_bytes())
    written[32 + 24 + 100] ^= 1
    log.write_bytes(written)
    assert torn_write(crashed) == ""
    report, after = look(crashed)
    assert report.damages
    assert after is None


def test_a_torn_file_is_told(path: Path) -> None:
    """A file cut anywhere is told, never a trace."""
    whole = path.read_bytes()
    for size in (0, 1, 99, 100, PAGE - 1, PAGE, PAGE * 3 + 17, len(whole) - PAGE, len(whole) - 1):
        _clear(path)
        path.write_bytes(whole[:size])
        report, after = look(path)
        assert report.damages or size == 0
        assert after is None or size == 0


TAMPERINGS = {
    "changed": ("UPDATE records SET body = x'81', crc = 0 WHERE run = 2 AND seq = 5", STOPPED, 5),
    "redated": ("UPDATE records SET wall_s = wall_s - 60 WHERE run = 2 AND seq = 5", STOPPED, 5),
    "deleted": ("DELETE FROM records WHERE run = 1 AND seq = 7", DONE, 7),
    "swapped": (
        "UPDATE records SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN -4 END"
        " WHERE run = 1 AND seq IN (4, 5); UPDATE records SET seq = -seq WHERE seq < 0",
        *(DONE, 4),
    ),
    "cut off": ("DELETE FROM records WHERE run = 3 AND seq > 15", CUT, 16),
    "exit code": ("UPDATE runs SET exit_code = 0 WHERE number = 2", STOPPED, None),
    "who": ("UPDATE runs SET by = 'bob' WHERE number = 2", STOPPED, None),
    "run deleted": (
        "DELETE FROM records WHERE run = 2; DELETE FROM heads WHERE run = 2;"
        "DELETE FROM runs WHERE number = 2",
        *(DONE, None),
    ),
    "cut off with its head": (
        "DELETE FROM records WHERE run = 2 AND seq > 12; DELETE FROM heads WHERE run = 2",
        *(STOPPED, None),
    ),
    "live": ("UPDATE live SET release = 'rel-1' WHERE host = 'web002'", "", None),
    "duration": ("UPDATE durations SET seconds = 99 WHERE host = 'web002'", "", None),
    "fence": ("UPDATE fence SET last = 5", "", None),
    "order": ("UPDATE orders SET word = 'approve'", "", None),
    "chain taken off": ("UPDATE records SET chain = NULL WHERE run = 1 AND seq > 20", DONE, 21),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_told_with_its_record(path: Path, what: str) -> None:
    """Whatever a hand changes in the tables, the run and the first bad record are named."""
    script, run, seq = TAMPERINGS[what]
    with sqlite3.connect(path) as database:
        database.executescript(script)
    database.close()
    damages = examine(path).damages
    assert any((run, seq) == (one.run, one.seq) for one in damages) or (
        seq is None and any(run == one.run for one in damages)
    ), [one.text for one in damages]
    assert all(one.place for one in damages)


def test_a_whole_tail_redone_is_seen_by_its_seal(path: Path) -> None:
    """Who does all sums anew is not seen in the file, but by a seal noted before."""
    noted = {one.run: one.seal for one in examine(path).runs}
    with Journal(path) as journal:
        journal.append(CUT, 18, 1.0, [b"\x80"])
    assert noted[CUT] in examine(path).seals
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM records WHERE run = 3 AND seq >= 17")
    database.close()
    assert noted[CUT] not in examine(path).seals


def test_writers_are_refused_on_a_damaged_journal(path: Path) -> None:
    """Nothing is written behind damage; the error names a way on, and what is there stays."""
    with sqlite3.connect(path) as database:
        database.execute("UPDATE records SET body = x'00' WHERE run = 3 AND seq = 5")
    database.close()
    with Journal(path) as journal:
        with pytest.raises(JournalUnusable, match="record 5") as caught:
            journal.take_fence(1.0)
        assert "--salvage" in caught.value.hint
        with pytest.raises(JournalUnusable):
            journal.append(CUT, 18, 1.0, [b"x"])
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM records").fetchone() == (60,)
    database.close()


def test_what_is_whole_is_salvaged(path: Path, tmp_path: Path) -> None:
    """Runs without damage are kept as they are, the damaged one up to its first bad record."""
    before = content(path)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM records WHERE run = 2 AND seq = 9")
    database.close()
    report = salvage(path, tmp_path / "kept.db")
    assert {one.run: one.records for one in report.runs} == {**RUNS, STOPPED: 8}
    assert "8 of 13" in report.runs[1].note
    after = content(tmp_path / "kept.db")
    assert after["records"][0] == before["records"][0]
    assert after["records"][1] == before["records"][1][:8]
    assert [row.exit_code for row in after["runs"]] == [None, None, 0]
    assert (after["live"], after["durations"]) == (before["live"], before["durations"])
    with Journal(tmp_path / "kept.db") as journal:
        journal.append(STOPPED, 9, 1.0, [b"\x80"])
    assert examine(tmp_path / "kept.db").damages == ()


@pytest.mark.parametrize("kept", sorted(KEPT.glob("format*.db")), ids=lambda kept: kept.stem)
def test_salvage_survives_any_flip(kept: Path, tmp_path: Path) -> None:
    """However the file is damaged: a copy that verifies, or an error; never a trace."""
    chance = random.Random(5)
    path = tmp_path / "journal.db"
    whole = kept.read_bytes()
    for number, at in enumerate(places(len(whole), chance)[:60]):
        path.write_bytes(whole)
        flipped(path, at, chance)
        try:
            report = salvage(path, tmp_path / f"{number}.db")
        except FleetError:
            continue
        assert report.damages == ()
        _clear(path)


def test_an_old_journal_says_where_its_chain_begins(tmp_path: Path) -> None:
    """Records from before the chain are told as such, and are chained to once the run goes on."""
    path = Path(shutil.copy(KEPT / "format1.db", tmp_path / "journal.db"))
    report = examine(path)
    assert [(one.chained_from, one.records) for one in report.runs] == [
        (None, 30), (None, 13), (None, 17)
    ]  # fmt: skip
    assert report.damages == ()
    assert path.read_bytes() == (KEPT / "format1.db").read_bytes()
    with Journal(path) as journal:
        journal.append(CUT, 18, 1.0, [b"\x80"])
        assert len(list(read_records(journal, DONE))) == 30
    report = examine(path)
    assert (report.runs[2].chained_from, report.damages) == (18, ())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE records SET body = x'80', crc = 7 WHERE run = 3 AND seq = 2")
    database.close()
    assert {one.seq for one in examine(path).damages} == {2, 18}


def test_a_backup_is_never_laid_over_a_file_unasked(path: Path, tmp_path: Path) -> None:
    """A file that is there stays, unless told otherwise; the copy reads as the journal does."""
    file = tmp_path / "backup.db"
    file.write_text("mine")
    with pytest.raises(FleetError, match="there is a file already"):
        back_up(path, file)
    assert file.read_text() == "mine"
    assert len(back_up(path, file, overwrite=True).runs) == 3
    assert content(file) == content(path)
    assert [one.name for one in tmp_path.glob(".*")] == []


def test_a_damaged_journal_is_not_backed_up(path: Path, tmp_path: Path) -> None:
    """A backup is whole or is not there."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM records WHERE run = 2 AND seq = 9")
    database.close()
    with pytest.raises(JournalUnusable, match="record 9"):
        back_up(path, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def _clear(path: Path) -> None:
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
