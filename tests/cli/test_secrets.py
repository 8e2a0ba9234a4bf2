"""Secrets through the real program and real servers: a canary is looked for in every place."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.base.redaction import Redactor
from fleetctl.cli.output import FORMATS
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002")
# Of this process alone: other tests may run their own controllers meanwhile.
PASSWORD = f"canary {os.getpid()}" + "'s 'yellow' & $small\\\\bird\""
TOKEN = "canary-Token-0123456789abcdefABCDEF"
KEY = "".join(f"{line * 7}canary\n" for line in ("qwErty12", "asDfgh34", "zxCvbn56"))
CANARIES = Redactor((PASSWORD.encode(), TOKEN.encode(), KEY.encode()))
PLAYBOOK = """\
title: Secretive
secrets:
  db_password: {env: DB_PASSWORD}
  api_token: {command: [sh, ./token]}
  tls_key: {file: keys/key.pem}
budget: 100%
phases:
  - name: db
    hosts: tier=db
    gates:
      - command: {run: [cat, keys/key.pem], where: here}
        when: before
    steps:
      - run: cat >got.password; cat "$KEY" >got.key; cat "$TOKEN" >got.token
        name: keep
        secrets: {stdin: db_password, files: {KEY: tls_key, TOKEN: api_token}}
      - run: |
          cat "$PW"; echo; base64 <"$PW"; (printf ab; cat "$PW") | base64 -w 8
          od -An -tx1 <"$PW" | tr -d ' \\n'; cat "$KEY" >&2; base64 -w 0 <"$KEY" | tr '+/' '-_'
          head -c 9 "$PW"; sleep 2; tail -c +10 "$PW"; echo; touch there
          while [ -e hold ]; do sleep 0.1; done
          cat got.token >&2
          exit 3
        name: shout
        secrets: {files: {PW: db_password, KEY: tls_key}}
"""
AT_ONCE = PLAYBOOK.replace("sleep 2; ", "")
ONE_ROUND = "".join(f"\n        {key}: 30s" for key in ("timeout", "interval"))
"""A gate that is asked once."""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Two db hosts, and a playbook whose second step shouts all its secrets and fails."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    program.write("keys/key.pem", KEY)
    program.write("token", f"echo a warning {TOKEN} >&2; echo '{TOKEN}'\n")
    program.environ["DB_PASSWORD"] = PASSWORD
    return program


def test_the_canary_is_nowhere(program: Program) -> None:
    """No output, file, journal, plan or process holds a secret that hosts echo in every form."""
    homes = [program.lab.home(host) for host in HOSTS]
    for home in homes:
        (home / "hold").touch()
    saved = program.here("plan", "push.yaml", "--save", "saved.plan")
    push = program.start("push", "--plan", "saved.plan", "--yes", "--output", "jsonl")
    wait_until(lambda: all((home / "there").exists() for home in homes), "the shouting")
    seen = processes(push.pid)
    for home in homes:
        (home / "hold").unlink()
    out, err = push.communicate(timeout=PATIENCE_S)
    assert push.returncode == ExitCode.HOST_FAILED, err
    assert (homes[0] / "got.password").read_bytes() == PASSWORD.encode()
    assert (homes[0] / "got.key").read_bytes() == KEY.encode()
    assert (homes[0] / "got.token").read_bytes() == TOKEN.encode()
    told = [program.here("runs", word, "last", *more) for word, *more in VIEWS]
    texts = [saved.stdout, saved.stderr, out, err]
    texts += [text for each in told for text in (each.stdout, each.stderr)]
    assert sum("***" in text for text in texts) >= 5
    assert [leak for text in texts for leak in leaks(text)] == []
    assert [leak for text in seen for leak in leaks(text)] == []
    assert [leak for path in kept_files(program) for leak in leaks(path.read_bytes())] == []
    assert len(seen) > 8


def test_the_live_picture_shows_no_canary(program: Program) -> None:
    """On a terminal, where lines of running steps are shown, no secret is."""
    for host in HOSTS:
        (program.lab.home(host) / "hold").touch()
    terminal = program.start_on_terminal("push", "push.yaml")
    try:
        terminal.wait_for("Type the number of hosts")
        terminal.type("2\n")
        terminal.wait_for("***")
        for host in HOSTS:
            (program.lab.home(host) / "hold").unlink()
        wait_until(lambda: bool(terminal.read()) and terminal.process.poll() is not None, "end")
        terminal.read()
    finally:
        end(terminal.process)
        terminal.close()
    assert leaks(terminal.shown) == []
    assert leaks(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\s", "", terminal.shown)) == []


def test_a_dead_controller_leaves_none_on_hosts(program: Program) -> None:
    """Killed while steps hold secrets: the hosts clean up after them all the same."""
    program.write("push.yaml", AT_ONCE)
    homes = [program.lab.home(host) for host in HOSTS]
    for home in homes:
        (home / "hold").touch()
    push = program.start("push", "push.yaml", "--yes")
    wait_until(lambda: all((home / "there").exists() for home in homes), "the shouting")
    assert all(list((home / ".fleetctl").rglob("*secret.*/PW")) for home in homes)
    end(push)
    for home in homes:
        (home / "hold").unlink()
    wait_until(lambda: not any(found_on(home) for home in homes), "the cleaning up")
    again = program.here("runs", "resume", "last", "--yes")
    assert again.returncode == ExitCode.HOST_FAILED
    assert "exit 3" in again.stdout + again.stderr
    assert leaks(again.stdout + again.stderr) == []
    assert [leak for path in kept_files(program) for leak in leaks(path.read_bytes())] == []


def test_a_gate_tells_none(program: Program) -> None:
    """A gate on this machine that fails and prints a secret stops the push, and tells none."""
    gated = PLAYBOOK.replace("[cat, keys/key.pem]", "[sh, -c, cat keys/key.pem; exit 1]")
    program.write("gated.yaml", gated.replace("when: before", f"when: before{ONE_ROUND}"))
    push = program.here("push", "gated.yaml", "--yes")
    assert push.returncode == ExitCode.STOPPED
    assert "***" in push.stdout + push.stderr
    assert leaks(push.stdout + push.stderr) == []
    journals = [path for path in program.folder.glob("journal.db*") if path.is_file()]
    assert [leak for path in journals for leak in leaks(path.read_bytes())] == []


def found_on(home: Path) -> list[Path]:
    """Files of the runner that hold a canary."""
    found = []
    for folder, _, files in os.walk(home / ".fleetctl"):  # which may be gone when it is looked into
        for path in (Path(folder) / file for file in files):
            with contextlib.suppress(FileNotFoundError):  # it is being cleaned up
                found += [path] if leaks(path.read_bytes()) else []
    return found


def test_resume_fetches_them_again(program: Program) -> None:
    """A resumed run has its secrets from where the plan says, and is refused without them."""
    program.write("push.yaml", AT_ONCE)
    assert program.here("push", "push.yaml", "--yes").returncode == ExitCode.HOST_FAILED
    again = program.here("runs", "resume", "last", "--failed", "--yes")
    assert again.returncode == ExitCode.HOST_FAILED
    assert "exit 3" in again.stdout + again.stderr
    assert leaks(again.stdout + again.stderr) == []
    del program.environ["DB_PASSWORD"]
    refused = program.here("runs", "resume", "last", "--failed", "--yes")
    assert refused.returncode == ExitCode.REFUSED
    assert "secret db_password: the environment has no variable DB_PASSWORD" in refused.stderr
    assert "push.yaml:3:16" in refused.stderr


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p.environ.pop("DB_PASSWORD"), "the environment has no variable DB_PASSWORD"),
        (lambda p: p.environ.update(DB_PASSWORD="abc"), "3 bytes"),
        (
            lambda p: p.write("token", f"echo {TOKEN}; echo no {TOKEN} >&2; exit 4"),
            "with 4: no ***",
        ),
        (lambda p: (p.folder / "keys/key.pem").unlink(), "No such file"),
        (lambda p: p.environ.update(DB_PASSWORD="Secretive"), "in clear"),
    ],
)
def test_without_a_secret_nothing_is_touched(
    program: Program, spoil: Callable[[Program], object], told: str
) -> None:
    """A secret that cannot be had is told with its place; plans and checks do without it."""
    spoil(program)
    push = program.here("push", "push.yaml", "--yes")
    assert push.returncode == ExitCode.REFUSED
    assert told in push.stderr
    assert "where: push.yaml:" in push.stderr
    assert leaks(push.stdout + push.stderr) == []
    assert not (program.lab.home("db001") / "got.password").exists()
    assert program.here("plan", "push.yaml").returncode == ExitCode.OK
    assert program.here("push", "push.yaml", "--check").returncode == ExitCode.OK


VIEWS = tuple((word, "-o", form) for word in ("show", "logs") for form in FORMATS)


def leaks(text: str | bytes) -> list[str]:
    """What of `text` is a canary, in whatever form; with what stands around it."""
    data = text.encode() if isinstance(text, str) else text
    spans = CANARIES.spans(data)
    return [data[max(0, start - 20) : end + 20].decode("utf-8", "replace") for start, end in spans]


def processes(but: int) -> list[bytes]:
    """Arguments and environment of every process we may look at, but of the controller."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        if path.name == str(but):
            continue
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                found.append((path / name).read_bytes())
    return found


def kept_files(program: Program) -> list[Path]:
    """Every file fleetctl keeps, here and on the hosts; not what we or the steps laid down."""
    ours = {program.folder / name for name in ("keys/key.pem", "token")}
    folders = [program.folder, *(program.lab.home(host) / ".fleetctl" for host in HOSTS)]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    homes = [program.lab.home(host) for host in HOSTS]
    steps = {home / f"got.{name}" for home in homes for name in ("password", "key", "token")}
    assert any(path.name == "journal.db" for path in found)
    assert any("runs" in path.parts for path in found)
    return [path for path in found if path not in ours | steps]
