"""Real SSH servers for any test: the fixture `lab_fleet` (see `tests/conftest.py`).

    def test_something(lab_fleet):
        lab = lab_fleet({"db": ["db001", "db002"], "bastion": ["bastion"]}, via={"db": "bastion"})
        lab.fleet             # a Fleet to give to a transport: addresses, port, identity, user
        lab.known_hosts       # path of its known_hosts
        lab.fault("db001", "cut", after="1s")
        lab.home("db001")     # where the host's files are

Everything it started is gone when the test ends. `server="openssh"` starts real sshd processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.lab.control import Answer, ClearFaults, Describe, SetFaults, ask
from fleetctl.lab.faults import parse_fault
from fleetctl.lab.layout import LabState, Layout, ServerKind
from fleetctl.lab.lifecycle import down, pick_hosts, up
from fleetctl.lab.prepare import LabRequest

Tiers = Mapping[str, Sequence[str]]


def a_fleet(tiers: Tiers, via: Mapping[str, str] | None = None) -> Fleet:
    """A fleet of these tiers; `via` says which bastion the hosts of a tier are reached through."""
    bastion_of = via or {}
    hosts = {
        name: Host(name, tier, name, Login(via=bastion_of.get(tier, "")))
        for tier, names in tiers.items()
        for name in names
    }
    return Fleet(
        name="lab",
        hosts=hosts,
        tiers={tier: Tier(tier, tuple(names)) for tier, names in tiers.items()},
        source="by hand",
        bastions=tuple(sorted(set(bastion_of.values()))),
    )


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up."""

    layout: Layout
    state: LabState
    fleet: Fleet
    """As the original, with the lab's addresses and logins."""

    @property
    def inventory(self) -> Path:
        return self.layout.inventory

    @property
    def known_hosts(self) -> Path:
        return self.layout.known_hosts

    @property
    def identity(self) -> Path:
        return self.layout.identity

    @property
    def port(self) -> int:
        return self.state.port

    def address(self, host: str) -> str:
        return self.fleet.hosts[host].address

    def home(self, host: str) -> Path:
        return self.layout.home(host)

    def fault(self, hosts: str, kind: str, **options: str) -> None:
        """As `fleetctl lab fault HOSTS KIND --OPTION VALUE`."""
        fault = parse_fault(kind, options, self.state.server)
        ask(self.layout, SetFaults(pick_hosts(self.state, hosts), fault))

    def clear(self, hosts: str, kind: str = "") -> None:
        """As `fleetctl lab fault HOSTS off`, or `... KIND --off`."""
        ask(self.layout, ClearFaults(pick_hosts(self.state, hosts), kind))

    def describe(self) -> Answer:
        return ask(self.layout, Describe())


def start_lab(folder: Path, fleet: Fleet, server: ServerKind = "embedded") -> RunningLab:
    """A lab in `folder`; whoever starts one ends it with `fleetctl.lab.lifecycle.down`."""
    layout = Layout(folder)
    state = up(layout, fleet, LabRequest(server=server))
    return RunningLab(layout, state, _at_the_lab(fleet, layout, state))


def _at_the_lab(fleet: Fleet, layout: Layout, state: LabState) -> Fleet:
    hosts = {}
    for lab_host in state.hosts:
        host = fleet.hosts[lab_host.name]
        login = msgspec.structs.replace(
            host.login, user=lab_host.user, port=state.port, identity=(str(layout.identity),)
        )
        hosts[host.name] = msgspec.structs.replace(host, address=lab_host.address, login=login)
    return msgspec.structs.replace(fleet, hosts=hosts, known_hosts=str(layout.known_hosts))


class StartLab(Protocol):
    """What the fixture `lab_fleet` is."""

    def __call__(
        self, hosts: Tiers | Fleet, server: ServerKind = "embedded",
        via: Mapping[str, str] | None = None,
    ) -> RunningLab: ...  # fmt: skip


def labs(folder_for: Callable[[], Path]) -> Iterator[StartLab]:
    """Starts labs on demand and ends them all; for fixtures of any scope."""
    running: list[RunningLab] = []

    def start(
        hosts: Tiers | Fleet,
        server: ServerKind = "embedded",
        via: Mapping[str, str] | None = None,
    ) -> RunningLab:
        fleet = hosts if isinstance(hosts, Fleet) else a_fleet(hosts, via)
        running.append(start_lab(folder_for(), fleet, server))
        return running[-1]

    try:
        yield start
    finally:
        for lab in running:
            down(lab.layout)


@pytest.fixture
def lab_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartLab]:
    """Starts labs for one test."""
    yield from labs(lambda: tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def module_lab_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartLab]:
    """Starts labs that live as long as the test module: for tests that leave them as they were."""
    yield from labs(lambda: tmp_path_factory.mktemp("lab"))
