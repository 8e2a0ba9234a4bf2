"""Schemas of instances before a push."""

from __future__ import annotations

import pytest

from fleetctl.doctor.findings import SCHEMA, Level, Remark
from fleetctl.doctor.schemas import judge_schemas


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("current", Level.OK),
        ("PENDING", Level.OK),
        ("FAILED", Level.FAIL),
        ("UNKNOWN", Level.UNKNOWN),
        ("unknown", Level.UNKNOWN),
        ("unreachable", Level.UNKNOWN),
        ("a word of tomorrow", Level.UNKNOWN),
    ],
)
def test_a_broken_migration_stops_a_push_and_a_pending_one_does_not(
    state: str, level: Level
) -> None:
    """What is pending is what a push is for; whatever is not understood is unknown."""
    told = list(judge_schemas([{"host": "db1", "state": state, "detail": "acme"}]))
    assert [(host, remark.level) for host, remark in told] == [("db1", level)]


def test_all_instances_are_counted_once() -> None:
    """The sum over shards stands beside them; what was not told is not counted as zero."""
    rows: list[dict[str, object]] = [
        {"host": "db1", "state": "PENDING", "pending": 2, "current": 5},
        {"host": "db2", "state": "unknown", "pending": None},
        {"host": "db3", "state": "PENDING", "pending": 3, "asleep": 1},
    ]
    assert list(judge_schemas(rows))[-1] == (
        "", Remark(SCHEMA, Level.OK, "instances: 5 current, 5 pending, 1 asleep"),
    )  # fmt: skip
