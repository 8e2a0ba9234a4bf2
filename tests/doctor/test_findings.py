"""Remarks folded over hosts, ordered, and the exit code they mean."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.doctor.findings import (
    DISK,
    HOST_KEY,
    MEMORY,
    PLAN,
    REACH,
    Finding,
    Level,
    Remark,
    exit_code,
    fold,
)

FAIL, UNKNOWN, WARN, OK = Level.FAIL, Level.UNKNOWN, Level.WARN, Level.OK


def test_equal_remarks_of_several_hosts_are_one_finding() -> None:
    """Forty hosts with the same trouble are one line, in the order they came."""
    remark = Remark(DISK, WARN, "5% free of /srv", "make room")
    found = fold([("db002", remark), ("db001", remark)])
    assert found == [Finding(DISK, WARN, ("db002", "db001"), "5% free of /srv", "make room")]


def test_what_stops_a_push_earliest_comes_first() -> None:
    """Worst level first; within one, the plan before the way to the host before its disk."""
    remarks = [
        ("a", Remark("lag", FAIL, "l")),
        ("a", Remark(MEMORY, UNKNOWN, "m")),
        ("a", Remark(DISK, FAIL, "d")),
        ("a", Remark(REACH, WARN, "r")),
        ("", Remark(PLAN, FAIL, "p")),
    ]
    assert [found.check for found in fold(remarks)] == [PLAN, DISK, "lag", MEMORY, REACH]


def test_a_host_with_one_bad_file_system_is_not_counted_as_fine() -> None:
    """A check of two looks says ok of a host only when both are."""
    remarks = [("a", Remark(DISK)), ("a", Remark(DISK, WARN, "full")), ("b", Remark(DISK))]
    assert [(f.level, f.hosts) for f in fold(remarks)] == [(WARN, ("a",)), (OK, ("b",))]


@pytest.mark.parametrize(
    ("remarks", "unreached", "code"),
    [
        ([("a", Remark(DISK)), ("a", Remark(MEMORY, WARN, "w"))], (), ExitCode.OK),
        ([("a", Remark(DISK, FAIL, "f")), ("b", Remark(REACH, FAIL, "r"))], "b", ExitCode.REFUSED),
        ([("a", Remark(HOST_KEY, FAIL, "k"))], "a", ExitCode.REFUSED),
        ([("b", Remark(REACH, FAIL, "r")), ("a", Remark(DISK))], "b", ExitCode.UNREACHABLE),
        ([("b", Remark(REACH, FAIL, "r")), ("a", Remark(DISK, UNKNOWN, "u"))], "b",
         ExitCode.UNKNOWN),
        ([("", Remark("lease", UNKNOWN, "u"))], (), ExitCode.UNKNOWN),
        ([("b", Remark(REACH, UNKNOWN, "frozen"))], "b", ExitCode.UNREACHABLE),
    ],
)  # fmt: skip
def test_the_exit_code_says_what_a_push_would_meet(
    remarks: list[tuple[str, Remark]], unreached: str, code: ExitCode
) -> None:
    """What stops a push is 8, what nobody could look at 3, and only unreached hosts 4."""
    assert exit_code(fold(remarks), unreached) is code
