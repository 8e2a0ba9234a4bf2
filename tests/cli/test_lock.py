"""Two people at one fleet: real programs, each with its own journal, over a lab with a bastion."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import CALL, PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow
HOSTS = ["db001", "db002"]
Ending = subprocess.Popen[str]
PLAYBOOK = """\
title: two steps
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    steps:
      - run: echo "${FLEETCTL_RUN%:*}" >> one; while [ -e hold ]; do sleep 0.1; done
"""


@pytest.fixture
def people(tmp_path: Path, lab_fleet: StartLab) -> tuple[Program, Program]:
    """Ann and Bob; db001 waits for a word."""
    lab = lab_fleet({"db": HOSTS, "bastion": ["bastion"]}, via={"db": "bastion"})
    both = []
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        program = Program(tmp_path / name, lab)
        program.write("push.yaml", PLAYBOOK)
        both.append(program)
    (lab.home("db001") / "hold").touch()
    return both[0], both[1]


def _begin(ann: Program) -> tuple[Ending, str]:
    """Ann's push, in its first step; with its id."""
    process = ann.start("push", "push.yaml", "--yes")
    wait_until(lambda: ann.lines("db001", "one") != [], "the first step began")
    return process, ann.lines("db001", "one")[0]


def test_second_push_touches_nothing_and_names_the_first(people: tuple[Program, Program]) -> None:
    """Exit 7, who, since when, how to go on; afterwards it may."""
    ann, bob = people
    process, run = _begin(ann)
    refused = bob.here("push", "push.yaml", "--yes")
    assert refused.returncode == ExitCode.LOCK_HELD, refused.stderr
    assert "somebody else works on tier db" in refused.stderr
    assert f"run {run} by " in refused.stderr
    assert "fleetctl lock steal --tier db" in refused.stderr
    assert json.loads(bob.here("runs", "list", "-o", "json").stdout) == []
    shown = json.loads(bob.here("lock", "status", "-o", "json").stdout)
    assert [(row["tier"], row["run"], row["kept_on"]) for row in shown] == [("db", run, "bastion")]
    assert not (ann.lab.home("db002") / ".fleetctl").exists()
    (ann.lab.home("db001") / "hold").unlink()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert bob.here("push", "push.yaml", "--yes").returncode == 0
    assert json.loads(bob.here("lock", "status", "-o", "json").stdout) == []


def test_whose_lease_is_stolen_starts_nothing_more(people: tuple[Program, Program]) -> None:
    """The running step ends, no further host begins, exit 7 with the reason; a resume goes on."""
    ann, bob = people
    process, run = _begin(ann)
    stolen = bob.here("lock", "steal", "--tier", "db", "--reason", "Ann's at lunch", "--yes")
    assert stolen.returncode == 0, stolen.stderr
    assert run in stolen.stderr
    wait_until(
        lambda: "Ann's at lunch" in ann.here("runs", "show", run).stdout, "Ann's run was told"
    )
    (ann.lab.home("db001") / "hold").unlink()
    said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == ExitCode.LOCK_HELD, said
    assert "Ann's at lunch" in ann.here("runs", "show", run).stdout
    assert ann.lines("db002", "one") == []
    resumed = ann.here("runs", "resume", run, "--yes")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert [len(ann.lines(host, "one")) for host in HOSTS] == [1, 1]


def test_dead_holder_is_told_and_its_own_resume_passes(people: tuple[Program, Program]) -> None:
    """Nobody else gets in before a minute has passed; who resumes the run does at once."""
    ann, bob = people
    process, run = _begin(ann)
    process.send_signal(signal.SIGKILL)
    end(process)
    refused = bob.here("run", "tier=db", "--yes", "--", "true")
    assert refused.returncode == ExitCode.LOCK_HELD
    assert "it ends by itself in" in refused.stderr
    (ann.lab.home("db001") / "hold").unlink()
    resumed = ann.here("runs", "resume", run, "--yes")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert [len(ann.lines(host, "one")) for host in HOSTS] == [1, 1]


def test_looking_needs_no_lease(people: tuple[Program, Program]) -> None:
    """A check goes on while somebody pushes."""
    ann, bob = people
    process, _ = _begin(ann)
    assert bob.here("push", "push.yaml", "--check", "--yes").returncode == 0
    (ann.lab.home("db001") / "hold").unlink()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_steal_needs_a_reason_a_tier_and_somebody(people: tuple[Program, Program]) -> None:
    """Mistakes are told before any host is asked; with nobody there it says so."""
    _, bob = people
    assert bob.here("lock", "steal", "--tier", "db").returncode == ExitCode.USAGE
    wrong = bob.here("lock", "steal", "--tier", "bd", "--reason", "x", "--yes")
    assert wrong.returncode == ExitCode.USAGE
    assert "known: bastion, db" in wrong.stderr
    nobody = bob.here("lock", "steal", "--tier", "db", "--reason", "x", "--yes")
    assert nobody.returncode == 0
    assert "nobody holds db" in nobody.stderr


def test_fleetctl_within_a_run_works_under_its_lease_and_fence(
    people: tuple[Program, Program],
) -> None:
    """A gate of a run may work on the very hosts of that run, before and after it does."""
    ann, _ = people
    (ann.lab.home("db001") / "hold").unlink()
    inner = f"cd {ann.folder} && {sys.executable} -c {shlex.quote(CALL)}"
    hook = ann.write("hook.sh", f"{inner} run tier=db --yes -- 'echo in >> hooked'\n")
    command = f"{{run: [sh, {hook}], where: here}}"
    gate = f"    gates: [{{command: {command}, timeout: 30s}}]\n"
    ann.write("hooked.yaml", PLAYBOOK + gate)
    done = ann.call("push", "hooked.yaml", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [len(ann.lines(host, "one")) for host in HOSTS] == [1, 1]
    assert [len(ann.lines(host, "hooked")) for host in HOSTS] == [2, 2]
