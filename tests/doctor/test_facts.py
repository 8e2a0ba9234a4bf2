"""A host's lines read as facts."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from fleetctl.doctor.facts import Facts, Heard, Told, read_facts
from fleetctl.doctor.needs import HOME, Wants, script_of

LATE_S = 60.0


def heard(said: str, *, at_s: float = 1000.0, duration_s: float = 0.5, ended: bool = True) -> Heard:
    """A look that ended at `at_s`."""
    return Heard(said, ended, duration_s, at_s)


def run(wants: Wants, home: Path, *, bastion: bool = False, until: Collection[str] = ()) -> Facts:
    """The script as a host runs it, on this machine; struck once every line of `until` began."""
    began_s = time.monotonic()
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "SSH_CONNECTION": "1.1.1.1 5 1.1.1.2 22"}
    process = subprocess.Popen(
        ["sh", "-c", script_of(wants, bastion=bastion)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, start_new_session=True,
        cwd=home,
    )  # fmt: skip
    late = threading.Timer(LATE_S, os.killpg, (process.pid, signal.SIGKILL))
    late.start()
    assert process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        if until and all(b"\n" + begin.encode() in said for begin in until):
            break
    late.cancel()
    if until:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.communicate()[1] == b""
    took_s = time.monotonic() - began_s
    return read_facts(Heard(said.decode(), process.returncode == 0, took_s, time.time()))


def test_the_script_tells_everything_of_this_machine(tmp_path: Path) -> None:
    """Asked of a real sh, every section answers, and this clock is right by itself."""
    wants = Wants(
        dict.fromkeys([f"_disk gate {tmp_path} 15%", "_disk root srv/app 4096", "_sudo",
                       "_programs must sh no-such-program", "_programs may cat"]),
        live="echo warn >&2; echo rel-1",
        checks={"lag": "echo 12", "broken": "echo no such table >&2; exit 3"},
    )  # fmt: skip
    facts = run(wants, tmp_path, bastion=True)
    assert facts.ended
    assert facts.clock is not None
    assert facts.clock.off_s == 0.0
    assert facts.clock.most_s - facts.clock.least_s < 10
    assert (facts.uptime_s or 0) > 0
    assert (facts.memory_kib or 0) > (facts.memory_free_kib or 0) > 0
    spaces = {space.kind: space for space in facts.spaces}
    assert set(spaces) == {"gate", "root", "home"}
    assert (spaces["gate"].path, spaces["gate"].need) == (str(tmp_path), "15%")
    assert spaces["gate"].exists
    assert (spaces["gate"].size_kib or 0) > 0
    assert not spaces["root"].exists
    assert spaces["root"].writable
    assert facts.programs == {"sh": True, "no-such-program": False, "cat": True}
    assert facts.must == {"sh", "no-such-program"}
    assert facts.sudo in ("yes", "no", "missing")
    assert facts.live == Told(0, "rel-1", "warn")
    assert facts.checks == {"lag": Told(0, "12", ""), "broken": Told(3, "", "no such table")}
    assert facts.bastion is not None


def test_a_section_that_hangs_takes_no_other_with_it(tmp_path: Path) -> None:
    """What has been told until the deadline counts; only the hanging check is missing."""
    wants = Wants(dict.fromkeys(["_disk gate / 5%"]), checks={"hangs": "sleep 60", "ok": "true"})
    others = ("::memory\tMemAvailable", "::gate\t/", "::home\t", "::check\tok\t")
    facts = run(wants, tmp_path, until=others)
    assert not facts.ended
    assert set(facts.checks) == {"ok"}
    assert {space.kind for space in facts.spaces} == {"gate", "home"}
    assert facts.memory_kib


def test_the_script_changes_nothing(tmp_path: Path) -> None:
    """A look leaves the home as empty as it was."""
    run(Wants(dict.fromkeys([HOME, "_disk root srv/app ''"])), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("theirs", "up", "end", "bounds"),
    [
        # Told between 999.5 and 999.9 of our time: the rest of the script took 0.1 s.
        ("1000.7", "50.0", "50.1", (0.79, 1.2)),
        # No end came: told anywhere within the look.
        ("1000.7", "50.0", "", (0.7, 1.2)),
        # Whole seconds only: up to one more.
        ("990.N", "50.0", "50.1", (-9.91, -8.5)),
    ],
)
def test_a_clock_is_known_as_well_as_the_look_was_quick(
    theirs: str, up: str, end: str, bounds: tuple[float, float]
) -> None:
    """Its lead lies between what both ends of the look allow."""
    lines = [f"::clock\t{theirs}\t{up}"] + ([f"::end\t{end}"] if end else [])
    clock = read_facts(heard("\n".join(lines))).clock
    assert clock is not None
    assert (clock.least_s, clock.most_s) == pytest.approx(bounds)


def test_lines_that_are_none_of_ours_are_passed_over() -> None:
    """A login's greeting, or half a line of a cut look, is no fact."""
    facts = read_facts(heard("Welcome!\n::gate\t/srv\n::memory\tMemTotal\n::nonsense\n"))
    assert facts == Facts(ended=False)
