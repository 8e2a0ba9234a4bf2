"""A push tells people of itself, and is what it is whether they can be told or not."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.cli.program import PATIENCE_S, Program, wait_until
from tests.report.servers import Hook, hook, silent

pytestmark = pytest.mark.slow
PLAYBOOK = """\
title: Saturday push
budget: 1
secrets: { chat: { env: CHAT_WEBHOOK } }
notify:
  - webhook: chat
    on: [begin, stop, finish]
    timeout: 60s
phases:
  - name: all
    hosts: all
    steps:
      - run: echo hello
      - run: test ! -e broken
"""
INVENTORY = """\
fleet: here
defaults: { transport: local }
tiers:
  web: { hosts: [web001] }
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A fleet of this machine."""
    (tmp_path / "fleet.yaml").write_text(INVENTORY)
    program = Program(tmp_path, tmp_path / "fleet.yaml")
    program.environ["HOME"] = program.environ["FLEETCTL_HOME"] = str(tmp_path / "home")
    (tmp_path / "home").mkdir()
    program.write("push.yaml", PLAYBOOK)
    return program


def _told(chat: Hook) -> list[str]:
    """First lines, each once: on a busy machine a message may come twice."""
    return list(dict.fromkeys(text.partition("\n")[0] for text in chat.texts))


def test_a_push_is_told_from_its_beginning_to_its_end(program: Program) -> None:
    """Who is in the chat knows as much as who is at the terminal; the address stays a secret."""
    with hook() as chat:
        program.environ["CHAT_WEBHOOK"] = chat.url
        shown = program.here("plan", "push.yaml")
        done = program.call("push", "push.yaml", "--yes")
        report = program.here("runs", "report", "last", "-o", "-")
        wait_until(lambda: len(_told(chat)) == 2, "the message of the end")
    assert done.returncode == 0, done.stderr
    run = done.stderr.partition("run ")[2].partition(" ")[0]
    begun, finished = _told(chat)
    assert begun.startswith("Saturday push (here): begun by ")
    assert begun.endswith(f"1 host, run {run}")
    assert finished == "Saturday push (here): All verified: 1 host, 1 of them changed"
    assert "notify      chat (webhook): begin, stop, finish" in shown.stdout
    said = "".join((shown.stdout, shown.stderr, done.stdout, done.stderr, report.stdout))
    assert "s3cr3tt0k3n" not in said
    assert b"s3cr3tt0k3n" not in (program.folder / "journal.db").read_bytes()


def test_a_push_does_not_last_longer_for_a_webhook_that_never_answers(program: Program) -> None:
    """The run ends as without it; what is not delivered goes on in a process of its own."""
    lasted, said = {}, {}
    for name in ("well", "silent"):
        with hook() as chat, silent() as port:
            program.environ["CHAT_WEBHOOK"] = (
                chat.url if name == "well" else f"http://127.0.0.1:{port}/x"
            )
            began_s = time.monotonic()
            done = program.call("push", "push.yaml", "--yes")
            lasted[name] = time.monotonic() - began_s
        assert done.returncode == 0, done.stderr
        assert "1 of 1 accounted for: 1 changed" in done.stdout
        said[name] = done.stderr
    assert "message to chat: 2 not there yet, still tried by another process" in said["silent"]
    with sqlite3.connect(program.folder / "journal.db") as database:
        runs = list(database.execute("SELECT ended_s - opened_s FROM runs ORDER BY number"))
    deadline_s = 60.0  # of one try: who stayed for one would show it
    assert runs[1][0] - runs[0][0] < deadline_s / 2
    assert lasted["silent"] - lasted["well"] < deadline_s / 2


def test_what_cannot_be_told_is_told_to_who_asked(program: Program) -> None:
    """A secret that is not there is a warning, and no reason against the push."""
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode == 0
    assert "warning: secret chat: the environment has no variable CHAT_WEBHOOK" in done.stderr
    assert "message to chat (begin) did not arrive: its secret chat has no value" in done.stderr


def test_a_slow_chat_is_told_after_the_push_has_gone(program: Program) -> None:
    """It answers when all is over: nobody stays for it, and it arrives."""
    with hook(answers=False) as chat:
        program.environ["CHAT_WEBHOOK"] = chat.url
        done = program.call("push", "push.yaml", "--yes")
        assert done.returncode == 0
        assert "still tried by another process" in done.stderr
        chat.answers.set()
        wait_until(lambda: any("All verified" in text for text in _told(chat)), "the end")
        assert chat.arrived.wait(PATIENCE_S)


def test_channels_are_tried_before_saturday(program: Program) -> None:
    """`notify test` sends a message to each and says which did not arrive, and why."""
    with hook() as chat:
        program.environ["CHAT_WEBHOOK"] = chat.url
        well = program.here("notify", "test", "push.yaml", "--output", "json")
    assert well.returncode == 0, well.stderr
    assert json.loads(well.stdout)[0]["arrived"] is True
    assert _told(chat) == ["Saturday push: a test message of fleetctl; runs will be told of here"]
    with hook(404) as chat:
        program.environ["CHAT_WEBHOOK"] = chat.url
        ill = program.here("notify", "test", "push.yaml")
    assert ill.returncode == 1
    assert "HTTP 404" in ill.stdout
    assert "s3cr3tt0k3n" not in ill.stdout + ill.stderr
