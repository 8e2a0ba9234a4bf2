"""What the transport alone costs: a lockstep push, and one step on a host.

    python -m bench.transport [--hosts 44] [--steps 6]

Compared in the same run with Fabric's ThreadingGroup doing the same commands. The cost on a host is
the processor time of the runner and all it starts, less that of `sh -c` doing the same command.
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from bench.fleet import BenchFleet, running_fleet

LOOK = 200


def steps_of(count: int) -> list[str]:
    """Commands that leave a trace of each time they ran."""
    return [f'echo {number} >>"$HOME/proof"' for number in range(count)]


def push_ours(fleet: BenchFleet, steps: int) -> None:
    """All hosts through every step, each waiting for the last host."""
    from fleetctl.inventory.model import Host, Login
    from fleetctl.playbook.operations import Exec
    from fleetctl.transport.open import open_transport
    from fleetctl.transport.protocol import (
        Event,
        Lost,
        Refused,
        RunSegment,
        SegmentEnded,
        StepOrder,
    )

    login = Login(user=fleet.user, port=fleet.port, identity=(str(fleet.identity),))
    hosts = {host.name: Host(host.name, "bench", host.address, login) for host in fleet.hosts}
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    known = str(fleet.known_hosts)
    transport = open_transport(hosts, events.put, fanout=len(hosts), known_hosts=known)
    tickets = itertools.count()
    for number, act in enumerate(steps_of(steps)):
        order = StepOrder(f"s{number}", Exec(act), 60.0)
        for name in hosts:
            transport.submit(RunSegment(next(tickets), name, "bench", 1, (order,)))
        left = len(hosts)
        while left:
            event = events.get(timeout=120)
            assert not isinstance(event, (Lost, Refused)), event
            left -= isinstance(event, SegmentEnded)
    transport.close()


def push_fabric(fleet: BenchFleet, steps: int) -> None:
    """The same by ThreadingGroup, which verifies no host key and records nothing."""
    from fabric import Connection, ThreadingGroup

    settings = {"key_filename": str(fleet.identity), "allow_agent": False, "look_for_keys": False}
    group = ThreadingGroup.from_connections(
        [
            Connection(h.address, user=fleet.user, port=fleet.port, connect_kwargs=settings)
            for h in fleet.hosts
        ]
    )
    for act in steps_of(steps):
        group.run(act, hide=True, in_stream=False)
    group.close()


def measured(push: Callable[[BenchFleet, int], None], fleet: BenchFleet, steps: int) -> list[float]:
    """Wall s, CPU s, peak MB and threads of a push in a fresh process, imports included."""
    context = get_context("spawn")
    answers: Any = context.Queue()
    process = context.Process(target=_measure, args=(push, fleet, steps, answers))
    process.start()
    figures: list[float] = answers.get(timeout=120)
    process.join()
    for host in fleet.hosts:
        proof = host.home / "proof"
        assert proof.read_text() == "".join(f"{n}\n" for n in range(steps)), host.name
        proof.unlink()
        subprocess.run(["rm", "-rf", str(host.home / ".fleetctl")], check=True)
    return figures


def _measure(
    push: Callable[[BenchFleet, int], None], fleet: BenchFleet, steps: int, answers: Any
) -> None:
    most, over = [0], threading.Event()

    def count() -> None:
        while not over.wait(0.05):
            most[0] = max(most[0], threading.active_count() - 1)

    threading.Thread(target=count, daemon=True).start()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    push(fleet, steps)
    wall_s, spent_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    over.set()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put([wall_s, spent_s, peak_mb, float(most[0])])


def host_cost_ms() -> tuple[float, float]:
    """Processor time a step costs a host through the runner, and by `sh -c` alone."""
    from fleetctl.playbook.operations import Exec
    from fleetctl.transport.local import LocalTransport
    from fleetctl.transport.protocol import Event, RunSegment, SegmentEnded, StepOrder

    with tempfile.TemporaryDirectory() as home:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        surroundings = {"HOME": home, "PATH": os.environ["PATH"]}
        transport = LocalTransport(events.put, environment=lambda _host: surroundings)
        before_s = _children_s()
        for number in range(LOOK):
            order = StepOrder(f"s{number % 20}", Exec("echo hi"), 60.0, try_no=1)
            transport.submit(
                RunSegment(number, "here", f"r{number // 20}", number // 20 + 1, (order,))
            )
            while not isinstance(events.get(timeout=60), SegmentEnded):
                pass
        transport.close()
        time.sleep(1.5)  # the guard's last nap
        runner_s = _children_s() - before_s
    before_s = _children_s()
    for _ in range(LOOK):
        subprocess.run(["sh", "-c", "echo hi"], check=True, stdout=subprocess.DEVNULL)
    return runner_s / LOOK * 1000, (_children_s() - before_s) / LOOK * 1000


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.transport")
    parser.add_argument("--hosts", type=int, default=44)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    costs: dict[str, list[list[float]]] = {"fleetctl": [], "fabric": []}
    with running_fleet(words.hosts) as fleet:
        for _ in range(words.rounds):
            costs["fleetctl"].append(measured(push_ours, fleet, words.steps))
            costs["fabric"].append(measured(push_fabric, fleet, words.steps))
    print(f"{words.hosts} hosts, {words.steps} steps in lockstep, medians of {words.rounds}")
    for name, rounds in costs.items():
        wall_s, cpu_s, peak_mb, threads = (
            sorted(c)[len(c) // 2] for c in zip(*rounds, strict=True)
        )
        print(f"{name:9} wall {wall_s:6.2f} s  cpu {cpu_s:5.2f} s  peak {peak_mb:4.0f} MB  "
              f"threads {threads:.0f}")  # fmt: skip
    runner_ms, plain_ms = host_cost_ms()
    print(f"on the host: {runner_ms:.2f} ms CPU a step, {plain_ms:.2f} ms by sh -c alone")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
