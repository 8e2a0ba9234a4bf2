"""Many pushes in one process: are threads, descriptors and memory flat? `python -m bench.soak`.

    simulated  200 pushes x 100 hosts: driver, reducer, journal and views, hosts being simulated
    local      40 pushes x 20 hosts: steps run by sh over the local transport
    ssh        40 pushes x 20 hosts: over SSH to the embedded lab, which is a process of its own

Every third push fails on a host and is resumed. After each push the process is looked at.
"""

from __future__ import annotations

import argparse
import gc
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.journal.store import Journal
from fleetctl.lab.layout import Layout
from fleetctl.lab.lifecycle import down, up
from fleetctl.lab.prepare import LabRequest
from fleetctl.plan.model import Budget, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Exec
from fleetctl.rollout.driver import Opening, Wanted, push, resume
from fleetctl.rollout.observers import Recorded
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Order, Said, Sink, StepOrder, Transport
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script, SimTransport, World

WARM_UP = 5
"""Pushes before the process has everything loaded that it will ever need."""
FAILS_EVERY = 3


class Sample(NamedTuple):
    """The process after a push."""

    threads: int
    descriptors: int
    rss_kib: int


class Soak(NamedTuple):
    """What was seen, a sample a push."""

    pushes: int
    hosts: int
    wall_s: float
    samples: tuple[Sample, ...]

    def spread(self, field: str) -> tuple[int, int]:
        """The least and the most after the warm-up."""
        values = [getattr(sample, field) for sample in self.samples[WARM_UP:]]
        return min(values), max(values)

    @property
    def grown_kib(self) -> int:
        """How much memory the last quarter has more than the second one, on average."""
        quarter = max(1, len(self.samples) // 4)
        second, last = self.samples[quarter : 2 * quarter], self.samples[-quarter:]
        mean = [sum(one.rss_kib for one in part) // len(part) for part in (second, last)]
        return mean[1] - mean[0]

    @property
    def words(self) -> str:
        ranges = {field: self.spread(field) for field in ("threads", "descriptors", "rss_kib")}
        (t0, t1), (d0, d1), (r0, r1) = ranges.values()
        return (
            f"{self.pushes} pushes x {self.hosts} hosts in {self.wall_s:.0f} s: threads {t0}-{t1},"
            f" descriptors {d0}-{d1}, memory {r0 / 1024:.1f}-{r1 / 1024:.1f} MiB"
            f" (last quarter {self.grown_kib / 1024:+.1f} MiB on the second)"
        )


class Counting:
    """An observer that takes everything."""

    name = "the count"

    def __init__(self) -> None:
        self.records = 0

    def recorded(self, batch: Sequence[Recorded]) -> None:
        self.records += len(batch)

    def said(self, said: Said) -> None: ...

    def notice(self, text: str) -> None: ...

    def trouble(self) -> str:
        return ""


class SteppedTransport:
    """A simulated fleet whose time is stepped on by a thread as long as it is open."""

    def __init__(self, world: World, sink: Sink) -> None:
        self._world = world
        self._inner = SimTransport(world, sink)
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._go, name="world")
        self._thread.start()

    def submit(self, order: Order) -> None:
        self._orders.put(order)

    def close(self) -> None:
        self._orders.put(None)
        self._thread.join()
        self._inner.close()

    def _go(self) -> None:
        while (order := self._orders.get()) is not None:
            self._inner.submit(order)
            while self._world.next_s() is not None and self._orders.empty():
                self._world.step()


def sample() -> Sample:
    """The process as it is now; Linux."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())) - 1,
        pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


def soak(pushes: int, plan: Plan, way: Callable[[int], Callable[[Sink], Transport]],
         journal: Path) -> Soak:  # fmt: skip
    """Push the plan so often; `way(n)` is the transport of the nth push."""
    samples: list[Sample] = []
    began_s = time.monotonic()
    with Journal(journal) as opened:
        for number in range(pushes):
            opening = Opening("soak", ("push",), f"r{number}", seed=number)
            result = push(plan, opening, opened, way(number), observers=(Counting(),))
            if result.exit_code:
                mended = resume(
                    *(opening.run, opening, opened, way(-1)),
                    wanted=Wanted(only_failed=True),
                    observers=(Counting(),),
                )
                assert mended.exit_code == 0, mended
            assert bool(result.exit_code) == (number % FAILS_EVERY == 0), result
            samples.append(sample())
    return Soak(pushes, len(plan.hosts), time.monotonic() - began_s, tuple(samples))


def a_fleet(count: int, login: Login) -> Fleet:
    """So many hosts of one tier."""
    names = [f"db{number:03d}" for number in range(1, count + 1)]
    hosts = {name: Host(name, "db", name, login) for name in names}
    return Fleet("soak", hosts, {"db": Tier("db", tuple(names))}, "by hand")


def a_plan(hosts: Mapping[str, Host], known_hosts: str = "") -> Plan:
    """Two batches, three steps, a barrier; the second step fails where there is a file `bad`."""
    names = tuple(hosts)
    steps = tuple(
        PlanStep(f"s{number}", f"step {number}", Exec(act), 60.0, barrier=number == 2)
        for number, act in enumerate(("echo one", "test ! -e ~/bad", "echo three"), 1)
    )
    cut = len(names) // 4
    batches = (names[:cut], names[cut:])
    budget = Budget(len(names))
    phase = PlanPhase("p", (), batches, steps, (), budget, len(names))
    return Plan(
        "soak", "soak", hosts, (phase,), (), budget, {}, {}, {}, 50, known_hosts
    )  # fmt: skip


def simulated(pushes: int, count: int, folder: Path) -> Soak:
    """Hosts that exist in numbers only."""
    hosts = a_fleet(count, Login()).hosts
    worlds: dict[str, World] = {}

    def way(number: int) -> Callable[[Sink], Transport]:
        bad = number >= 0 and number % FAILS_EVERY == 0

        def verdict(host: str, step: StepOrder) -> Verdict:
            return Verdict("failed") if bad and host == "db001" and step.key == "s2" else Verdict()

        if number >= 0:
            worlds["now"] = World(hosts)
        worlds["now"].script = Script(verdict=verdict)
        return lambda sink: SteppedTransport(worlds["now"], sink)

    return soak(pushes, a_plan(hosts), way, folder / "simulated.db")


def local(pushes: int, count: int, folder: Path) -> Soak:
    """This very machine, each host with a home of its own."""
    hosts = a_fleet(count, Login(transport="local")).hosts

    def environment(host: str) -> Mapping[str, str]:
        home = folder / "homes" / host
        home.mkdir(parents=True, exist_ok=True)
        return {**os.environ, "HOME": str(home), "FLEETCTL_HOME": str(home / ".fleetctl")}

    environment("db001")
    spoil = _spoiler(folder / "homes/db001")

    def way(number: int) -> Callable[[Sink], Transport]:
        spoil(number)
        return lambda sink: LocalTransport(sink, environment=environment)

    return soak(pushes, a_plan(hosts), way, folder / "local.db")


def over_ssh(pushes: int, count: int, folder: Path) -> Soak:
    """Real SSH servers on this machine."""
    from fleetctl.transport.ssh import SshTransport

    with _lab(folder / "lab", count) as (layout, hosts):
        spoil = _spoiler(layout.home("db001"))

        def way(number: int) -> Callable[[Sink], Transport]:
            spoil(number)
            return lambda sink: SshTransport(hosts, sink, known_hosts=str(layout.known_hosts))

        plan = a_plan(hosts, str(layout.known_hosts))
        return soak(pushes, plan, way, folder / "ssh.db")


def _spoiler(home: Path) -> Callable[[int], None]:
    def spoil(number: int) -> None:
        if number >= 0 and number % FAILS_EVERY == 0:
            (home / "bad").touch()
        else:
            (home / "bad").unlink(missing_ok=True)

    return spoil


@contextmanager
def _lab(folder: Path, count: int) -> Iterator[tuple[Layout, Mapping[str, Host]]]:
    layout = Layout(folder)
    state = up(layout, a_fleet(count, Login()), LabRequest())
    try:
        hosts = {
            one.name: Host(one.name, "db", one.address,
                           Login(one.user, state.port, (str(layout.identity),)))
            for one in state.hosts
        }  # fmt: skip
        yield layout, hosts
    finally:
        down(layout)


WAYS: dict[str, tuple[Callable[[int, int, Path], Soak], int, int]] = {
    "simulated": (simulated, 200, 100),
    "local": (local, 40, 20),
    "ssh": (over_ssh, 40, 20),
}
"""Name -> how, pushes, hosts."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("ways", nargs="*", default=list(WAYS), help=", ".join(WAYS))
    parser.add_argument("--pushes", type=int)
    parser.add_argument("--hosts", type=int)
    words = parser.parse_args()
    for name in words.ways:
        run, pushes, hosts = WAYS[name]
        with tempfile.TemporaryDirectory() as folder:
            found = run(words.pushes or pushes, words.hosts or hosts, Path(folder))
            print(f"{name:10} {found.words}", flush=True)


if __name__ == "__main__":
    main()
