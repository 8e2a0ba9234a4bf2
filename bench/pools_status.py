"""What a look at all pools costs: one overseer's answers, and the fleet's status over SSH.

`python -m bench.pools_status`: an overseer with 3,000 pools answers `tally` and `status`, while
another asks it small things; then `fleetctl pools status` over 44 lab hosts with 400 instances x 3
pools each, all asleep, in turn with `true` on the same hosts over the same transport. Where others
have the processors, too, how long the overseer stood in line for one is told apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.pools_host import Measured, kind, measured, quantile
from fleetctl.inventory.model import Fleet, Host, Login, Pools, Tier
from fleetctl.lab.layout import Layout
from fleetctl.lab.lifecycle import down, up
from fleetctl.lab.prepare import LabRequest
from fleetctl.pools.packing import pack

INSTANCES, KINDS = 1000, 3
LOOKS = 60
HOSTS, HOST_INSTANCES = 44, 400
AWAKE = 300
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
CALL = "from fleetctl.cli.main import main; main()"


def one_overseer(awake: int) -> None:
    """Answers of one with 3,000 pools, some of them with a process."""
    with measured() as host:
        # What sleeps is one kind's specs; what is awake has a process that beats.
        kinds = {f"k{n}": kind("once", at_start="asleep", max=4) for n in range(KINDS)}
        if awake:
            live = [{"names": [f"a[0001-{awake:04}]"], "kinds": ["live"]}]
            groups = [
                {"names": [f"i[00001-{INSTANCES - awake // KINDS:05}]"], "kinds": list(kinds)}
            ]
            kinds["live"] = kind("beat", min=1)
            text = {"kind": kinds, "instances": groups + live}
            (host.specs / "pools.json").write_text(json.dumps(text))
        else:
            host.write(INSTANCES, kinds)
        host.start()
        host.until(lambda: host.figures()["wakes"] >= awake)
        print(f"one overseer, 3,000 pools, {awake} of them with a process:")
        _answers(host, "tally by kind", "tally")
        _answers(host, "tally by instance", "tally", by="instance")
        _answers(host, "status, all pools", "status", all=True)
        _while_asked(host)


def _answers(host: Measured, title: str, do: str, **request: Any) -> None:
    took: list[tuple[float, float, float]] = []
    for _ in range(LOOKS):
        began, (ran, stood) = time.perf_counter(), _scheduled_ms(host.pid)
        host.ask(do, **request)
        wall = (time.perf_counter() - began) * 1000
        now = _scheduled_ms(host.pid)
        took.append((wall, now[0] - ran, now[1] - stood))
    told = []
    for at, name in enumerate(("wall", "processor", "in line for one")):
        values = [one[at] for one in took]
        half, most = quantile(values, 0.5), quantile(values, 0.99)
        told.append(f"{name} p50 {half:.1f} ms, p99 {most:.1f} ms")
    print(f"  {title}: {'; '.join(told)}", flush=True)


def _scheduled_ms(pid: int) -> tuple[float, float]:
    """Milliseconds a process of one thread has run, and stood in line to run."""
    ran, stood, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran) / 1e6, int(stood) / 1e6


def _while_asked(host: Measured) -> None:
    """How long a small question takes while somebody asks for all pools over and over."""
    ended = threading.Event()

    def insist() -> None:
        while not ended.is_set():
            host.ask("status", all=True)

    asker = threading.Thread(target=insist)
    asker.start()
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        host.ask("explain", pools=["i00001/k0"])
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.005)
    ended.set()
    asker.join()
    print(f"  a small question meanwhile: p50 {quantile(took, 0.5):.1f} ms, ", end="")
    print(f"p99 {quantile(took, 0.99):.1f} ms", flush=True)


@contextlib.contextmanager
def fleet_of_sleepers(
    folder: Path, hosts: int, instances: int, staying: int = 0
) -> Iterator[Layout]:
    """A lab whose hosts have an overseer each; gone afterwards.

    `staying`: pools a host whose daemon stays once it is awake; of the others it sleeps at once.
    """
    layout = Layout(folder / "l")
    names = [f"repo{number:03}" for number in range(1, hosts + 1)]
    made = {
        name: Host(name, "repo", name, Login(), pools=Pools(python=sys.executable))
        for name in names
    }
    fleet = Fleet("bench", made, {"repo": Tier("repo", tuple(names))}, "by hand")
    program = pack(folder / "overseer.pyz")
    running: list[subprocess.Popen[bytes]] = []
    try:
        up(layout, fleet, LabRequest())
        for name in names:
            running.append(_overseer(layout.home(name), program, instances, staying))
        end = time.monotonic() + 120
        for name in names:
            while not (layout.home(name) / ".fleetctl/overseer/control.sock").exists():
                assert time.monotonic() < end, name
                time.sleep(0.05)
        yield layout
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait(30)
        down(layout)


def _overseer(login: Path, program: Path, instances: int, staying: int) -> subprocess.Popen[bytes]:
    """Lay an overseer with sleeping pools into a host's home, and start it."""
    home = login / ".fleetctl" / "overseer"
    (home / "specs").mkdir(parents=True)
    shutil.copy(program, home / "overseer.pyz")
    kinds = {f"k{n}": kind("once", at_start="asleep", max=4) for n in range(KINDS)}
    groups = [{"names": [f"i[0001-{instances:04}]"], "kinds": list(kinds)}]
    if staying:
        kinds["stay"] = kind("rest", at_start="asleep")
        groups.append({"names": [f"s[0001-{staying:04}]"], "kinds": ["stay"]})
    (home / "specs" / "pools.json").write_text(json.dumps({"kind": kinds, "instances": groups}))
    command = [sys.executable, "-I", "-S", str(home / "overseer.pyz"), "--home", str(home)]
    return subprocess.Popen([*command, "--specs", str(home / "specs")])


def the_fleet(hosts: int, instances: int, looks: int) -> None:
    """`fleetctl pools status`, the whole program, over SSH."""
    with (
        tempfile.TemporaryDirectory() as name,
        fleet_of_sleepers(Path(name), hosts, instances) as lab,
    ):
        environ = {
            **{name: word for name, word in os.environ.items() if name != NO_BYTECODE},
            "PYTHONPYCACHEPREFIX": f"{name}/compiled",  # as an installed program has it
            "FLEETCTL_INVENTORY": str(lab.inventory),
            "FLEETCTL_JOURNAL": f"{name}/journal.db",
        }
        bare = [sys.executable, "-m", "bench.bare_reach", str(lab.inventory)]
        ask = [sys.executable, "-c", CALL, "pools", "status"]
        print(f"over {hosts} hosts x {instances} instances x {KINDS} pools:")
        _timed("`true`, the first time", bare, environ, 1)
        for words in ([], ["--by", "host"], ["--by", "instance"], ["--by", "instance", "--all"]):
            _timed("`true`", bare, environ, looks)
            told = _timed(" ".join(("`pools status", *words)) + "`", [*ask, *words], environ, looks)
            print(f"    {len(told.stdout)} bytes; {told.stderr.splitlines()[0]}", flush=True)


def _timed(
    title: str, command: list[str], environ: dict[str, str], looks: int
) -> subprocess.CompletedProcess[str]:
    """How long a command takes, and how much of a processor it had itself."""
    took, own = [], []
    told = subprocess.CompletedProcess(command, 0, "", "")
    for _ in range(looks):
        began, before = time.monotonic(), _children_s()
        told = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        took.append(time.monotonic() - began)
        own.append(_children_s() - before)
    times = f"{min(took):.2f} s to {max(took):.2f} s, half within {quantile(took, 0.5):.2f} s"
    print(f"  {title}: {times}; its own processor {quantile(own, 0.5):.2f} s", flush=True)
    return told


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """One overseer, then the fleet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--instances", type=int, default=HOST_INSTANCES)
    parser.add_argument("--looks", type=int, default=5)
    given = parser.parse_args()
    one_overseer(0)
    one_overseer(AWAKE)
    the_fleet(given.hosts, given.instances, given.looks)


if __name__ == "__main__":
    main()
