"""Hosts that refuse, hang, freeze, cut, lie or flood: each is told as it is, in finite time."""

from __future__ import annotations

import itertools
import queue
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fleetctl.inventory.model import Host, Login
from fleetctl.lab.layout import ServerKind
from fleetctl.transport.protocol import Event, Look, Looked, Lost, Refused
from fleetctl.transport.session import Patience
from fleetctl.transport.ssh import SshTransport
from tests.labfixture import RunningLab, StartLab
from tests.transport.conftest import clear
from tests.transport.desk import HOLD, Desk, await_that, run

pytestmark = pytest.mark.slow
_TICKETS = itertools.count(1)
_PATIENT = Patience()
_HASTE = Patience(silence_s=1, answer_s=2)
OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk() -> Iterator[OpenDesk]:
    """Opens desks at a lab, with what is to be otherwise in hosts' logins; closes them."""
    opened: list[SshTransport] = []

    def start(lab: RunningLab, known_hosts: str | None = None, fanout: int = 50,
              patience: Patience = _PATIENT, **logins: dict[str, object]) -> Desk:  # fmt: skip
        found = lab.fleet.hosts.items()
        hosts = {name: _changed(host, **logins.get(name, {})) for name, host in found}
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        known = str(lab.known_hosts) if known_hosts is None else known_hosts
        transport = SshTransport(
            hosts, events.put, known_hosts=known, patience=patience, fanout=fanout
        )
        opened.append(transport)
        return Desk(transport, events, _TICKETS)

    yield start
    for transport in opened:
        transport.close()


def _changed(host: Host, **login: object) -> Host:
    changed: Login = msgspec.structs.replace(host.login, **login)
    return msgspec.structs.replace(host, login=changed)


@pytest.fixture(params=["embedded", pytest.param("openssh", marks=pytest.mark.openssh)])
def lab(
    request: pytest.FixtureRequest, module_lab_fleet: StartLab, labs: dict[str, RunningLab]
) -> RunningLab:
    """Two hosts, by each kind of server, in the state of the first day."""
    server: ServerKind = request.param
    if server not in labs:
        labs[server] = module_lab_fleet({"t": ["h1", "h2"]}, server)
    labs[server].clear("*")
    for host in ("h1", "h2"):
        clear(labs[server].home(host))
    return labs[server]


def lost(desk: Desk, ticket: int) -> Lost:
    final = desk.final(ticket)
    assert isinstance(final, Lost), final
    return final


def test_refusing_host_is_lost_with_nothing_sent(lab: RunningLab, open_desk: OpenDesk) -> None:
    """Nothing listens: nothing of the order happened, and trying again may help."""
    lab.fault("h1", "refuse")
    desk = open_desk(lab)
    end = lost(desk, desk.segment(run("a", "true")))
    assert (end.sent, end.cause, end.retryable) == (False, "connect", True)


def test_host_that_never_greets_is_given_up(lab: RunningLab, open_desk: OpenDesk) -> None:
    """A server that accepts and says nothing costs its own worker a finite time, nobody else."""
    lab.fault("h1", "hang")
    desk = open_desk(lab, h1={"connect_timeout_s": 0.5})
    started_s = time.monotonic()
    hanging = desk.segment(run("a", "true"))
    desk.do(run("a", "true"), host="h2")
    end = lost(desk, hanging)
    assert (end.sent, end.cause) == (False, "connect")
    assert "then said nothing" in end.detail
    assert time.monotonic() - started_s < 30


def test_frozen_host_is_cut_off_and_delays_nobody(lab: RunningLab, open_desk: OpenDesk) -> None:
    """A server that stops answering in mid-step is found by silence; the outcome is not known."""
    desk = open_desk(lab, patience=_HASTE)
    ticket = desk.segment(run("a", 'touch "$HOME/in"; sleep 600', timeout_s=600))
    await_that((lab.home("h1") / "in").exists)
    lab.fault("h1", "freeze")
    desk.do(run("a", "true"), host="h2")
    end = lost(desk, ticket)
    assert (end.sent, end.cause) == (True, "silence")
    lab.clear("h1")
    open_desk(lab).kill()


def test_cut_in_mid_step_is_asked_for_and_runs_once(lab: RunningLab, open_desk: OpenDesk) -> None:
    """The server drops the connection; the step goes on, is found done, and is not run again."""
    desk = open_desk(lab)
    act = f'echo x >>"$HOME/in"; {HOLD}; echo done'
    ticket = desk.segment(run("a", act))
    await_that((lab.home("h1") / "in").exists)
    lab.fault("h1", "cut")
    end = lost(desk, ticket)
    assert (end.sent, end.cause) == (True, "closed")
    lab.clear("h1")
    (lab.home("h1") / "go").touch()
    (answer,) = desk.ask("a")
    assert (answer.end, answer.stdout.head) == ("acted", b"done\n")
    assert desk.do(run("a", act))[0].replayed
    assert (lab.home("h1") / "in").read_text() == "x\n"


def test_changed_host_key_is_refused_before_the_login(lab: RunningLab, open_desk: OpenDesk) -> None:
    """Another key than the known one ends it, once and for all."""
    lab.fault("h1", "wrong-host-key")
    desk = open_desk(lab)
    end = lost(desk, desk.segment(run("a", "true")))
    assert (end.sent, end.cause, end.retryable) == (False, "host key", False)


def test_unknown_host_key_is_refused(
    lab: RunningLab, open_desk: OpenDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host nobody vouched for is not connected to; the hint says what to do."""
    monkeypatch.setenv("HOME", str(tmp_path))
    desk = open_desk(lab, known_hosts=str(tmp_path / "none"))
    end = lost(desk, desk.segment(run("a", "true")))
    assert (end.sent, end.cause, end.retryable) == (False, "host key", False)
    assert "hosts trust" in end.detail


def test_login_without_its_key_is_told_as_that(
    lab: RunningLab, open_desk: OpenDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key: not a network trouble, so not tried again."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    desk = open_desk(lab, h1={"identity": (str(tmp_path / "missing"),)})
    end = lost(desk, desk.segment(run("a", "true")))
    assert (end.sent, end.cause, end.retryable) == (False, "auth", False)
    assert "does not exist" in end.detail


def test_full_disk_refuses_before_anything_is_done(lab: RunningLab, open_desk: OpenDesk) -> None:
    """A record that cannot be written means the step does not run."""
    lab.fault("h1", "full-disk")
    desk = open_desk(lab)
    final = desk.final(desk.segment(run("a", 'mkdir "$HOME/did"')))
    assert isinstance(final, Refused), final
    assert final.reason == "disk"
    assert not (lab.home("h1") / "did").exists()


def test_flood_on_both_streams_leaves_memory_flat(lab: RunningLab, open_desk: OpenDesk) -> None:
    """100 MB on each stream at once: the size is told, the ends come back, no more is kept."""
    desk = open_desk(lab)
    desk.do(run("warm", "true"))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    act = "head -c 100000000 /dev/zero & head -c 100000000 /dev/zero >&2; wait"
    (result,) = desk.do(run("a", act))
    assert (result.end, result.stdout.size, result.stderr.size) == ("acted", 10**8, 10**8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 20_000
    looked = desk.look("head -c 9000000 /dev/zero & head -c 9000000 /dev/zero >&2; wait")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 20_000
    assert not isinstance(looked, Lost)


def test_endless_flood_does_not_fill_the_host(lab: RunningLab, open_desk: OpenDesk) -> None:
    """A step that prints until it is killed keeps no more than its bound on the disk."""
    desk = open_desk(lab)
    (result,) = desk.do(run("a", "exec cat /dev/zero", timeout_s=1))
    assert result.end == "timed out"
    kept = lab.home("h1").glob(".fleetctl/runs/run-1=a.*")
    assert sum(path.stat().st_size for path in kept) < 150_000


def test_idle_connections_give_way_when_all_places_are_taken(
    lab: RunningLab, open_desk: OpenDesk
) -> None:
    """With a fanout of one, two hosts are still worked on in turn."""
    desk = open_desk(lab, fanout=1)
    for number in range(3):
        for host in ("h1", "h2"):
            assert desk.do(run(f"s{number}", "true"), host=host)[0].end == "acted"


@pytest.mark.parametrize("size", [44, 100])
def test_crowd_behind_a_bastion_that_drops_starts_loses_nobody(
    lab_fleet: StartLab, open_desk: OpenDesk, size: int
) -> None:
    """Default MaxStartups on the bastion: one connection to it, so nothing is dropped."""
    names = [f"n{number:03d}" for number in range(size)]
    lab = lab_fleet({"n": names, "b": ["bastion"]}, via={"n": "bastion"})
    lab.fault("bastion", "maxstartups", startups="10:30:100")
    desk = open_desk(lab, fanout=size)
    tickets = [desk.segment(run("a", "true"), host=name) for name in names]
    assert [type(desk.final(ticket)).__name__ for ticket in tickets] == ["SegmentEnded"] * size


def test_starts_dropped_by_a_crowded_server_are_tried_again(
    lab_fleet: StartLab, open_desk: OpenDesk
) -> None:
    """Many runs at one sshd that allows two starts: slower, but each comes through."""
    lab = lab_fleet({"t": ["h1"]})
    lab.fault("h1", "maxstartups", startups="2:100:2")
    host = lab.fleet.hosts["h1"]
    crowd = {f"c{n}": msgspec.structs.replace(host, name=f"c{n}") for n in range(12)}
    crowded = msgspec.structs.replace(lab.fleet, hosts=crowd)
    desk = open_desk(RunningLab(lab.layout, lab.state, crowded), fanout=12)
    for number, name in enumerate(crowd):
        desk.transport.submit(Look(-1 - number, name, "echo here", 50.0))
    finals = [desk.final(-1 - number) for number in range(len(crowd))]
    assert not [final for final in finals if isinstance(final, Lost)]


def test_hosts_that_leave_do_not_cut_off_others_behind_the_bastion(
    lab_fleet: StartLab, open_desk: OpenDesk
) -> None:
    """Connections closed one by one while others are being made leave the bastion's own whole."""
    names = [f"n{number:03d}" for number in range(24)]
    lab = lab_fleet({"n": names, "b": ["bastion"]}, via={"n": "bastion"})
    desk = open_desk(lab, fanout=12)
    for number, name in enumerate(names):
        desk.transport.submit(Look(-1 - number, name, "echo here", 50.0))
    for number, name in enumerate(names):
        final = desk.final(-1 - number)
        assert isinstance(final, Looked), final
        desk.release(name)


def test_lost_bastion_is_told_as_the_bastion(lab_fleet: StartLab, open_desk: OpenDesk) -> None:
    """When the way there goes, the hosts behind it are not blamed."""
    lab = lab_fleet({"n": ["n1"], "b": ["bastion"]}, via={"n": "bastion"})
    desk = open_desk(lab)
    ticket = desk.segment(run("a", 'touch "$HOME/in"; sleep 60'), host="n1")
    await_that((lab.home("n1") / "in").exists)
    lab.fault("bastion", "cut")
    end = lost(desk, ticket)
    assert (end.sent, end.cause) == (True, "bastion")


def test_unreachable_bastion_is_told_as_the_bastion(
    lab_fleet: StartLab, open_desk: OpenDesk
) -> None:
    """Its failure is found once and told for every host behind it."""
    lab = lab_fleet({"n": ["n1", "n2"], "b": ["bastion"]}, via={"n": "bastion"})
    lab.fault("bastion", "refuse")
    desk = open_desk(lab)
    tickets = [desk.segment(run("a", "true"), host=name) for name in ("n1", "n2")]
    ends = [lost(desk, ticket) for ticket in tickets]
    assert [(end.sent, end.cause) for end in ends] == [(False, "bastion")] * 2
