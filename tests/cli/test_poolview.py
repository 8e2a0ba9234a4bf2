"""The status of pools over a fleet: rows, words, exit codes, and hosts that told nothing."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import to_json
from fleetctl.cli.overseers import Silent
from fleetctl.cli.poolpicture import CAUSES, Pen, picture, slots_text, summary, versions_note
from fleetctl.cli.poolstatus import read, refuse_unknown
from fleetctl.cli.poolview import COLUMNS, Row, Scope, as_data, rows_of, verdict
from fleetctl.pools.overseer.states import ERRORS
from fleetctl.pools.tallies import Group, Hold, Tally, Trouble
from fleetctl.pools.words import FAULTS

PLAIN = Pen(colour=False, unicode=False)
TIERS = {"repo001": "repo", "repo002": "repo", "web001": "web"}
ASLEEP = Group(
    pools=25, instances=25, words={"HIBERNATING": 25}, slots={"hibernating": 25}, places=100,
    next_wake_s=7200.0,
)  # fmt: skip
BUSY = Group(
    pools=25, instances=25, words={"RUNNING": 2, "HIBERNATING": 23},
    slots={"busy": 3, "idle": 1, "hibernating": 23}, places=100, processes=4, measured=4,
    memory_mb=80.0, claimable=7, oldest_s=12.0, next_wake_s=60.0,
)  # fmt: skip
SICK = Group(
    pools=2, instances=2, words={"FAILED": 1, "BACKOFF": 1}, slots={"failed": 1, "backoff": 1},
    errors_15m=9, uncounted=2,
    troubles=(Trouble("FAILED", "exec_error", 1, 240.0), Trouble("BACKOFF", "exit", 1, 3.0)),
)  # fmt: skip
HELD = Group(
    pools=2, instances=2, words={"PAUSED": 2}, slots={"paused": 2},
    holds=(Hold("PAUSED", "new keys", "ann", 2, 720.0),),
)  # fmt: skip
GONE = Silent("unreachable", "connect: no route to host")


def _tally(full: float = 50.0, **groups: Group) -> Tally:
    kinds = tuple(sorted(groups))
    own = {"instances": 25.0, "fullness_percent": full, "lookouts_failing": 0.0}
    return Tally(0.0, "kind", kinds, groups, Group(), 0, own)


def _rows(answers: dict[str, Tally | Silent], by: str = "kind", **more: Any) -> list[Row]:
    return rows_of(answers, Scope(by, TIERS, **more))


def test_kinds_are_added_up_over_hosts() -> None:
    """A line a kind: pools and errors add up, the worst time counts, density is a mean."""
    rows = _rows({"repo001": _tally(task=ASLEEP), "repo002": _tally(70.0, task=BUSY, sick=SICK)})
    sick, task = rows
    assert (sick.name, task.name) == ("sick", "task")
    assert (task.group.pools, task.hosts) == (50, ("repo001", "repo002"))
    assert (task.group.next_wake_s, task.group.oldest_s) == (60.0, 12.0)
    assert task.group.words == {"HIBERNATING": 48, "RUNNING": 2}
    assert task.instances_per_host == 25
    assert task.fullness == (60.0, 70.0)
    assert sick.hosts == ("repo002",)


def test_a_host_that_told_nothing_is_unknown_and_nothing_of_it_is_zero() -> None:
    """It has a line of its own with its cause; its numbers are null for programs, ? for people."""
    answers: dict[str, Tally | Silent] = {"repo001": _tally(task=ASLEEP), "repo002": GONE}
    task, lost = _rows(answers)
    data = as_data(lost, "kind")
    assert data["kind"] is None
    assert data["silent"] == {"repo002": "unreachable: connect: no route to host"}
    whole = {column: data.get(column) for column in COLUMNS}
    assert whole["unknown_hosts"] == 1
    assert {whole[name] for name in ("pools", "busy", "hibernating", "errors_15m")} == {None}
    assert as_data(task, "kind")["unknown_hosts"] == 0
    lines = picture([task, lost], "kind", PLAIN)
    (line,) = [line for line in lines if line.startswith("(unknown)")]
    assert line.split()[1:4] == ["1", "?", "?"]
    assert "? 1 host unreachable: repo002: connect: no route to host" in lines
    assert "; 1 error in 15 min" in summary([Row("x", Group(errors_15m=1))], {}, 1)
    assert "1 host told: 1 pool: none" in summary([Row("x", Group(pools=1))], {}, 1)
    told = summary([task, lost], {"repo002": GONE}, 1)
    assert told.startswith("1 of 2 hosts told: 25 pools: 25 hibernating; no errors recently")
    assert told.endswith("what 1 host keeps is unknown")


@pytest.mark.parametrize("by", ["kind", "host", "tier", "instance"])
def test_every_way_of_grouping_shows_every_host_that_told_nothing(by: str) -> None:
    """However lines are made, no silent host is left out, and each is told once."""
    absent = Silent("absent", "none")
    answers: dict[str, Tally | Silent]
    answers = {"repo001": _tally(task=BUSY), "repo002": GONE, "web001": absent}
    rows = _rows(answers, by)
    assert sorted(host for row in rows for host in row.silent) == ["repo002", "web001"]
    assert sum(row.group.pools for row in rows) == 25
    json.loads(to_json([as_data(row, by) for row in rows]))
    lines = "\n".join(picture(rows, by, PLAIN))
    assert "1 host unreachable: repo002" in lines
    assert "1 host absent: web001: none; hint: fleetctl pools install web001" in lines


def test_a_tier_is_told_with_what_is_not_known_of_it() -> None:
    """A tier of which a host is silent has its numbers on one line and the gap on the next."""
    rows = _rows({"repo001": _tally(task=ASLEEP, pull=ASLEEP), "repo002": GONE}, "tier")
    repo, web = rows
    assert (repo.group.pools, repo.group.instances, repo.hosts) == (50, 25, ("repo001",))
    assert list(repo.silent) == ["repo002"]
    assert web.group.pools == 0
    assert any(line.startswith("repo (unknown)") for line in picture(rows, "tier", PLAIN))


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"repo001": _tally(task=BUSY)}, ExitCode.OK),
        ({"repo001": _tally(task=HELD)}, ExitCode.OK),
        ({"repo001": _tally(task=BUSY, sick=SICK)}, ExitCode.HOST_FAILED),
        ({"repo001": _tally(task=BUSY), "repo002": Silent("absent", "")}, ExitCode.HOST_FAILED),
        ({"repo001": _tally(task=BUSY), "repo002": Silent("unknown", "")}, ExitCode.UNKNOWN),
        ({"repo001": _tally(task=BUSY), "repo002": Silent("stopped", "")}, ExitCode.UNKNOWN),
        ({"repo001": _tally(sick=SICK), "repo002": Silent("unknown", "")}, ExitCode.UNKNOWN),
        ({"repo001": _tally(task=BUSY), "repo002": GONE}, ExitCode.UNREACHABLE),
        ({"repo001": _tally(sick=SICK), "repo002": GONE}, ExitCode.HOST_FAILED),
    ],
)
@pytest.mark.parametrize("by", ["kind", "host", "tier", "instance"])
def test_the_exit_code_says_whether_something_is_wrong(
    answers: dict[str, Tally | Silent], code: ExitCode, by: str
) -> None:
    """Unknown before wrong before unreachable before well, however lines are made."""
    assert verdict(_rows(answers, by)) is code


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_an_overseer_in_trouble_is_wrong_however_its_pools_are(fault: str, words: str) -> None:
    """Where it cannot hear of work, sleepers may sleep on: that is said, with the host."""
    sick = Tally(0.0, "kind", ("task",), {"task": ASLEEP}, Group(), 0, {fault: 1.0})
    for by in ("kind", "host", "tier", "instance"):
        rows = _rows({"repo001": sick}, by)
        assert verdict(rows) is ExitCode.HOST_FAILED
        assert f"in trouble: {words} on repo001; " in "\n".join(picture(rows, by, PLAIN))


def test_sleep_and_restart_after_an_error_are_never_alike() -> None:
    """Word, sign and colour differ, cause and next time stand there, also without colour."""
    rows = _rows({"repo001": _tally(task=ASLEEP, sick=SICK)})
    lines = picture(rows, "kind", PLAIN)
    assert any("z 25 hibernating" in line and line.endswith("in 2 h 00 min") for line in lines)
    assert any("! 1 backoff  X 1 failed" in line for line in lines)
    assert (
        "X 1 pool FAILED: cannot be started (exec_error), next probe in 4 min 00 s; sick" in lines
    )
    assert "! 1 pool BACKOFF: exited with an error (exit), next restart in 3.0 s; sick" in lines
    text = slots_text({"hibernating": 1, "backoff": 1, "failed": 1}, Pen(colour=True))
    painted = {part.split("m", 1)[0] for part in text.split("\x1b[") if not part.startswith("0m")}
    assert len(painted - {""}) == 3
    assert "\x1b" not in "".join(picture(rows, "kind", Pen()))


def test_on_a_narrow_terminal_the_slots_stand_below_their_line() -> None:
    """Nothing is left out and nothing goes over the edge; where there is room it is one line."""
    answers: dict[str, Tally | Silent] = {
        "repo001": _tally(taskmaster=ASLEEP, sick=SICK),
        "repo002": _tally(70.0, taskmaster=BUSY, sick=SICK),
        "web001": GONE,
    }
    rows = _rows(answers)
    wide = picture(rows, "kind", PLAIN)
    edge = max(map(len, wide[:4]))
    assert picture(rows, "kind", PLAIN._replace(width=edge)) == wide
    table = picture(rows, "kind", Pen(colour=True, unicode=False, width=80))[:8]
    assert max(len(click.unstyle(line)) for line in table) <= 80, table
    for cell in ("taskmaster", "50", "z 48 hibernating", "in 1 min 00 s", "12 s (7)", "80 MB"):
        assert cell in "\n".join(map(click.unstyle, table))
    assert "  z 48 hibernating" in picture(rows, "kind", PLAIN._replace(width=30))


def test_one_of_those_in_trouble_is_named_with_its_host() -> None:
    """Of many hosts' it is the one that is tried next: who looks need not search for it."""
    later = Trouble("FAILED", "exit", 2, 240.0, "acme/sick", "repo001")
    sooner = Trouble("FAILED", "exit", 1, 60.0, "zeta/sick", "repo002")
    tallies: dict[str, Tally | Silent] = {
        one.host: _tally(sick=Group(pools=one.pools, words={"FAILED": one.pools}, troubles=(one,)))
        for one in (later, sooner)
    }
    (line,) = [line for line in picture(_rows(tallies), "kind", PLAIN) if "FAILED" in line]
    assert "3 pools FAILED" in line
    assert line.endswith("sick; see: fleetctl pools log zeta/sick --host repo002")


def test_holds_say_who_why_and_how_long() -> None:
    """A pause is not sleep: whose it is, why, and when it ends stand below the table."""
    lines = picture(_rows({"repo001": _tally(task=HELD)}), "kind", PLAIN)
    assert '= 2 pools PAUSED by ann: "new keys", 12 min 00 s left; task' in lines


@pytest.mark.parametrize(
    ("standing", "code", "words"),
    [
        ("live", ExitCode.OK, ", which is at work; task"),
        (
            "over",
            ExitCode.HOST_FAILED,
            ", which is over; task: fleetctl runs resume r1, or fleetctl pools release r1",
        ),
        (
            "unknown",
            ExitCode.UNKNOWN,
            ", of which nothing is known; task: fleetctl lock status, fleetctl pools release r1",
        ),
    ],
)
def test_what_a_run_holds_is_well_only_while_that_is_at_work(
    standing: Any, code: ExitCode, words: str
) -> None:
    """A push lets go by itself; what is over does not, and its pools stay down until somebody acts.
    Two runs are two lines; what to type ends its line."""
    holds = (
        Hold("HELD", "run r1", "fleetctl", 2, run="r1", standing=standing),
        Hold("HELD", "run r1", "fleetctl", 1, run="r2", standing="live"),
    )
    task = Group(pools=3, instances=3, words={"HELD": 3}, slots={"held": 3}, holds=holds)
    rows = _rows({"repo001": _tally(task=task), "repo002": _tally(task=task)})
    assert verdict(rows) is code
    lines = picture(rows, "kind", PLAIN)
    assert f"# 4 pools HELD by run r1{words}" in lines
    assert "# 2 pools HELD by run r2, which is at work; task" in lines


def test_tasks_nobody_counts_are_not_none() -> None:
    """No queue, an empty queue, and a source that fails are told apart."""

    def shown(**group: Any) -> str:
        rows = _rows({"repo001": _tally(task=Group(pools=2, words={"RUNNING": 2}, **group))})
        head, line = picture(rows, "kind", PLAIN)[:2]
        return line[head.index("OLDEST TASK") :].split("  ")[0].strip()

    assert shown() == "-"
    assert shown(uncounted=2) == "not counted"
    assert shown(uncertain=2) == "?"
    assert shown(claimable=3, oldest_s=15.0, uncertain=1) == "15 s (3) ?"


def test_instances_that_sleep_well_are_counted_and_only_listed_when_wanted() -> None:
    """A line each for those that do something; the others are one line, and none is lost."""
    one = Group(pools=3, instances=1, words={"HIBERNATING": 3}, slots={"hibernating": 3})
    awake = Group(pools=3, instances=1, words={"RUNNING": 1, "HIBERNATING": 2})
    groups = {"acme": awake, **{f"i{n}": one for n in range(5)}}
    left = Group(pools=6, instances=2, words={"HIBERNATING": 6}, slots={"hibernating": 6})
    told = Tally(0.0, "instance", ("task",), groups, left, 2, {})
    rows = _rows({"repo001": told}, "instance")
    assert [(row.name, row.rest) for row in rows] == [("acme", 0), ("", 7)]
    assert any(line.startswith("(7 more)") for line in picture(rows, "instance", PLAIN))
    rows = _rows({"repo001": told}, "instance", whole=True)
    assert [row.name for row in rows] == ["acme", "i0", "i1", "i2", "i3", "i4", ""]
    assert sum(row.group.pools for row in rows) == 24


def test_a_kind_that_is_none_is_a_mistake_unless_somebody_is_silent() -> None:
    """A typo is told with the nearest kind; with a silent host nobody knows that it is one."""
    scope = Scope("kind", TIERS, ("taks",))
    answers: dict[str, Tally | Silent] = {"repo001": _tally(task=ASLEEP)}
    with pytest.raises(UsageError, match='"taks"') as told:
        refuse_unknown(answers, scope, ())
    assert '"task"' in told.value.hint
    refuse_unknown({**answers, "repo002": GONE}, scope, ())
    with pytest.raises(UsageError, match="acme"):
        refuse_unknown({"repo001": _tally()}, Scope("kind", TIERS), ("acme",))


def test_an_answer_nobody_understands_is_unknown() -> None:
    """Another program's answer is neither zero nor a crash."""
    found = read({"repo001": {"at": 1, "groups": 7}, "repo002": GONE})
    assert isinstance(found["repo001"], Silent)
    assert found["repo001"].state == "unknown"
    assert found["repo002"] is GONE


def test_every_cause_of_an_error_has_words() -> None:
    """No cause of the overseer's is shown as a bare code."""
    assert set(CAUSES) >= ERRORS


def test_overseers_of_several_versions_are_told() -> None:
    """A fleet that was upgraded in part says so, and where; one that is alike says nothing."""
    assert versions_note({"repo001": "a", "repo002": "a"}) == ""
    told = versions_note({"repo001": "a", "repo002": "a", "repo003": "b"})
    assert "2 versions" in told
    assert "another than most: repo003" in told
