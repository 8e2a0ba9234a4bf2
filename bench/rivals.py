"""The tools fleetctl is compared with, each tuned as its experts would: name, and how to start it.

Every rival verifies host keys if it can (Fabric's own default accepts any) and works on up to 50
hosts at once, or on all where it has no such limit.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.environments import environment
from bench.fleet import BenchFleet
from bench.workload import STEPS

SCRIPTS = Path(__file__).parent / "scripts"
ANSIBLE = ("ansible-core==2.19.14",)
PYINFRA = ("pyinfra==3.10.0",)
FABRIC = ("fabric==3.2.3", "paramiko==5.1.0")
ASYNCSSH = ("asyncssh==2.24.1",)
FANOUT = 50
KEX = "ecdh-sha2-nistp256"
"""The key exchange that costs sshd least, for everybody; some prefer SLOW_KEX by themselves."""
SLOW_KEX = "curve25519-sha256@libssh.org"


@dataclass(frozen=True)
class Tool:
    """One contestant; `prepare` writes what it needs into a folder and returns its command."""

    name: str
    prepare: Callable[[BenchFleet, Path], list[str]]


def ansible(fleet: BenchFleet, folder: Path) -> list[str]:
    """ansible-core: raw steps, pipelining, 50 forks, shared ssh connections, no fact gathering."""
    lines = [f"{host.name} ansible_host={host.address}" for host in fleet.hosts]
    (folder / "hosts.ini").write_text("[all]\n" + "\n".join(lines) + "\n")
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"raw": step, "name": f"step {n}"} for n, step in enumerate(STEPS, 1)],
    }
    (folder / "push.yml").write_text(json.dumps([play]))
    shared = (
        f"-o ControlMaster=auto -o ControlPersist=60s -o KexAlgorithms={KEX} "
        f"-o UserKnownHostsFile={fleet.known_hosts} -o IdentitiesOnly=yes"
    )
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nforks = {FANOUT}\nremote_user = {fleet.user}\nremote_port = {fleet.port}\n"
        f"private_key_file = {fleet.identity}\nhost_key_checking = True\nlocal_tmp = {folder}/tmp\n"
        "interpreter_python = /bin/false\n"
        "[ssh_connection]\npipelining = True\n"
        f"ssh_args = {shared}\ncontrol_path_dir = {folder}/cp\ncontrol_path = {folder}/cp/%%C\n"
    )
    program = environment("ansible", ANSIBLE) / "ansible-playbook"
    settings = [f"ANSIBLE_CONFIG={folder}/ansible.cfg", f"ANSIBLE_HOME={folder}/ansible"]
    return ["env", *settings, str(program), "-i", str(folder / "hosts.ini"), f"{folder}/push.yml"]


def pyinfra(fleet: BenchFleet, folder: Path) -> list[str]:
    """pyinfra: one `server.shell` operation a step; it waits for all hosts after each by itself."""
    shared = {
        "ssh_user": fleet.user,
        "ssh_port": fleet.port,
        "ssh_key": str(fleet.identity),
        "ssh_known_hosts_file": str(fleet.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {"disabled_algorithms": {"kex": [SLOW_KEX]}},
    }
    hosts = [(host.address, shared) for host in fleet.hosts]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    lines = ["from pyinfra.operations import server"]
    lines += [f"server.shell(name='step {n}', commands=[{s!r}])" for n, s in enumerate(STEPS, 1)]
    (folder / "push.py").write_text("\n".join(lines) + "\n")
    program = environment("pyinfra", PYINFRA) / "pyinfra"
    return [str(program), "-y", f"{folder}/inventory.py", f"{folder}/push.py"]


def scripted(name: str, script: str, requirements: tuple[str, ...]) -> Tool:
    """A tool that is a library: our shortest sensible script over it."""

    def prepare(fleet: BenchFleet, folder: Path) -> list[str]:
        task = {
            "addresses": [host.address for host in fleet.hosts],
            "user": fleet.user,
            "port": fleet.port,
            "identity": str(fleet.identity),
            "known_hosts": str(fleet.known_hosts),
            "steps": STEPS,
        }
        (folder / "task.json").write_text(json.dumps(task))
        python = environment(name, requirements) / "python"
        return [str(python), str(SCRIPTS / script), str(folder / "task.json")]

    return Tool(name, prepare)


def xargs(fleet: BenchFleet, folder: Path) -> list[str]:
    """`xargs -P50 ssh` a step over one shared connection a host (ControlMaster)."""
    (folder / "hosts").write_text("".join(f"{host.address}\n" for host in fleet.hosts))
    (folder / "cp").mkdir(exist_ok=True)
    (folder / "ssh_config").write_text(
        f"User {fleet.user}\nPort {fleet.port}\nIdentityFile {fleet.identity}\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {fleet.known_hosts}\nStrictHostKeyChecking yes\nLogLevel ERROR\n"
        f"KexAlgorithms {KEX}\n"
        f"ControlMaster auto\nControlPersist 60\nControlPath {folder}/cp/%C\n"
    )
    ssh = f"xargs -P{FANOUT} -I@ ssh -n -F {folder}/ssh_config"
    steps = [f"{ssh} @ {shlex.quote(step)} < {folder}/hosts" for step in STEPS]
    (folder / "push.sh").write_text("set -e\n" + "\n".join(steps) + "\n")
    return ["sh", str(folder / "push.sh")]


RIVALS = (
    Tool("ansible", ansible),
    Tool("pyinfra", pyinfra),
    scripted("fabric", "fabric_group.py", FABRIC),
    scripted("asyncssh", "asyncssh_gather.py", ASYNCSSH),
    Tool("xargs-ssh", xargs),
)
