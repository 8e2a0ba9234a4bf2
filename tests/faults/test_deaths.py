"""The controller dies by kill -9 at a write of its journal, in a push whose steps run once only.

The hosts count the effects: a line each in a file. A resume begins at once, while commands of the
dead controller still run on the hosts; it dies at a write of its own; the next one ends the run.
`pytest --exhaustive` goes through all writes, else a few are taken, spread over the push.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.journal.examine import examine
from fleetctl.journal.store import Journal
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.faults import dying
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002", "db003", "db004")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    gates:
      - command: "true"
    steps:
      - run: echo one >> MARKS; sleep 0.2; echo two >> MARKS
        name: upgrade
      - run: echo three >> MARKS; case $HOME in *3/home) sleep 0.3 ;; esac
        name: restart
        barrier: true
      - run: echo four >> MARKS
        name: open
"""
ONCE = ["one", "two", "three", "four"]
WRITES_MAX = 16
"""More than such a push ever has: one of all it hears within a turn."""
SPREAD = {"before": (2, 6, 8), "after": (3, 5)}
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def lab(module_lab_fleet: StartLab) -> RunningLab:
    return module_lab_fleet({"db": HOSTS})


@pytest.fixture
def program(tmp_path: Path, lab: RunningLab) -> Program:
    """A journal and a file of marks of its own on hosts that others were at before."""
    program = Program(tmp_path, lab)
    program.write("push.yaml", PLAYBOOK.replace("MARKS", f"marks-{next(_NUMBERS)}"))
    return program


def _marks(program: Program) -> dict[str, list[str]]:
    name = (program.folder / "push.yaml").read_text().partition(">> ")[2].partition(";")[0]
    return {host: program.lines(host, name) for host in HOSTS}


def _die(program: Program, when: str, number: int, *words: str) -> bool:
    """Run it until it dies; False when it came to its end."""
    words = (sys.executable, dying.__file__, when, str(number), *words, "--yes")
    done = subprocess.run(words, cwd=program.folder, env=program.environ, capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False)  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stdout + done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    ("when", "number"),
    [
        pytest.param(when, number, marks=[] if number in spread else [pytest.mark.exhaustive])
        for when, spread in SPREAD.items()
        for number in range(1, WRITES_MAX + 1)
    ],
)
def test_each_effect_once_wherever_the_controller_dies(
    program: Program, when: str, number: int
) -> None:
    """Push, death at a write, resume at once, death at a write of it, resume: each effect once."""
    died = _die(program, when, number, "push", "push.yaml")
    assert died or number > max(SPREAD[when]), "the push has fewer writes than this test believes"
    assert number < WRITES_MAX or not died, "the push has more writes than this test believes"
    with Journal(program.folder / "journal.db") as journal:
        runs = journal.runs()
    if not runs:  # the second write opens the run
        assert number < 2 + (when == "before")
        assert not any(_marks(program).values()), "touched by a run that is not in the journal"
        _steal(program)
        _ends_well(program, "push", "push.yaml")
        return
    assert died or [row.exit_code for row in runs] == [0]
    if runs[0].exit_code is None:
        _die(program, "after" if number % 2 else "before", 1 + number % 4, "runs", "resume", "last")
    _ends_well(program, "runs", "resume", "last")
    if runs[0].exit_code is not None:
        _steal(program)  # it may have died between its last write and giving its lease back


def test_who_pushes_again_after_a_death_is_shown_the_way_to_resume(program: Program) -> None:
    """The lease is held by a run of this very journal: nobody is to wait for it, or steal it."""
    assert _die(program, "after", 5, "push", "push.yaml")
    refused = program.call("push", "push.yaml", "--yes")
    assert refused.returncode == ExitCode.LOCK_HELD, refused.stderr
    with Journal(program.folder / "journal.db") as journal:
        (row,) = journal.runs()
    assert f"go on with it: fleetctl runs resume {row.id}" in refused.stderr
    _ends_well(program, "runs", "resume", "last")


def _steal(program: Program) -> None:
    """A lease may outlive a run that is in no journal, or has ended: a person says it is free."""
    done = program.call("lock", "steal", "--tier", "db", "--reason", "it died", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


def _ends_well(program: Program, *words: str) -> None:
    """Also when it died after its last write: then, and only then, nothing is left to do."""
    with Journal(program.folder / "journal.db") as journal:
        ended = bool(journal.runs()) and journal.runs()[0].exit_code == 0
        done = program.call(*words, "--yes")
        assert done.returncode == (ExitCode.REFUSED if ended else 0), done.stdout + done.stderr
        assert [row.exit_code for row in journal.runs()] == [0]
    assert "4 of 4 accounted for: 4 changed" in done.stdout + done.stderr
    assert _marks(program) == dict.fromkeys(HOSTS, ONCE)
    assert examine(program.folder / "journal.db").damages == ()


HELD = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    steps:
      - run: echo one >> marks; while [ -e hold ]; do sleep 0.1; done; echo two >> marks
        name: upgrade
      - run: echo three >> marks; echo four >> marks
        name: restart
"""


def test_a_resume_at_once_waits_for_what_still_runs(tmp_path: Path, lab_fleet: StartLab) -> None:
    """Two controllers die over a step that runs on; the third waits for its end; nothing twice."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", HELD)
    for host in HOSTS:
        (program.lab.home(host) / "hold").touch()
    for number, words in enumerate((("push", "push.yaml"), ("runs", "resume", "last")), 1):
        process = program.start(*words, "--yes")
        try:
            _await_runners(program, number)
        finally:
            end(process)
    process = program.start("runs", "resume", "last", "--yes")
    try:
        _await_runners(program, 3)
        for host in HOSTS:
            (program.lab.home(host) / "hold").unlink()
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == 0, stdout + stderr
    assert {host: program.lines(host, "marks") for host in HOSTS} == dict.fromkeys(HOSTS, ONCE)


GATED = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    gates:
      - command: touch asked; while [ -e shut ]; do sleep 0.1; done
    steps:
      - run: echo one >> marks
"""


def test_a_gate_after_the_last_host_is_asked_by_the_resume(
    tmp_path: Path, lab_fleet: StartLab
) -> None:
    """With every host done and a gate open, a run is not over: a resume asks it, then ends it."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS[:1]}))
    program.write("push.yaml", GATED)
    home = program.lab.home(HOSTS[0])
    (home / "shut").touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until((home / "asked").exists, "the gate")
    finally:
        end(process)
    (home / "asked").unlink()
    (home / "shut").unlink()
    done = program.call("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (home / "asked").exists()
    assert program.lines(HOSTS[0], "marks") == ["one"]
    again = program.call("runs", "resume", "last", "--yes")
    assert again.returncode == ExitCode.REFUSED


def _await_runners(program: Program, count: int) -> None:
    """Until so many runners came to every host, and every host is at work."""
    homes = [program.lab.home(host) for host in HOSTS]
    claims = [home / ".fleetctl" for home in homes]
    wait_until(lambda: all(len(list(c.glob("lock.*"))) == count for c in claims), "a runner")
    wait_until(lambda: all((home / "marks").exists() for home in homes), "at work")
