"""The benchmark's proof that a tool did what it was asked to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.fleet import BenchFleet, BenchHost
from bench.workload import STEPS_COUNT, faults, wipe_marks


@pytest.fixture
def pushed(tmp_path: Path) -> BenchFleet:
    """Two hosts with the marks of a perfect push: step k takes the k-th second."""
    hosts = tuple(BenchHost(name, "127.0.0.1", tmp_path / name) for name in ("a", "b"))
    fleet = BenchFleet(tmp_path, hosts, "me", 22, tmp_path / "key", tmp_path / "known_hosts")
    wipe_marks(fleet)
    for host in hosts:
        for number in range(1, STEPS_COUNT + 1):
            for word, at_s in (("began", number + 0.1), ("ended", number + 0.9)):
                mark(host, f"{number}.{word}", at_s)
    return fleet


def mark(host: BenchHost, name: str, at_s: float) -> None:
    """Leave a mark as a step does, at a time of ours."""
    path = host.home / "marks" / name
    with path.open("a") as file:
        file.write("\n")
    os.utime(path, (at_s, at_s))


def test_a_perfect_push_has_no_faults(pushed: BenchFleet) -> None:
    """Every step once on every host, in lockstep."""
    assert faults(pushed) == []


def test_a_step_that_ran_twice_is_found(pushed: BenchFleet) -> None:
    """A second run of a step is told with its host and number."""
    mark(pushed.hosts[1], "3.began", 3.1)

    assert faults(pushed) == ["b: step 3 began 2 times, ended 1 times"]


def test_a_step_left_out_is_found(pushed: BenchFleet) -> None:
    """A host that did not do a step is told."""
    for word in ("began", "ended"):
        (pushed.hosts[0].home / "marks" / f"6.{word}").unlink()

    assert faults(pushed) == ["a: step 6 began 0 times, ended 0 times"]


def test_a_host_that_runs_ahead_is_found(pushed: BenchFleet) -> None:
    """No host may begin a step before every host has ended the one before."""
    os.utime(pushed.hosts[1].home / "marks" / "4.began", (3.5, 3.5))

    assert faults(pushed) == ["step 4 began on 1 hosts before step 3 was over"]
