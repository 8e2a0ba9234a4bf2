"""Faults of a rehearsal, from their words."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import UsageError
from fleetctl.lab.faults import FaultKind
from fleetctl.lab.rehearsal.mishaps import ALWAYS, parse_mishaps
from tests.lab.rehearsal.plans import a_plan

PLAN = a_plan()


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("db001=freeze@upgrade", [("db001", "freeze", "p1-s02-run", ALWAYS, None)]),
        ("db001=fail@upgrade the schema:2", [("db001", "fail", "p1-s02-run", 2, None)]),
        ("web*=cut@reload:30s", [("web001", "cut", "p2-s02-run", ALWAYS, 30.0),
                                 ("web002", "cut", "p2-s02-run", ALWAYS, 30.0)]),
        ("db[001-002]=fail@deploy.switch:1",
         [("db001", "fail", "p1-s01-deploy.switch", 1, None),
          ("db002", "fail", "p1-s01-deploy.switch", 1, None)]),
        ("db002=full-disk@deploy", [("db002", "full-disk", "p1-s01-deploy.prepare", ALWAYS, None)]),
        ("db002=refuse@before", [("db002", "refuse", "", ALWAYS, None)]),
        ("db002=fail@tcp:3", [("db002", "fail", "p1-g04-tcp", 3, None)]),
    ],
)  # fmt: skip
def test_a_fault_names_hosts_a_kind_and_a_moment(
    word: str, found: list[tuple[str, str, str, int, float | None]]
) -> None:
    """Globs and ranges of hosts; steps by kind, part, title or a word of it; how often or long."""
    mishaps = parse_mishaps((word,), PLAN)
    assert [(m.host, m.kind.value, m.key, m.times, m.lasts_s) for m in mishaps] == found


@pytest.mark.parametrize(
    ("word", "what", "hint"),
    [
        ("db001", "no fault of a rehearsal", "write it as"),
        ("db001=freeze", "no fault of a rehearsal", "write it as"),
        ("db001=frezee@upgrade", "frezee", 'did you mean "freeze"'),
        ("bd001=freeze@upgrade", "bd001", 'did you mean "db001"'),
        ("db001=freeze@upgrad", "upgrad", 'did you mean "upgrade"'),
        ("db001=freeze@zzz", "zzz", "steps: "),
        ("db001=freeze@upgrade:5x", "5x", "write it as"),
        ("web001=freeze@upgrade", "web001 has no step", ""),
        ("db001=freeze@tcp", "at a gate only fail", ""),
        ("db001=fail@before", "needs a step", ""),
        ("db[1-=freeze@upgrade", "range", ""),
    ],
)
def test_a_typo_is_told_before_anything_starts(word: str, what: str, hint: str) -> None:
    """What is wrong and what was meant: host, kind, step, or the form of it."""
    with pytest.raises(UsageError) as told:
        parse_mishaps((word,), PLAN)
    assert what in told.value.what
    assert hint in told.value.hint


def test_two_faults_at_one_moment_are_refused() -> None:
    """Which one would come first nobody could say."""
    with pytest.raises(UsageError, match="two faults"):
        parse_mishaps(("db001=freeze@upgrade", "db*=fail@upgrade"), PLAN)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_of_the_lab_can_be_asked_for(kind: FaultKind) -> None:
    """Each is either given by the lab, with what it needs, or done by the stand-in."""
    (mishap,) = parse_mishaps((f"db001={kind}@upgrade",), PLAN)
    done_by_stand_in = kind in (FaultKind.FAIL, FaultKind.FLOOD)
    assert (mishap.fault is None) == done_by_stand_in
