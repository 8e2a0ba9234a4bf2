"""A fleet of real OpenSSH servers on loopback: one sshd, address, host key and home a host.

No root is needed; the servers run as, and let in, whoever starts the benchmark.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.meter import adopt_orphans, children_of, end_children, end_with_parent

SUBNET = "127.44"
READY_S = 30.0
SESSIONS_S = 5.0

SSHD_CONFIG = """\
ListenAddress {address}:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {keys}
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
LogLevel ERROR
Subsystem sftp internal-sftp
SetEnv HOME={home}
"""


@dataclass(frozen=True)
class BenchHost:
    """One server."""

    name: str
    address: str
    home: Path
    """What a command run over SSH finds as $HOME."""


@dataclass(frozen=True)
class BenchFleet:
    """The servers and how to log in to them."""

    folder: Path
    hosts: tuple[BenchHost, ...]
    user: str
    port: int
    identity: Path
    known_hosts: Path
    servers: tuple[int, ...] = ()
    """Process ids of the sshd that listen; their sessions are their children."""

    orphans_s: list[float] = field(default_factory=list)
    """CPU of what outlived its session (it became our child), each when it ended."""

    def cpu_s(self) -> float:
        """What servers, sessions and what ran in them have used so far; waits for them to end."""
        deadline = time.monotonic() + SESSIONS_S
        while self._busy() and time.monotonic() < deadline:
            time.sleep(0.01)
        ticks = sum(sum(ticks_of(server)) for server in self.servers)
        return ticks / os.sysconf("SC_CLK_TCK") + sum(self.orphans_s)

    def _busy(self) -> bool:
        """Whether anything runs on some host; takes leave of the orphans that have ended."""
        orphans = set(children_of(os.getpid())) - set(self.servers)
        for orphan in orphans:
            ended, _, used = os.wait4(orphan, os.WNOHANG)
            if ended:
                self.orphans_s.append(used.ru_utime + used.ru_stime)
        return bool(orphans) or any(map(children_of, self.servers))


def ticks_of(pid: int) -> list[int]:
    """User and system time of a process and of its ended children, in clock ticks."""
    line = Path(f"/proc/{pid}/stat").read_text()
    return [int(word) for word in line.rpartition(")")[2].split()[11:15]]


@contextmanager
def running_fleet(size: int) -> Iterator[BenchFleet]:
    """`size` servers, answering; stopped with all their sessions, and wiped, whatever happens."""
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="fleetctl-bench-"))
    try:
        fleet = lay_out(folder, size)
        servers = tuple(start(folder / host.name) for host in fleet.hosts)
        for host in fleet.hosts:
            await_banner(host.address, fleet.port)
        yield replace(fleet, servers=servers)
    finally:
        end_children(os.getpid())
        shutil.rmtree(folder, ignore_errors=True)


def lay_out(folder: Path, size: int) -> BenchFleet:
    """Keys, homes and configurations of `size` hosts."""
    keep_apart(folder)
    identity = folder / "id_ed25519"
    make_key(identity)
    port = free_port()
    hosts = tuple(lay_out_host(folder, number, port) for number in range(1, size + 1))
    known_hosts = folder / "known_hosts"
    with known_hosts.open("w", encoding="utf-8") as file:
        for host in hosts:
            kind, key, *_ = (folder / host.name / "host_key.pub").read_text().split()
            file.write(f"[{host.address}]:{port} {kind} {key}\n")
    return BenchFleet(folder, hosts, getpass.getuser(), port, identity, known_hosts)


def keep_apart(folder: Path) -> None:
    """Have the file system place each host's files in a region of their own, where it can.

    Real hosts have a disk each. In one region ext4 passes, for every file that is made, over all
    that anybody removed there in the last minutes: who leaves files behind would pay for others.
    """
    with suppress(OSError):
        subprocess.run(["chattr", "+T", str(folder)], stderr=subprocess.DEVNULL, check=False)


def free_port() -> int:
    """A port no other fleet, such as a second benchmark's, has on our addresses."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def lay_out_host(folder: Path, number: int, port: int) -> BenchHost:
    """One host's own folder."""
    name = f"h{number:03d}"
    address = f"{SUBNET}.{number // 200}.{number % 200 + 1}"
    own = folder / name
    home = own / "home"
    home.mkdir(parents=True)
    make_key(own / "host_key")
    config = SSHD_CONFIG.format(
        address=address, port=port, folder=own, keys=folder / "id_ed25519.pub", home=home
    )
    (own / "sshd_config").write_text(config, encoding="utf-8")
    return BenchHost(name, address, home)


def make_key(path: Path) -> None:
    """A new ed25519 key without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def sshd_path() -> str:
    """The server program, which is often outside of an ordinary user's PATH."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit("bench: sshd is missing; install the OpenSSH server")
    return found


def start(own: Path) -> int:
    """Start one server; it stays our child."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it when root
    with (own / "log").open("w") as log:
        command = [sshd_path(), "-D", "-e", "-f", str(own / "sshd_config")]
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent
        )
    return server.pid


def await_banner(address: str, port: int) -> None:
    """Return once the server at `address` speaks SSH."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), timeout=1.0) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"bench: the server at {address} port {port} did not start")
