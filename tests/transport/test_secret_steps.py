"""Secrets on their way to a step and back, in each shell a host may have."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import queue
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.base.redaction import Redactor
from fleetctl.playbook.operations import SecretExec, SecretSource, SecretUse
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import (
    Connected,
    Event,
    ItemOrder,
    Lost,
    Output,
    Refused,
    Round,
    Said,
    StepEnded,
    StepOrder,
    StepResult,
)
from fleetctl.transport.veil import Vault, VeiledTransport, veiled
from tests.transport.desk import Desk, await_that, run

_TICKETS = itertools.count(1)
_SOURCE = SecretSource("env", ("PW",), "site.yaml:1:1")
PASSWORD = b"correct-horse'9\"\\ battery"
VALUES = {
    "plain": PASSWORD,
    "nothing special": b"abcdefgh",
    "quotes": b"'\"'$(touch x)`id`\\n%s%%\\047-",
    "lines": b"-----BEGIN KEY-----\nabc def\n\n-----END KEY-----\n",
    "not utf-8": b"\xff\xfe\x81\x88 caf\xe9 \x01\x7f",
    "nul": b"a\0b\0\0c\0123",
    "dash first": b"-n -e \\c",
    "large": os.urandom(9000) * 9,
}


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which `sh` is that shell."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(found)
    return f"{folder}:{os.environ['PATH']}"


Reach = Callable[[dict[str, bytes]], Desk]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The host's home folder, with a name that must be quoted."""
    (tmp_path / "ho me").mkdir()
    return tmp_path / "ho me"


@pytest.fixture
def reach(shell: str, home: Path) -> Iterator[Reach]:
    """Opens a desk whose orders are given these secrets."""
    opened: list[VeiledTransport] = []

    def open_desk(values: dict[str, bytes]) -> Desk:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        surroundings = {"HOME": str(home), "PATH": shell}
        transport = VeiledTransport(
            lambda sink: LocalTransport(sink, environment=lambda host: surroundings),
            events.put,
            Vault(values),
        )
        opened.append(transport)
        return Desk(transport, events, _TICKETS)

    yield open_desk
    for transport in opened:
        transport.close()


def given(key: str, act: str, *, timeout_s: float = 50.0, check: str = "", **uses: str
          ) -> StepOrder:  # fmt: skip
    """A step with secrets: variable (or `stdin`) -> name."""
    secrets = tuple(
        SecretUse(name, _SOURCE, "" if at == "stdin" else at) for at, name in uses.items()
    )
    return StepOrder(key, SecretExec(act, check, secrets=secrets), timeout_s)


def left_behind(folder: Path, values: dict[str, bytes]) -> list[str]:
    """Files and folders under `folder` in which a secret stands, in any form."""
    redactor = Redactor(values.values())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if redactor.spans(path.read_bytes())] + kept(folder)


def kept(folder: Path) -> list[str]:
    """What holds secrets under `folder`, which may be being cleaned up meanwhile."""
    found = ((at, name) for at, *names in os.walk(folder) for name in (*names[0], *names[1]))
    return [f"{at}/{name}" for at, name in found if "secret." in name]


@pytest.mark.parametrize("name", VALUES)
def test_any_bytes_arrive(reach: Reach, home: Path, name: str) -> None:
    """Every byte of a secret arrives, on standard input and as a file, whatever it is."""
    values = {"s": VALUES[name]}
    desk = reach(values)
    act = 'cat >got.stdin; cat "$KEY_FILE" >got.file; stat -c %a "$KEY_FILE" "${KEY_FILE%/*}"'
    (result,) = desk.do(given("a", act, stdin="s", KEY_FILE="s"))
    assert result.end == "acted", result
    assert result.stdout.head == b"600\n700\n"
    assert (home / "got.stdin").read_bytes() == VALUES[name]
    assert (home / "got.file").read_bytes() == VALUES[name]
    assert left_behind(home / ".fleetctl", values) == []


def test_items_are_handed_them(reach: Reach, home: Path) -> None:
    """Each item of a round is given the secret; none of it stays, also of one that was ended."""
    values = {"s": VALUES["quotes"] if "quotes" in VALUES else next(iter(VALUES.values()))}
    desk = reach(values)
    act = 'cat >"got.$FLEETCTL_ITEM"; cat "got.$FLEETCTL_ITEM"; [ $FLEETCTL_ITEM != c ] || sleep 60'
    uses = (SecretUse("s", _SOURCE),)
    items = tuple(map(ItemOrder, "abc"))
    found = Round("up", act, "", items, 2, 1.5, 9, secrets=uses)
    (result,) = desk.do(StepOrder("up", found, 50.0))
    assert {item.name: item.end for item in result.items} == {
        "a": "acted", "b": "acted", "c": "timed out",
    }  # fmt: skip
    assert [(home / f"got.{name}").read_bytes() for name in "abc"] == [values["s"]] * 3
    assert values["s"] not in b"".join(item.said.head + item.said.tail for item in result.items)
    assert left_behind(home / ".fleetctl", values) == []


def test_unread_input_holds_up_nobody(reach: Reach) -> None:
    """A large secret that the step never reads does not block it, nor does a child that stays."""
    desk = reach({"s": VALUES["large"]})
    act = "sleep 30 </dev/null >/dev/null 2>&1 & echo done"
    (result,) = desk.do(given("a", act, stdin="s", timeout_s=20))
    assert (result.end, result.stdout.head) == ("acted", b"done\n")


def test_echo_comes_back_without_it(reach: Reach, home: Path) -> None:
    """What a step echoes, plain or encoded, reaches us blotted out and stays nowhere."""
    values = {"s": PASSWORD}
    desk = reach(values)
    act = 'cat "$F"; echo; cat "$F" >&2; base64 "$F"; (printf x; cat "$F") | base64; exit 3'
    (result,) = desk.do(given("a", act, F="s"))
    assert (result.end, result.exit_status) == ("failed", 3)
    said = result.stdout.head + result.stderr.head
    assert b"***" in said
    for form in (
        PASSWORD,
        base64.b64encode(PASSWORD)[:-4],
        base64.b64encode(b"x" + PASSWORD)[2:-4],
    ):
        assert form not in said
    assert left_behind(home / ".fleetctl", values) == []


@pytest.mark.parametrize("act", ["sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60"])
def test_nothing_left_when_timed_out(reach: Reach, home: Path, act: str) -> None:
    """A step ended at its deadline, by force too, leaves neither the secret nor its output."""
    values = {"s": PASSWORD}
    desk = reach(values)
    (result,) = desk.do(given("a", f'cat "$F"; {act}', F="s", timeout_s=0.5))
    assert result.end == "timed out"
    desk.transport.close()  # and with it its guard
    assert left_behind(home / ".fleetctl", values) == []
    assert not [command for command in _commands() if bytes(home) in command]


def _commands() -> list[bytes]:
    """The command lines of all processes, but of those that end while we look."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return lines


def test_nothing_left_when_nothing_was_to_do(reach: Reach, home: Path) -> None:
    """A step whose check says that nothing is to be done leaves no script with the secret."""
    values = {"s": PASSWORD}
    (result,) = reach(values).do(given("a", "cat", check="true", stdin="s"))
    assert result.end == "checked"
    assert left_behind(home / ".fleetctl", values) == []


def test_standard_input_is_no_file_any_more_when_the_step_begins(reach: Reach) -> None:
    """Its place is empty before the step can start anything that lasts."""
    desk = reach({"s": PASSWORD})
    (result,) = desk.do(given("a", 'ls -A "${F%/*}"; cat >/dev/null', stdin="s", F="s"))
    assert (result.end, result.stdout.head) == ("acted", b"F\n"), result


def test_step_that_outlives_its_runner_takes_its_files_along(reach: Reach, home: Path) -> None:
    """Nobody needs to ask the host for that."""
    act = 'touch there; read -r line </proc/$$/stat; set -- ${line##*) }; kill -9 "$2"; ' \
          'while [ ! -e go ]; do sleep 0.05; done'  # fmt: skip
    reach({"s": PASSWORD}).segment(given("a", act, F="s"))
    await_that((home / "there").exists)
    assert kept(home)
    (home / "go").touch()
    await_that(lambda: not kept(home), "their end")


@pytest.mark.parametrize("dies", ["runner and step", "runner"])
def test_dead_runner_is_cleaned_up_after(reach: Reach, home: Path, dies: str) -> None:
    """What stays when a runner dies, with its step or before it, goes when the host is asked."""
    values = {"s": PASSWORD}
    desk = reach(values)
    whom = '"$2" $$' if dies == "runner and step" else '"$2"'
    act = 'cat "$F"; touch there; read -r line </proc/$$/stat; set -- ${line##*) }; ' \
          f'kill -9 {whom}; while [ ! -e go ]; do sleep 0.05; done; touch gone'  # fmt: skip
    desk.segment(given("a", act, F="s"))
    await_that((home / "there").exists)
    assert left_behind(home / ".fleetctl", values)
    (home / "go").touch()
    await_that((home / "gone").exists)
    reach(values).ask("a")
    assert left_behind(home / ".fleetctl", values) == []


def test_events_are_veiled() -> None:
    """Lines for watching and words about lost connections hold no secret, nor half of one."""
    redactor = Redactor([PASSWORD])
    text = PASSWORD.decode()
    line = veiled(Said(1, "h1", "a", f"it is {text[:11]}"), redactor)
    lost = veiled(Lost(1, "h1", True, "closed", f"said {text!r}"), redactor)
    assert isinstance(line, Said)
    assert isinstance(lost, Lost)
    assert line.line == "it is ***"
    assert "horse" not in lost.detail


@pytest.mark.parametrize("left_out", [0, 1000])
def test_long_output_is_veiled_where_it_was_cut(left_out: int) -> None:
    """A secret that stands over the end of the head is found, also when half of it is left out."""
    head, tail = b"~" * 10 + PASSWORD[:12], PASSWORD[12:] + b"~" * 10
    output = Output(head, tail, len(head) + len(tail) + left_out)
    result = StepResult("a", "acted", stdout=output)
    event = veiled(StepEnded(1, "h1", result), Redactor([PASSWORD]))
    assert isinstance(event, StepEnded)
    said = event.result.stdout
    assert set(said.head + said.tail) == set(b"~*")
    assert said.size - len(said.head) - len(said.tail) == left_out


def test_order_without_its_secret_is_refused(shell: str, home: Path) -> None:
    """A step that was not given its secrets is not run without them."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    transport = LocalTransport(events.put, environment=lambda h: {"HOME": str(home), "PATH": shell})
    desk = Desk(transport, events, _TICKETS)
    final = desk.final(desk.segment(given("a", "touch ran", stdin="s")))
    transport.close()
    assert isinstance(final, Refused)
    assert "was not given its secrets" in final.detail
    assert not (home / "ran").exists()


def test_arguments_and_environment_hold_none(reach: Reach, home: Path) -> None:
    """While a step runs, no process has the secret among its arguments or in its environment."""
    values = {"s": PASSWORD}
    desk = reach(values)
    act = 'cat "$F" >/dev/null; touch there; while [ ! -e go ]; do sleep 0.05; done'
    ticket = desk.segment(given("a", act, stdin="s", F="s"))
    desk.until(lambda event: isinstance(event, Connected))
    await_that((home / "there").exists)
    redactor = Redactor(values.values())
    seen = _commands()
    own = _own_environments()
    scripts = [path.stat().st_size for path in (home / ".fleetctl").rglob("*=script")]
    (home / "go").touch()
    desk.final(ticket)
    assert any(b"=script" in line for line in seen)
    assert len(own) >= 2
    assert not any(redactor.spans(text) for text in [*seen, *own])
    assert scripts == [0]


def _own_environments() -> list[bytes]:
    """Of the processes of this user that run a step, but of those that end while we look."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b".fleetctl" in path.read_bytes():
                found.append(path.with_name("environ").read_bytes())
    return found


def test_plain_steps_keep_their_way(reach: Reach, home: Path) -> None:
    """A step without secrets runs as ever, also between two with them, and keeps its output."""
    desk = reach({"s": PASSWORD})
    results = desk.do(
        given("a", "wc -c", stdin="s"), run("b", "echo plain"), given("c", "wc -c", stdin="s")
    )
    assert [result.stdout.head.strip() for result in results] == [b"25", b"plain", b"25"]
    assert (home / ".fleetctl/runs/run-1=b.out").read_bytes() == b"plain\n"
