"""A host that restarts in mid-step: its processes are gone, and its boot has another id.

The other id is shown by a mount namespace of its own around each login's sh, so it takes the right
to mount; what fleetctl runs on the host is untouched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.lab.processes import find_marked, kill
from tests.faults.sick import BEGUN, HOSTS, LATER, ONCE, PLAYBOOK, SICK, Ward
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SH = """#!/bin/sh
# A login of a host that was booted anew.
exec unshare -m /bin/sh -c 'mount --bind "$0" {boot_id} && exec /bin/sh "$@"' {fake} "$@"
"""


@pytest.fixture(autouse=True)
def right_to_mount(tmp_path: Path) -> None:
    """Skips where mount namespaces are not allowed."""
    fake = tmp_path / "try"
    fake.write_text("x\n")
    words = ["unshare", "-m", "mount", "--bind", str(fake), BOOT_ID]
    if (
        sys.platform != "linux"
        or subprocess.run(words, check=False, capture_output=True).returncode
    ):
        pytest.skip("another boot id needs a mount namespace, which is not allowed here")


def boot(lab: RunningLab, host: str) -> None:
    """Everything that runs there ends at once; who logs in from now on sees another boot."""
    fake = lab.layout.host(host) / "boot_id"
    fake.write_text(f"{uuid.uuid4()}\n")
    shim = lab.layout.shims(host) / "sh"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(SH.format(boot_id=BOOT_ID, fake=fake))
    shim.chmod(0o755)
    everybody = set(find_marked(lab.state.id, host))
    # Stopped first: nobody is to see the others die, as nobody does when the power goes.
    kill(everybody, signal.SIGSTOP)
    kill(everybody)
    assert os.access(shim, os.X_OK)


def test_a_step_that_went_down_with_its_host_is_unknown(
    tmp_path: Path, lab_fleet: StartLab
) -> None:
    """Begun, no process, no end: nobody can know; this run never runs it again, another one may."""
    ward = Ward(tmp_path, lab_fleet({"db": HOSTS}))
    process = ward.start("push", "push.yaml")
    ward.at_work()
    ward.sound_is_done()
    boot(ward.lab, SICK)
    code, told = ward.finish(process)
    assert code == ExitCode.UNKNOWN, told
    assert "its process is gone without a recorded end" in told
    assert ward.outcomes()[SICK] == "unknown"
    assert ward.marks() == {SICK: ["one"], **BEGUN}
    ward.hold.unlink()
    code, told = ward.call("runs", "resume", "last", "--failed")
    assert code == ExitCode.UNKNOWN, told
    assert ward.marks()[SICK] == ["one"]
    code, told = ward.call("push", "push.yaml", "--host", SICK)
    assert code == 0, told
    assert ward.marks()[SICK] == ["one", *ONCE]


@pytest.mark.parametrize(
    ("word", "marks"), [("--done", ["one", "three"]), ("--again", ["one", *ONCE])]
)
def test_a_person_who_looked_says_what_the_host_cannot_know(
    tmp_path: Path, lab_fleet: StartLab, word: str, marks: list[str]
) -> None:
    """The run goes on there as if the step had been done, or runs it once more, and only that."""
    ward = Ward(tmp_path, lab_fleet({"db": HOSTS}))
    process = ward.start("push", "push.yaml")
    ward.at_work()
    boot(ward.lab, SICK)
    code, told = ward.finish(process)
    assert code == ExitCode.UNKNOWN, told
    assert f"look on {SICK}" in told
    ward.hold.unlink()
    code, told = ward.call("runs", "resume", "last", "--failed", word, SICK)
    assert f"{SICK} {word[2:]} as a person says" in told
    assert ward.marks() == {SICK: marks, **BEGUN}
    code, told = ward.call("runs", "resume", "last")
    assert code == 0, told
    assert ward.marks() == {SICK: marks, **BEGUN, LATER: ONCE}


def test_a_step_that_may_run_twice_is_run_again_after_the_boot(
    tmp_path: Path, lab_fleet: StartLab
) -> None:
    """Declared idempotent: the host is asked, and the step sent again; what it was not, is not."""
    book = PLAYBOOK.replace("name: upgrade", "name: upgrade\n        idempotent: true")
    ward = Ward(tmp_path, lab_fleet({"db": HOSTS}), book)
    process = ward.start("push", "push.yaml")
    ward.at_work()
    boot(ward.lab, SICK)
    ward.hold.unlink()
    code, told = ward.finish(process)
    assert code == 0, told
    assert ward.outcomes() == dict.fromkeys(HOSTS, "changed")
    assert ward.marks() == {**dict.fromkeys(HOSTS, ONCE), SICK: ["one", *ONCE]}


def test_the_lock_and_the_lease_of_before_the_boot_are_void(
    tmp_path: Path, lab_fleet: StartLab
) -> None:
    """A pid that is taken anew after a boot holds nothing: the next order is not kept out."""
    ward = Ward(tmp_path, lab_fleet({"db": HOSTS}))
    process = ward.start("push", "push.yaml")
    ward.at_work()
    process.kill()
    ward.finish(process)
    claims = list((ward.lab.home(SICK) / ".fleetctl").glob("lock.*"))
    held = [claim for claim in claims if claim.read_text().startswith("held")]
    assert len(held) == 1
    boot(ward.lab, SICK)
    stat = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(") ")[2].split()
    # As if this very process had the dead runner's pid and start, one boot later.
    held[0].rename(held[0].with_name(f"lock.{os.getpid()}.{stat[19]}.{held[0].name.split('.')[3]}"))
    ward.hold.unlink()
    code, told = ward.call("runs", "resume", "last")
    assert code == ExitCode.UNKNOWN, told
    assert "its process is gone without a recorded end" in told
