"""A host that refuses, hangs, freezes, is cut off or shows another key, and the real program.

Each time: its outcome is told truthfully, the hosts beside it are not held up, nothing starts once
the budget is spent, the exit code says which, and once it is mended each effect has happened once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.lab.layout import ServerKind
from tests.faults.sick import BEGUN, HOSTS, ONCE, SICK, Ward
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", pytest.param("openssh", marks=pytest.mark.openssh)])
def ward(request: pytest.FixtureRequest, tmp_path: Path, lab_fleet: StartLab) -> Ward:
    server: ServerKind = request.param
    return Ward(tmp_path, lab_fleet({"db": HOSTS}, server))


BEFORE = {
    "refuse": "Connection refused",
    "hang": "was connected, then said nothing",
    "wrong-host-key": "shows another ssh-ed25519 key than the known one",
}


@pytest.mark.parametrize("fault", BEFORE)
def test_a_host_that_cannot_be_reached(ward: Ward, fault: str) -> None:
    """Unreachable with the reason; nothing was sent to it, so the mended host begins anew."""
    ward.lab.fault(SICK, fault)
    if fault == "hang":
        ward.give_up_soon()
    process = ward.start("push", "push.yaml")
    ward.sound_is_done()
    code, told = ward.finish(process)
    assert code == ExitCode.STOPPED, told
    assert ward.rows()[SICK]["outcome"] == "unreachable"
    assert BEFORE[fault] in told
    assert ward.marks() == {SICK: [], **BEGUN}
    ward.mend()
    assert ward.marks() == dict.fromkeys(HOSTS, ONCE)


def test_a_connection_cut_in_mid_step_is_no_loss(ward: Ward) -> None:
    """The step goes on without it; the host is asked, and told changed when the step has ended."""
    process = ward.start("push", "push.yaml")
    ward.at_work()
    ward.lab.fault(SICK, "cut")
    ward.sound_is_done()
    ward.hold.unlink()
    code, told = ward.finish(process)
    assert code == 0, told
    assert "what it did is not known yet" in told
    assert ward.outcomes() == dict.fromkeys(HOSTS, "changed")
    assert ward.marks() == dict.fromkeys(HOSTS, ONCE)


def test_a_host_frozen_in_mid_step_is_unknown(ward: Ward) -> None:
    """Its sshd is stopped: nobody knows, the code is 3; thawed, its own record tells the truth."""
    ward.give_up_soon()
    process = ward.start("push", "push.yaml")
    ward.at_work()
    ward.lab.fault(SICK, "freeze")
    ward.sound_is_done()
    code, told = ward.finish(process)
    assert code == ExitCode.UNKNOWN, told
    assert ward.outcomes()[SICK] == "unknown"
    assert ward.marks() == {SICK: ["one"], **BEGUN}
    ward.mend()
    assert ward.marks() == dict.fromkeys(HOSTS, ONCE)


def test_a_host_key_that_changes_midway_is_not_asked(ward: Ward) -> None:
    """Whoever answers there now is not believed: unknown at once, never a login."""
    process = ward.start("push", "push.yaml")
    ward.at_work()
    ward.lab.fault(SICK, "wrong-host-key")
    ward.lab.fault(SICK, "cut")
    code, told = ward.finish(process)
    assert code == ExitCode.UNKNOWN, told
    assert "cannot be asked" in told
    assert "shows another ssh-ed25519 key than the known one" in told
    assert ward.marks() == {SICK: ["one"], **BEGUN}
    ward.mend()
    assert ward.marks() == dict.fromkeys(HOSTS, ONCE)
