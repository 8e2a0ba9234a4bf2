"""A bastion that drops starts, dies in the middle of a push, comes back or does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.lab.layout import ServerKind
from tests.cli.program import Program, wait_until
from tests.faults.sick import Ward
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow
FEW = ("n1", "n2", "n3")
PLAYBOOK = """\
title: x
phases:
  - name: n
    hosts: tier=n
    batches: [2, 100%]
    steps:
      - run: echo one >> marks; while [ -e hold ]; do sleep 0.05; done; echo two >> marks
"""
SERVERS = ["embedded", pytest.param("openssh", marks=pytest.mark.openssh)]


@pytest.mark.parametrize(("server", "size"), [
    ("embedded", 100), pytest.param("openssh", 44, marks=pytest.mark.openssh),
])  # fmt: skip
def test_a_crowd_behind_a_bastion_that_drops_starts(
    tmp_path: Path, lab_fleet: StartLab, server: ServerKind, size: int
) -> None:
    """MaxStartups 10:30:100 and all hosts at once: every one of them changed, each effect once."""
    names = [f"n{number:03d}" for number in range(1, size + 1)]
    lab = lab_fleet({"n": names, "b": ["bastion"]}, server, via={"n": "bastion"})
    lab.fault("bastion", "maxstartups", startups="10:30:100")
    program = Program(tmp_path, lab)
    program.write("push.yaml", PLAYBOOK.replace("batches: [2, 100%]", "batches: 100%"))
    done = program.call("push", "push.yaml", "--yes", "--fanout", str(size))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"{size} of {size} accounted for: {size} changed" in done.stdout
    assert all(program.lines(name, "marks") == ["one", "two"] for name in names)


@pytest.fixture(params=SERVERS)
def lab(request: pytest.FixtureRequest, lab_fleet: StartLab) -> RunningLab:
    return lab_fleet({"n": FEW, "b": ["bastion"]}, request.param, via={"n": "bastion"})


@pytest.fixture
def ward(tmp_path: Path, lab: RunningLab) -> Ward:
    """Three hosts behind a bastion, the first two held in their step."""
    return Ward(tmp_path, lab, PLAYBOOK, held=FEW[:2])


def _marks(ward: Ward) -> dict[str, list[str]]:
    return {host: ward.program.lines(host, "marks") for host in FEW}


def _at_work(ward: Ward) -> None:
    wait_until(lambda: all(ward.program.lines(host, "marks") for host in FEW[:2]), "at work")


def test_a_bastion_that_dies_and_comes_back(ward: Ward) -> None:
    """Steps go on without it; once it is back each host is asked, and nothing is lost."""
    process = ward.program.start("push", "push.yaml", "--yes")  # with all its patience
    _at_work(ward)
    ward.lab.fault("bastion", "refuse")
    ward.lab.fault("bastion", "cut")
    ward.let_go()
    wait_until(lambda: all(len(ward.program.lines(h, "marks")) == 2 for h in FEW[:2]), "their ends")
    ward.lab.clear("bastion")
    code, told = ward.finish(process)
    assert code == 0, told
    assert "bastion" in told
    assert _marks(ward) == {host: ["one", "two"] for host in FEW}


@pytest.mark.parametrize("lab", SERVERS[:1], indirect=True)
def test_a_bastion_that_stays_away(ward: Ward) -> None:
    """What was out is unknown, not failed; nothing else begins; back, the truth is found."""
    process = ward.start("push", "push.yaml")
    _at_work(ward)
    ward.lab.fault("bastion", "refuse")
    ward.lab.fault("bastion", "cut")
    ward.let_go()
    code, told = ward.finish(process)
    assert code == ExitCode.UNKNOWN, told
    assert {host: ward.outcomes()[host] for host in FEW} == {
        "n1": "unknown", "n2": "unknown", "n3": "skipped",
    }  # fmt: skip
    assert _marks(ward) == {"n1": ["one", "two"], "n2": ["one", "two"], "n3": []}
    ward.lab.clear("bastion")
    code, told = ward.call("runs", "resume", "last", "--failed")
    assert code == ExitCode.STOPPED, told
    code, told = ward.call("runs", "resume", "last")
    assert code == 0, told
    assert _marks(ward) == {host: ["one", "two"] for host in FEW}
