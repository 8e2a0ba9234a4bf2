"""The Saturday push tried whole: 44 lab hosts, hundreds of instances on a real MariaDB server.

    python -m bench.saturday --dir DIR [--instances 400] [--server openssh]

raises the lab of inventory/phacility.yaml and one MariaDB server that plays all 16 shards, and goes
through four mornings with playbooks/saturday-push.yaml as it stands: a good release, a broken one,
one with faults on three hosts, one rolled back. Every command typed is shown with what it said
last, how long it took and its exit code; reports and logs stay in DIR. Needs the Debian packages
mariadb-server-core and mariadb-client (each instance is dumped before it is upgraded).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.mariadb import Server, make_shards, missing_programs, running

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "fleetctl" / "lab" / "demo"
SHARDS = [f"s{number:03d}" for number in range(1, 17)]
CALL = [sys.executable, "-c", "from fleetctl.cli.main import main; main()"]
PATIENCE_S = 1200.0
PROGRAMS = ("mariadb", "mariadb-dump")
RECAP = re.compile(r"^\d+ of \d+ accounted for")
BROKEN = 'raise SystemExit("web: no such module: hibernation")\n'


class Morning:
    """A folder with a lab, releases and a journal; types commands in it."""

    def __init__(self, folder: Path, server: Server, kind: str) -> None:
        self.folder = folder
        self.server = server
        self.kind = kind
        self.environ = {
            **os.environ,
            "FLEETCTL_INVENTORY": ".lab/inventory.yaml",
            "FLEETCTL_RELEASES": "releases",
            "FLEETCTL_JOURNAL": "journal.db",
        }

    def type(self, *words: str, expect: int | None = 0, lines: int = 0, quiet: bool = False) -> str:
        """Type a command; shows it, the last `lines` it said, its time and exit code."""
        began_s = time.monotonic()
        done = subprocess.run(
            [*CALL, *words], cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        took_s = time.monotonic() - began_s
        if not quiet:
            print(f"$ fleetctl {shlex.join(words)}", flush=True)
            for line in done.stdout.splitlines()[-lines:] if lines else []:
                print(f"  {line}")
            print(f"  [{took_s:.1f} s, exit {done.returncode}]", flush=True)
        as_meant = expect in (None, done.returncode)
        assert as_meant, f"exit {done.returncode}, not {expect}:\n{done.stdout}"
        return done.stdout

    def push(
        self, *words: str, expect: int | None = 0, asked: Callable[[], None] | None = None
    ) -> str:
        """Push, saying yes when a person is asked, after what `asked` does; shows the account."""
        words = words or ("push", "--yes")
        began_s = time.monotonic()
        process = subprocess.Popen(
            [*CALL, *words], cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if "a person is asked" in line:
                if asked is not None:
                    asked()
                self.type("runs", "approve", "last")
        code = process.wait()
        print(
            f"$ fleetctl {shlex.join(words)}\n  [{time.monotonic() - began_s:.1f} s, exit {code}]"
        )
        start = next((n for n, line in enumerate(said) if RECAP.match(line)), -10)
        for line in said[start:]:
            print(f"  {line}", flush=True)
        assert expect in (None, code), f"exit {code}, not {expect}"
        return "\n".join(said)

    def report(self, name: str) -> None:
        self.type("runs", "report", "last", "--to", f"{name}.html")


def raise_fleet(morning: Morning, instances: int) -> None:
    """The lab, and on each db host the list of its shard's instances and how to log in."""
    names = make_shards(morning.server, SHARDS, instances)
    settings = {
        "root": "app", "disk": ".", "http_port": str(_free_port()), "python": sys.executable,
        "engine": "mariadb",
    }  # fmt: skip
    words = [word for key, value in settings.items() for word in ("--var", f"{key}={value}")]
    morning.type("lab", "up", "--server", morning.kind, "--inventory",
                 str(ROOT / "inventory" / "phacility.yaml"), "--playbook",
                 str(ROOT / "playbooks" / "saturday-push.yaml"), *words, quiet=True)  # fmt: skip
    for number, shard in enumerate(SHARDS, start=1):
        home = morning.folder / ".lab" / "hosts" / f"db{number:03d}" / "home"
        mine = [name for name in names if name.startswith(f"s{shard}i")]
        (home / "instances").write_text("".join(f"{name} app_{name} active\n" for name in mine))
        (home / ".my.cnf").write_text(f"[client]\nsocket={morning.server.socket}\nuser=root\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.254.254.254", 0))
        port: int = probe.getsockname()[1]
        return port


def add_release(morning: Morning, name: str, schema: int, *, broken: bool = False) -> None:
    """One more release of the demo application; a third schema is one more column."""
    source = morning.folder / "sources" / name
    shutil.copytree(DEMO / "application", source)
    if schema > 1:
        shutil.copytree(DEMO / "second", source, dirs_exist_ok=True)
    if schema > 2:
        text = "ALTER TABLE task ADD COLUMN failed_at BIGINT;\n"
        (source / "schema" / "003-failures.sql").write_text(text)
    (source / "NAME").write_text(name)
    if broken:
        (source / "bin" / "web.py").write_text(BROKEN)
    morning.type("releases", "add", f"sources/{name}", "--id", name, "--schema", str(schema))
    morning.type("releases", "pin", "all", name)


def good(morning: Morning) -> None:
    """Release 1 to 2: every instance has a migration pending."""
    print("\n== A good release\n")
    add_release(morning, "r2", 2)
    morning.type("doctor", lines=3)
    morning.push()
    morning.type("schema", "status", lines=1)
    morning.report("good")


def broken(morning: Morning) -> None:
    """The first host shows it: it is taken back, and nobody else was touched."""
    print("\n== A broken release\n")
    add_release(morning, "r3-broken", 2, broken=True)
    told = morning.push("push", "--yes", expect=6)
    touched = set(re.findall(r"^\S+ (\w+\d+) (?:changed|failed)", told, re.MULTILINE))
    print(f"  hosts touched: {len(touched)} of 44: {', '.join(sorted(touched))}")
    morning.report("broken")


FAULTS = (
    ("web002", "cut", "--after", "300ms"),
    ("db007", "freeze", "--after", "500ms"),
    ("repo011", "fail", "--command", "setsid *", "--exit", "9"),
)


def faulty(morning: Morning) -> None:
    """Three hosts fail while the push is on its way; they are mended, and it is taken up again."""
    print("\n== Faults on three hosts\n")
    add_release(morning, "r4", 3)

    def give() -> None:
        for words in FAULTS:
            morning.type("lab", "fault", *words)

    morning.push("push", "--yes", expect=None, asked=give)
    morning.report("faults")
    for host, *_ in FAULTS:
        morning.type("lab", "fault", host, "off")
    morning.push("runs", "resume", "last", "--failed", "--yes", expect=None)
    morning.push("runs", "resume", "last", "--yes", expect=None)
    morning.type("status", lines=2)
    morning.type("schema", "status", lines=1)
    morning.report("faults-mended")


def rolled_back(morning: Morning) -> None:
    """Back to the release before, schemas left as they are."""
    print("\n== Rolled back\n")
    morning.push("rollback", "last", "--yes")
    morning.type("status", expect=1, lines=2)
    morning.report("rolled-back")


MORNINGS: dict[str, Callable[[Morning], None]] = {
    "good": good,
    "broken": broken,
    "faults": faulty,
    "rollback": rolled_back,
}


def main(words: Sequence[str] | None = None) -> None:
    """Go through the mornings."""
    parser = argparse.ArgumentParser(description="The Saturday push, tried whole.")
    parser.add_argument("--dir", type=Path, required=True, help="an empty or new folder; kept")
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--only", default=",".join(MORNINGS), help="mornings, with commas between")
    parser.add_argument("--server", choices=("embedded", "openssh"), default="embedded")
    given = parser.parse_args(words)
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing_programs() or missing:
        parser.error(f"missing: {' '.join([missing_programs(), *missing])}")
    given.dir.mkdir(parents=True, exist_ok=True)
    with running(given.dir / "mariadb") as server:
        morning = Morning(given.dir, server, given.server)
        try:
            raise_fleet(morning, given.instances)
            print("== The fleet as it is: release 1 everywhere\n")
            add_release(morning, "r1", 1)
            morning.push()
            for name in given.only.split(","):
                MORNINGS[name](morning)
        finally:
            morning.type("lab", "down", quiet=True)


if __name__ == "__main__":
    main()
