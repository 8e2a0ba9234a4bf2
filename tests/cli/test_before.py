"""What hosts ran before, from a journal: one run taken back, or the last one of each host."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fleetctl.base.errors import LockHeld, Refused, UsageError
from fleetctl.base.outcome import Outcome
from fleetctl.cli.assemble import Wish
from fleetctl.cli.before import Before, before_hosts, before_run
from fleetctl.cli.selection import Choice
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.releases.pins import write_pins
from fleetctl.rollout import records as r
from fleetctl.rollout.runlog import RunLog
from tests.plan.fleets import phase, plan_of, small_fleet

SWITCH = "p1-s01-deploy.switch"
ALL = ("web001", "web002", "web003", "web004")


class Past:
    """A journal, and runs in it that end as told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"
        self.fleet = replace(small_fleet(), source=str(folder / "inventory.yaml"))
        self.live: dict[str, str] = {}

    def run(self, name: str, release: str, *changed: str, title: str = "Push") -> None:
        """A run that deploys `release`; these hosts are switched to it."""
        text = phase("name: web\nhosts: tier=web\nsteps: [{deploy: {to: app}}]")
        plan = plan_of(text, self.fleet, releases={"web": release}, live=dict(self.live))
        with Journal(self.path) as journal:
            log = RunLog(journal, name, plan)
            row = RunRow(name, "test", title, "digest", "me", 1.0, (), 4)
            log.open(row, r.RunOpened(name, "digest", 1, "me", (), 0))
            ends = [r.StepSettled("web", host, SWITCH, Outcome.CHANGED) for host in changed]
            log.append([*ends, r.RunEnded(0, "end")], 2.0)
        self.live.update(dict.fromkeys(changed, release))

    def wish(self, *hosts: str) -> Wish:
        return Wish(Choice(host=hosts), journal=str(self.path))

    def before(self, run: str, *hosts: str) -> Before | None:
        return before_run(self.wish(*hosts), self.fleet, run)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    made = Past(tmp_path)
    made.run("first", "r1", *ALL[:3])
    made.run("second", "r2", *ALL[:2])
    return made


def test_a_run_names_the_hosts_it_changed_and_what_they_ran(past: Past) -> None:
    """Only those, restricted by the selection; the earlier release is the run's, not today's."""
    past.run("third", "r3", "web001")
    found = past.before("second")
    assert found is not None
    assert found.known() == {"web001": "r1", "web002": "r1"}
    found = past.before("second", "web002", "web003")
    assert found is not None
    assert found.hosts == ("web002",)
    assert found.title("Saturday push", None) == "Roll back second: Saturday push"


def test_a_first_release_has_nothing_before_it(past: Past) -> None:
    """Refused with the hosts folded, rather than left out silently."""
    found = past.before("first")
    assert found is not None
    with pytest.raises(Refused, match=r"nobody knows what web\[001-003\] ran before run first"):
        found.known()


def test_nothing_to_take_back_is_told(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that switched nobody, or none of the hosts selected, is no mistake."""
    assert past.before("second", "web004") is None
    past.run("idle", "r2")
    assert past.before("last") is None
    told = capsys.readouterr().err
    assert "run second changed none of the selected hosts" in told
    assert "run idle changed no host's release" in told


def test_a_run_that_is_driven_is_not_taken_back(past: Past) -> None:
    """By its number and by its hosts: exit code 7."""
    with Journal(past.path) as journal:
        lock = journal.lock("second")
        lock.take("somebody")
        try:
            with pytest.raises(LockHeld, match="run second has not ended"):
                past.before("second")
            with pytest.raises(LockHeld):
                before_hosts(past.wish("web001"), past.fleet, None)
        finally:
            lock.release()


def test_going_back_twice_says_that_it_goes_forward(past: Past) -> None:
    """`rollback last` typed again means the rollback."""
    past.run("back", "r1", *ALL[:2], title="Roll back second: Push")
    found = past.before("last")
    assert found is not None
    assert "goes forward again" in found.notes[0]


def test_each_host_has_its_own_last_change(past: Past) -> None:
    """From the newest run that switched it; where none did, what was pinned before."""
    past.run("third", "r3", "web001")
    found = before_hosts(past.wish(*ALL[:2]), past.fleet, None)
    assert found.known() == {"web001": "r2", "web002": "r1"}
    found = before_hosts(past.wish(*ALL), past.fleet, None)
    with pytest.raises(Refused, match=r"web\[003-004\] ran before"):
        found.known()
    pins = Path(past.fleet.source).with_name("inventory.pins.yaml")
    write_pins(pins, ["web"], "r0")
    write_pins(pins, ["web"], "r3")
    found = before_hosts(past.wish("web004"), past.fleet, None)
    assert found.known() == {"web004": "r0"}
    with pytest.raises(UsageError, match="say what to roll back"):
        before_hosts(Wish(), past.fleet, None)
