"""`fleetctl rehearse`: a push on a lab twin, in the real program."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl
from fleetctl.cli.standing import Answers
from fleetctl.rollout.records import QuestionAsked
from tests.cli.program import CALL, PATIENCE_S, end, wait_until

INVENTORY = """\
fleet: acme
playbook: push.yaml
known_hosts: known_hosts
defaults: {{ user: deploy, via: gate1, port: {port} }}
tiers:
  gate: {{ hosts: {{ gate1: {{ via: "", address: 127.77.7.7 }} }} }}
  db: {{ hosts: "db[1-3]", address: "127.77.7.[1-3]", floor: 1 }}
"""
PLAYBOOK = """\
title: Saturday push
budget: 0
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    gates:
      - approval: Upgrade the databases?
        when: before
      - http: { url: "http://{{host.address}}:1/" }
      - command: { run: "touch TOUCHED", where: here }
    steps:
      - run: touch TOUCHED; echo upgraded
        name: upgrade the schema
        idempotent: true
        retry: { attempts: 2, delay: 100ms }
      - run: [touch, TOUCHED, "{{item}}"]
        name: warm the caches
        foreach: { list: touch TOUCHED }
      - run: [touch, TOUCHED]
        name: start the daemons
"""


class Rehearsing:
    """The program in a folder whose inventory names hosts that listen, and count who comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.touched = folder / "touched"
        self.real = [socket.create_server(("127.77.7.7", 0))]
        port = self.real[0].getsockname()[1]
        self.real += [socket.create_server((f"127.77.7.{n}", port)) for n in (1, 2, 3)]
        for real in self.real:
            real.setblocking(False)
        (folder / "inventory.yaml").write_text(INVENTORY.format(port=port))
        (folder / "push.yaml").write_text(PLAYBOOK.replace("TOUCHED", str(self.touched)))
        (folder / ".ssh").mkdir()
        # An ssh config that sends everything through a real bastion, as some do.
        (folder / ".ssh" / "config").write_text(f"Host *\n  ProxyJump joe@127.77.7.7:{port}\n")
        (folder / "tmp").mkdir()
        self.environ = {
            **os.environ,
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "FLEETCTL_INVENTORY": "inventory.yaml",
            "FLEETCTL_JOURNAL": str(folder / "journal.db"),
            "FLEETCTL_RELEASES": str(folder / "releases"),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`rehearse --fast` with these words; the caller ends it."""
        return subprocess.Popen([sys.executable, "-c", CALL, "rehearse", "--fast", *words],
                                cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)  # fmt: skip

    def call(self, *words: str) -> tuple[int, str, str]:
        """Its exit code, what it printed and what it said."""
        process = self.start(*words)
        try:
            said, talk = process.communicate(timeout=PATIENCE_S)
        finally:
            end(process)
        return process.returncode, said, talk

    def refused(self, *words: str) -> str:
        """What it says, in this process, of words it does not take."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            with contextlib.chdir(self.folder):
                done = CliRunner().invoke(
                    fleetctl, ["rehearse", "--fast", *words], env=self.environ
                )
        finally:
            for number, action in before.items():
                signal.signal(number, action)
        assert done.exit_code == ExitCode.USAGE
        return done.stderr

    def anybody_came(self) -> bool:
        """Whether any real host was connected to."""
        return bool(select.select(self.real, [], [], 0)[0])

    def leftovers(self) -> list[str]:
        """Files and processes of a lab that are still there."""
        mine = str(self.folder).encode()
        found = [str(path) for path in (self.folder / "tmp").iterdir()]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"fleetctl.lab.keeper" in line and mine in line:
                found.append(process.name)
        return found


@pytest.fixture
def rehearsing(tmp_path: Path) -> Iterator[Rehearsing]:
    """A fleet of three hosts behind a bastion."""
    made = Rehearsing(tmp_path)
    yield made
    for real in made.real:
        real.close()


@pytest.mark.slow
def test_a_rehearsal_touches_nothing_real(rehearsing: Rehearsing) -> None:
    """The whole push is played: no real host is dialled, no command run, no journal begun."""
    code, said, talk = rehearsing.call("--yes")
    assert code == ExitCode.OK, talk
    assert "3 of 3 accounted for: 3 changed" in said
    assert "the push would have ended with 0: all verified" in talk
    assert "3 of 3 hosts touched; 15 commands stood in for" in talk
    assert not rehearsing.anybody_came()
    assert not rehearsing.touched.exists()
    assert not (rehearsing.folder / "journal.db").exists()
    assert rehearsing.leftovers() == []


@pytest.mark.slow
def test_faults_end_it_as_they_would_end_the_push(rehearsing: Rehearsing) -> None:
    """A failed step is tried again, a host cut off mid-step is asked, and a lost one stops all."""
    code, said, talk = rehearsing.call(
        *("--yes", "--fault", "db1=fail@upgrade:1", "--fault", "db1=cut@start the daemons"),
        *("--fault", "db3=fail@upgrade", "--fault", "db1=slow@before:1s"),
    )
    assert code == ExitCode.STOPPED, talk
    assert "3 of 3 accounted for" in said
    assert "1 host failed at `upgrade the schema`: db3" in said
    assert "db1 connection lost" in talk
    assert "db1 changed" in talk
    assert "fault shown: db3=fail@upgrade the schema" in talk
    assert "fault shown at" in talk
    assert rehearsing.leftovers() == []


@pytest.mark.slow
def test_a_question_can_be_answered_with_no(rehearsing: Rehearsing) -> None:
    """`--answer` plays a person who refuses; without anybody to ask nothing starts."""
    assert "nobody is there to answer" in rehearsing.refused()
    assert "did you mean" in rehearsing.refused("--answer", "Upgrade the databses?=refuse")
    assert "known: approve, refuse" in rehearsing.refused("--answer", "databases=maybe")
    code, _, talk = rehearsing.call("--answer", "databases=refuse")
    assert code == ExitCode.STOPPED
    assert "0 of 3 hosts touched" in talk


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_takes_the_lab_down(rehearsing: Rehearsing, number: int) -> None:
    """It is drained as a push is; even killed it leaves no server and no file."""
    process = rehearsing.start("--yes")
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "phase db batch 1" in line:
                break
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    wait_until(lambda: rehearsing.leftovers() == [], "the end of the lab")
    assert not rehearsing.anybody_came()


@pytest.mark.slow
def test_a_kept_rehearsal_can_be_looked_at(rehearsing: Rehearsing) -> None:
    """With --keep its journal and what hosts were asked are there, and the lab is up."""
    code, _, talk = rehearsing.call("--yes", "--keep", "--dir", "kept", "--real", "start*")
    try:
        assert code == ExitCode.OK, talk
        assert "run as they are, on this machine: start the daemons" in talk
        assert rehearsing.touched.exists()
        kept = rehearsing.folder / "kept"
        assert (kept / "journal.db").exists()
        calls = (kept / "hosts" / "db1" / "home" / "rehearsal" / "calls").read_text()
        assert calls.splitlines()[0].split()[1:] == ["act", "p1-s01-run"]
    finally:
        subprocess.run([sys.executable, "-c", CALL, "lab", "down", "--dir", "kept", "--wipe"],
                       cwd=rehearsing.folder, env=rehearsing.environ, check=True,
                       capture_output=True, timeout=PATIENCE_S)  # fmt: skip


def _question(text: str, *choices: str) -> QuestionAsked:
    return QuestionAsked("k", "gate", "p", text, choices, choices[-1], 60.0)


@pytest.mark.parametrize(
    ("words", "yes", "question", "choice"),
    [
        ([], True, _question("Go on?", "approve", "refuse"), "approve"),
        ([], True, _question("It failed", "stop", "rollback", "retry"), "retry"),
        ([], True, _question("Odd", "a", "b"), "b"),
        ([], False, _question("Go on?", "approve", "refuse"), None),
        (["go on=refuse"], True, _question("Go on?", "approve", "refuse"), "refuse"),
        (["k=refuse"], False, _question("Go on?", "approve", "refuse"), "refuse"),
        (["go on=maybe"], False, _question("Go on?", "approve", "refuse"), None),
    ],
)
def test_what_is_answered(
    words: list[str], yes: bool, question: QuestionAsked, choice: str | None
) -> None:
    """Named answers come before `--yes`; what nobody named is asked."""
    assert Answers(words, yes).choice(question) == choice
