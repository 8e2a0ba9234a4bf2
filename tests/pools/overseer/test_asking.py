"""The overseer asked through its own program, as a host without anything else of ours is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetctl.cli.overseers import Silent, told_by
from fleetctl.playbook.overseers import asking
from fleetctl.pools.overseer import asking as program
from fleetctl.pools.overseer.asking import patient
from fleetctl.pools.overseer.relay import EXIT_NOBODY
from fleetctl.transport.protocol import Looked, Output
from tests.pools.overseer.live import Host

pytestmark = pytest.mark.slow


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """An overseer that keeps nothing yet."""
    host = Host(tmp_path)
    (tmp_path / "weak").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "weak").chmod(0o755)
    host.write(
        kind={
            "task": {"command": ["true"], "at_start": "asleep"},
            "busy": host.taskmaster(at_start="asleep"),
            "weak": {
                "command": [str(tmp_path / "weak")],
                **{"ready": "exec", "at_start": "asleep"},
            },
        },
        instances=[
            {"names": ["a"], "kinds": ["task"]},
            {"names": ["b"], "kinds": ["busy", "weak"]},
        ],
    )
    host.start()
    yield host
    host.stop()


def ask(host: Host, text: str, home: str = "") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the program's `--ask`."""
    command = [sys.executable, "-I", "-S", str(host.program)]
    done = subprocess.run([*command, "--home", home or str(host.home), "--ask", text],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def first_line(host: Host, text: str) -> str:
    """What it says on stderr first; it is left then."""
    command = [sys.executable, "-I", "-S", str(host.program), "--home", str(host.home), "--ask"]
    with subprocess.Popen([*command, text], stderr=subprocess.PIPE, text=True) as asking:
        assert asking.stderr is not None
        said = asking.stderr.readline()
        asking.kill()
    return said


def test_answer_is_a_line_of_json(host: Host) -> None:
    """What is asked is answered on stdout; all is well: 0."""
    code, out, err = ask(host, '{"do": "status", "all": true}')
    assert (code, err) == (0, "")
    assert [row["pool"] for row in json.loads(out)["pools"]] == ["a/task", "b/busy", "b/weak"]


def test_what_is_refused_is_told_apart_from_nobody_there(host: Host, tmp_path: Path) -> None:
    """1: the overseer will not; 69: there is none; 2: that is no request."""
    assert ask(host, '{"do": "dance"}')[0] == 1
    assert "dance" in ask(host, '{"do": "dance"}')[2]
    assert ask(host, '{"do": "status"}', str(tmp_path))[0] == 69
    assert ask(host, "status")[0] == 2


def test_a_short_question_needs_no_python_where_there_is_perl(host: Host, tmp_path: Path) -> None:
    """The answer is the same without; and what perl cannot tell the program itself tells."""
    found, path = shutil.which("perl"), tmp_path / "bin"
    if found is None:
        pytest.skip("no perl here")
    path.mkdir()
    direct = host.ask("tally", kinds=["task"])
    for perl, python in ((None, sys.executable), ("/bin/false", sys.executable), (found, "false")):
        (path / "perl").unlink(missing_ok=True)
        if perl is not None:
            (path / "perl").symlink_to(perl)
        code, out, err = asked(host, python, path, asking("tally", kinds=["task"], pack=True))
        assert (code, err) == (0, "")
        told = told_by(Looked(1, "h", 0, Output(out.encode(), b"", len(out)), Output(), 0.0))
        assert isinstance(told, dict)
        assert set(told) == set(direct) - {"ok"}
        assert told["groups"]["task"]["words"] == direct["groups"]["task"]["words"]
    code, out, err = asked(host, sys.executable, path, asking("tally", kinds="task"))
    assert (code, out) == (1, "")
    assert "kinds and instances are lists" in err
    host.kill()
    code, _, err = asked(host, sys.executable, path, asking("tally"))
    assert code == 69
    assert "no overseer answers in" in err


def asked(host: Host, python: str, path: Path, template: str) -> tuple[int, str, str]:
    """What a host's shell makes of it, with these programs alone."""
    text = template.replace("{{pools.python}}", python).replace("{{pools.home}}", str(host.home))
    shutil.copy(host.program, host.home / "overseer.pyz")
    done = subprocess.run(["/bin/sh", "-c", text], env={"PATH": str(path), "HOME": "/"},
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_long_answer_is_packed_and_read_back(host: Host) -> None:
    """Hundreds of instances fit into what is kept of a host's output, and nothing is lost."""
    names = [f"an-instance-with-a-long-name-{n:04}" for n in range(1200)]
    host.write(kind={"task": {"command": ["true"], "at_start": "asleep"}},
               instances=[{"names": names, "kinds": ["task"]}])  # fmt: skip
    host.ask("reload")
    _, out, _ = ask(host, '{"do": "tally", "by": "instance", "most": 2000, "pack": true}')
    assert len(out) < 64 << 10
    told = told_by(Looked(1, "h", 0, Output(out.encode(), b"", len(out)), Output(), 0.0))
    assert isinstance(told, dict)
    assert sorted(told["groups"]) == names
    damaged = out.replace(out[30:40], "x" * 10)
    told = told_by(Looked(1, "h", 0, Output(damaged.encode(), b"", len(out)), Output(), 0.0))
    assert isinstance(told, Silent)
    assert told.state == "unknown"


def test_names_that_fit_elsewhere_are_passed_over_until_all_is_settled(host: Host) -> None:
    """Of two patterns one fits here and was acted on: that the other does not is no failure."""
    request = {"do": "hibernate", "pools": ["b/busy", "elsewhere/*"], "settle_s": 60}
    assert ask(host, json.dumps({**request, "lenient": True}))[0] == 0
    assert ask(host, json.dumps(request))[0] == 1


def test_whoever_waits_is_told_who_is_not_there(host: Host) -> None:
    """A hold waits for the busy, names them and ends none; a release waits for what ran."""
    host.open_queue().close()
    host.put("b", "hang")
    host.ask("wake", pools=["b/busy"])
    host.until(lambda: [s["state"] for s in host.pool("b/busy")["slots"]] == ["busy"])
    before = host.pids()
    held = '{"do": "hold", "token": "r", "why": "x", "settle_s": 0.3}'
    told = first_line(host, held.replace("0.3", "600"))
    assert re.fullmatch(r"1 busy: b/busy; patient until \d\d:\d\d:\d\d UTC\n", told)
    code, out, err = ask(host, held)
    assert (code, json.loads(out)["left"]) == (3, 1)
    assert err.splitlines() == ["1 busy: b/busy", "1 pool is not there after 0.3 s"]
    assert host.pids() == before
    host.ask("debug", pools=["b/busy"], injury="kill")
    host.until(lambda: not host.pids())
    assert ask(host, held)[0] == 0
    host.until(lambda: host.pool("b/busy")["slots"][0]["state"] == "backoff")
    code, out, _ = ask(host, '{"do": "release", "token": "r", "settle_s": 60}')
    assert (code, json.loads(out)["left"]) == (0, 0)
    assert [e["c"] for e in host.events() if e.get("to") == "starting"] == ["hibernate", "signal"]


def test_what_ran_and_fails_after_a_release_is_named(host: Host, tmp_path: Path) -> None:
    """4, with its name; what slept before is no failure."""
    host.ask("wake", pools=["b/weak"])
    host.until_state("b/weak", "RUNNING")
    assert ask(host, '{"do": "hold", "token": "r", "why": "x", "settle_s": 60}')[0] == 0
    (tmp_path / "weak").unlink()  # ready when it is started: so it must not even start
    code, out, err = ask(host, '{"do": "release", "token": "r", "settle_s": 60}')
    assert (code, err) == (4, "1 failed: b/weak\n")
    assert json.loads(out)["failed"] == 1
    assert host.pool("a/task")["state"] == "HIBERNATING"


def test_of_many_the_first_are_named_for_who_watches() -> None:
    """One line, short, each word with its number; nobody is nothing."""
    names = {"busy": [f"i{n}/task" for n in range(20)], "ending": ["a/x"]}
    told = {"left": 31, "busy": 30, "ending": 1, "names": names}
    assert patient(told, 36_605.0) == (
        "30 busy: i0/task, i1/task, i2/task, i3/task, i4/task and 25 more; 1 ending: a/x;"
        " patient until 10:10:05 UTC"
    )
    assert patient({"left": 1}, 0.0) == ""


def test_of_many_that_failed_the_first_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the cause of a lost host: hosts of a push are told one below the other."""
    names = {"failed": [f"i{n}/task" for n in range(20)]}
    told = {"left": 0, "failed": 30, "names": names}
    assert program._verdict(told, 9.0) == program.EXIT_BROKEN
    said = "30 failed: i0/task, i1/task, i2/task, i3/task, i4/task and 25 more\n"
    assert capsys.readouterr().err == said


def test_an_overseer_that_is_gone_is_not_looked_for_to_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Busy daemons may take hours; that nobody keeps them any more is told within a minute."""
    answers: list[dict[str, object]] = [{"ok": True, "left": 1}] * 3

    def exchange(_home: str, _request: object) -> dict[str, object]:
        if not answers:
            raise ConnectionRefusedError(111, "Connection refused")
        return dict(answers.pop())

    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    def now() -> float:
        return passed[0]

    monkeypatch.setattr(program, "exchange", exchange)
    clock = {**vars(time), "monotonic": now, "time": now, "sleep": sleep}
    monkeypatch.setattr(program, "time", SimpleNamespace(**clock))
    asked = '{"do": "hold", "token": "r", "settle_s": 3600}'
    assert program.ask("/nowhere", asked) == EXIT_NOBODY
    assert not answers
    assert program.NOBODY_S <= passed[0] <= program.NOBODY_S + 5
    assert capsys.readouterr().err.startswith("no overseer answers in /nowhere: ")
