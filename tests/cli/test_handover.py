"""Two people, two machines: one drives a run, the other watches it and takes it over."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import zlib
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002", "db003")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [1, 1, 100%]
    steps:
      - run: echo one >> steps; while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: upgrade
      - run: echo once >> steps
        name: migrate
        once: fleet
      - run: echo three >> steps
        name: restart
"""
ONCE = {
    "db001": ["one", "two", "once", "three"],
    "db002": ["one", "two", "three"],
    "db003": ["one", "two", "three"],
}


class Desks:
    """The fleet behind its bastion, and two machines that know it."""

    def __init__(self, folder: Path, start_lab: StartLab) -> None:
        lab = start_lab({"db": HOSTS, "bastion": ["bastion"]}, via={"db": "bastion"})
        self.ann, self.bob = (Program(folder / name, lab) for name in ("ann", "bob"))
        for program in (self.ann, self.bob):
            program.write("push.yaml", PLAYBOOK)
        self.lab = lab

    def hold(self, *hosts: str) -> None:
        """Hosts stay in their first step."""
        for host in hosts:
            (self.lab.home(host) / "hold").touch()

    def let_go(self) -> None:
        for host in HOSTS:
            (self.lab.home(host) / "hold").unlink(missing_ok=True)

    def steps(self) -> dict[str, list[str]]:
        return {host: self.ann.lines(host, "steps") for host in HOSTS}

    def start(self, at_work: str) -> subprocess.Popen[str]:
        """Ann pushes; returns once this host is at work."""
        process = self.ann.start("push", "push.yaml", "--yes")
        wait_until(lambda: bool(self.ann.lines(at_work, "steps")), f"{at_work} at work")
        return process

    def carried(self) -> list[Path]:
        """The bundles the bastion has."""
        return sorted(self.lab.home("bastion").glob(".fleetctl/carried/lab/*/leg.*/0*"))

    def forget_news(self) -> None:
        """The bastion has nothing but the first bundle: as if carrying had stopped there."""
        bundles = self.carried()
        assert len(bundles) > 1
        for path in bundles[1:]:
            path.unlink()

    def wait_until_carried(self, word: str) -> None:
        """Until a record of that kind about what is held is at the bastion."""
        wait_until(lambda: word in self._records(), f"{word} carried")

    def _records(self) -> str:
        text = b""
        for path in self.carried():
            text += zlib.decompress(base64.b64decode(path.read_bytes()))
        return text.decode("latin-1")


@pytest.fixture
def desks(tmp_path: Path, lab_fleet: StartLab) -> Desks:
    """Three hosts behind a bastion, Ann and Bob."""
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
    return Desks(tmp_path, lab_fleet)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says on stderr, up to a line with `text`."""
    told = ""
    assert process.stderr is not None
    while text not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    return told


def _take_over(desks: Desks) -> subprocess.CompletedProcess[str]:
    return desks.bob.call("resume", "last", "--take-over", "--yes")


def test_a_killed_controller_is_taken_over(desks: Desks) -> None:
    """Kill -9 in the middle: another machine goes on with the run, each step exactly once."""
    desks.hold("db002")
    process = desks.start("db002")
    try:
        desks.wait_until_carried("db002")
    finally:
        end(process)
    run = json.loads(desks.ann.here("runs", "list", "-o", "json").stdout)[0]["run"]
    desks.let_go()
    done = _take_over(desks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert desks.steps() == ONCE
    assert f"run {run} is held by " in done.stderr
    assert json.loads(desks.bob.here("runs", "list", "-o", "json").stdout)[0]["run"] == run
    assert desks.bob.here("runs", "verify").returncode == 0
    back = desks.ann.here("resume", run, "--yes")
    assert back.returncode == ExitCode.LOCK_HELD, back.stderr
    assert "went on elsewhere" in back.stderr


def test_hosts_answer_for_what_was_not_carried(desks: Desks) -> None:
    """The bastion knows of the beginning alone: what ran on hosts is asked, and nothing runs twice.

    Most of all not the step that runs once, on whichever host that was.
    """
    desks.hold("db003")
    process = desks.start("db003")
    try:
        desks.wait_until_carried("db003")
    finally:
        end(process)
    desks.forget_news()
    resuming = desks.bob.start("resume", "last", "--take-over", "--yes")
    try:
        read_until(resuming, "letting db003 end")
        desks.let_go()
        _, stderr = resuming.communicate(timeout=PATIENCE_S)
    finally:
        end(resuming)
    assert resuming.returncode == 0, stderr
    assert desks.steps() == ONCE


def test_a_frozen_controller_that_comes_back_sends_nothing_more(desks: Desks) -> None:
    """SIGSTOP, taken over, SIGCONT: the first stops with 7; each step ran exactly once."""
    desks.hold("db002")
    process = desks.start("db002")
    try:
        desks.wait_until_carried("db002")
        process.send_signal(signal.SIGSTOP)
        desks.forget_news()
        refused = desks.bob.here("resume", "last", "--yes")
        assert refused.returncode == ExitCode.USAGE, refused.stderr  # it is no run of this journal
        taken = desks.bob.start("resume", "last", "--take-over", "--yes")
        read_until(taken, "letting db002 end")
        desks.let_go()
        _, told = taken.communicate(timeout=PATIENCE_S)
        assert taken.returncode == 0, told
        assert desks.steps() == ONCE
        process.send_signal(signal.SIGCONT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.LOCK_HELD, stderr
    assert desks.steps() == ONCE


def test_the_old_controller_is_told_who_goes_on(desks: Desks) -> None:
    """Both live: taken over in the middle, the first drains with 7 and the name of the second."""
    desks.hold("db001")
    process = desks.start("db001")
    taken = None
    try:
        desks.wait_until_carried("db001")
        taken = desks.bob.start("resume", "last", "--take-over", "--yes")
        read_until(taken, "letting db001 end")
        told = read_until(process, "goes on with this run")  # it drains: what it has out may end
        desks.let_go()
        _, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == ExitCode.LOCK_HELD, stderr
        assert re.search(rf"@\S+ {taken.pid} goes on with this run", told)
        _, told = taken.communicate(timeout=PATIENCE_S)
        assert taken.returncode == 0, told
    finally:
        end(process)
        if taken is not None:
            end(taken)
    assert desks.steps() == ONCE


def test_watching_from_another_machine(desks: Desks) -> None:
    """Attached, one sees it end with its exit code; who leaves before does no harm."""
    desks.hold("db002")
    process = desks.start("db002")
    leaving = watching = None
    try:
        desks.wait_until_carried("db002")
        (row,) = json.loads(desks.bob.here("attach", "-o", "json").stdout)
        assert (row["state"], row["hosts"], row["exit"]) == ("live", 3, None)
        leaving = desks.bob.start("attach", "last")
        assert leaving.stderr is not None
        assert re.search(r"last heard \d+ s ago", leaving.stderr.readline())
        leaving.send_signal(signal.SIGINT)
        assert leaving.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
        watching = desks.bob.start("attach", "last", "-o", "jsonl")
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["type"] == "run-opened"
        desks.let_go()
        stdout = watching.stdout.read()
        watching.wait(timeout=PATIENCE_S)
        process.communicate(timeout=PATIENCE_S)
    finally:
        for each in (process, leaving, watching):
            if each is not None:
                end(each)
    assert (process.returncode, watching.returncode) == (0, 0)
    seqs = [json.loads(line)["seq"] for line in stdout.splitlines()]
    assert seqs == list(range(2, len(seqs) + 2))
    assert json.loads(stdout.splitlines()[-1])["type"] == "run-ended"


def test_a_bastion_that_takes_nothing_is_no_reason_to_stop(desks: Desks) -> None:
    """What cannot be carried is told once, and the run goes on to its end."""
    folder = desks.lab.home("bastion") / ".fleetctl"
    folder.mkdir(mode=0o700)
    (folder / "carried").write_text("in the way")
    done = desks.ann.call("push", "push.yaml", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the journal is not carried just now") == 1
    assert desks.steps() == ONCE
