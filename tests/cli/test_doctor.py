"""`fleetctl doctor` over real SSH servers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.cli.doctor import finding_lines
from fleetctl.doctor.findings import DISK, PLAN, REACH, Level, Remark, fold
from tests.cli.program import PATIENCE_S, Program, end
from tests.labfixture import StartLab

PLAYBOOK = """\
title: Saturday push
doctor:
  checks:
    - name: replication lag
      hosts: tier=db
      run: cat lag
      warn: 30
      fail: 300
      unit: s
phases:
  - name: db
    hosts: tier=db
    gates:
      - disk: { path: ., free: 1K }
    steps:
      - schema-upgrade: { pending: cat pending, upgrade: "true {{item}}" }
  - name: web
    hosts: tier=web
    steps:
      - run: no-such-program --now | cat
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Two db and two web hosts behind a bastion, all well but for web's program."""
    tiers = {"gate": ["gate1"], "db": ["db1", "db2"], "web": ["web1", "web2"]}
    program = Program(tmp_path, lab_fleet(tiers, via={"db": "gate1", "web": "gate1"}))
    program.write("push.yaml", PLAYBOOK)
    for host in ("db1", "db2"):
        (program.lab.home(host) / "lag").write_text("3\n")
        (program.lab.home(host) / "pending").write_text("acme\nzeta\n")
    return program


def _found(program: Program, *words: str) -> tuple[int, dict[tuple[str, str], list[str]]]:
    """The exit code, and the hosts by check and level."""
    done = program.here("doctor", "--playbook", "push.yaml", "--output", "json", *words)
    assert done.stdout, done.stderr
    rows: dict[tuple[str, str], list[str]] = {}
    for row in json.loads(done.stdout):
        rows.setdefault((row["check"], row["level"]), []).extend(row["hosts"])
    return done.returncode, rows


@pytest.mark.slow
def test_a_fleet_that_is_well_is_told_to_be(program: Program) -> None:
    """Everything asked for is answered by every host, warnings do not refuse, nothing is left."""
    code, rows = _found(program)
    assert code == ExitCode.OK
    assert rows["replication lag", "ok"] == ["db1", "db2"]
    assert rows["reach", "ok"] == ["gate1", "db1", "db2", "web1", "web2"]
    assert rows["programs", "warn"] == ["web1", "web2"]
    assert rows["clock", "ok"] == rows["reach", "ok"]
    assert rows["bastion", "ok"] == ["gate1"]
    assert rows["schemas", "ok"] == ["db1", "db2"]
    assert list(program.lab.home("web1").iterdir()) == []


@pytest.mark.slow
def test_each_fault_is_found_and_no_host_holds_up_another(program: Program) -> None:
    """A hung host is named meanwhile, a changed key and a full disk are told as such."""
    program.lab.fault("web1", "hang")
    program.lab.fault("web2", "wrong-host-key")
    program.lab.fault("db1", "full-disk")
    (program.lab.home("db2") / "lag").write_text("4000\n")
    (program.lab.home("db2") / "pending").unlink()
    process = program.start("doctor", "--playbook", "push.yaml", "--timeout", "3s")
    try:
        said, talk = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.REFUSED
    assert re.search(r"no answer yet from web1 \(\d+\.\d s\)", talk)
    assert "FAIL web1: not reached within 6.0 s, through gate1" in said
    assert "FAIL web2: shows another host key than the known one" in said
    assert "FAIL db1: 0K (0%) free of ." in said
    assert "FAIL db2: 4000 s (> 300)" in said
    assert "UNKNOWN db2: did not tell its schemas: " in said


@pytest.mark.slow
def test_hosts_behind_a_bastion_that_is_down_are_told_by_it(program: Program) -> None:
    """Only unreached hosts: 4; the bastion's own trouble is told beside what is behind it."""
    program.lab.fault("gate1", "refuse")
    code, rows = _found(program, "--tier", "db", "--timeout", "4s")
    assert (code, rows["reach", "fail"]) == (ExitCode.UNREACHABLE, ["gate1", "db1", "db2"])
    assert ("clock", "ok") not in rows


@pytest.mark.slow
def test_a_plan_that_would_be_refused_is_a_finding(program: Program) -> None:
    """A playbook's mistake is told with its place, and the hosts are looked at all the same."""
    wrong = PLAYBOOK.replace("hosts: tier=web", "hosts: tier=wbe")
    program.write("push.yaml", wrong)
    done = program.here("doctor", "--playbook", "push.yaml", "--tier", "db")
    assert done.returncode == ExitCode.REFUSED
    assert "push.yaml:18:12" in done.stdout
    assert 'did you mean "web"?' in done.stdout
    assert "reach  ok 3" in " ".join(done.stdout.split("  "))


def test_a_line_a_check_with_the_worst_on_top() -> None:
    """What is wrong stands before how many are fine, with its hosts folded and its hint below."""
    remarks = [
        ("", Remark(PLAN, Level.OK, "Saturday push: 3 hosts")),
        ("db1", Remark(DISK)),
        ("db2", Remark(DISK, Level.WARN, "12% free of /srv", "make room")),
        ("db1", Remark(REACH)),
        ("db2", Remark(REACH)),
        ("db3", Remark(REACH, Level.FAIL, "refused")),
    ]
    assert list(finding_lines(fold(remarks), 3)) == [
        "reach  FAIL db3: refused",
        "       ok 2",
        "disk   WARN db2: 12% free of /srv",
        "         hint: make room",
        "       ok 1",
        "plan   ok Saturday push: 3 hosts",
    ]


def test_more_findings_than_a_screen_holds_are_counted() -> None:
    """Forty hosts with forty different texts do not bury the rest."""
    remarks = [(f"h{n}", Remark(DISK, Level.WARN, f"{n}% free")) for n in range(1, 41)]
    lines = list(finding_lines(fold(remarks), 40))
    assert len(lines) == 9
    assert lines[-1] == "      WARN h[9-40]: 32 findings more (--output jsonl)"
