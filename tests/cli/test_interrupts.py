"""Signals steer the run: drain, then kill, then leave; each is told."""

from __future__ import annotations

import os
import signal

import pytest

from fleetctl.cli.interrupts import Interrupts, tell_raw
from fleetctl.rollout.controls import Controls


def _words(controls: Controls) -> list[str]:
    return [command.word for command in controls.take()]


def test_three_interrupts_drain_kill_and_leave(capfd: pytest.CaptureFixture[str]) -> None:
    """Each Ctrl-C is harder than the one before, and the last says what is in flight."""
    controls = Controls()
    left: list[int] = []
    farewell = "3 hosts mid `upgrade`"
    with Interrupts(controls, "ann@desk 42", lambda: farewell, tell_raw, left.append):
        os.kill(os.getpid(), signal.SIGINT)
        assert _words(controls) == ["drain"]
        os.kill(os.getpid(), signal.SIGINT)
        assert _words(controls) == ["kill"]
        assert left == []
        os.kill(os.getpid(), signal.SIGINT)
        assert _words(controls) == ["leave"]
        assert left == []
        os.kill(os.getpid(), signal.SIGINT)
    assert left == [130]
    told = capfd.readouterr().err
    assert told.index("draining") < told.index("stopping") < told.index("3 hosts mid `upgrade`")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_ending_session_drains(number: signal.Signals) -> None:
    """A closed terminal or a shutdown never leaves a half-begun batch to go on starting hosts."""
    controls = Controls()
    with Interrupts(controls, "ann@desk 42", str, tell_raw):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert _words(controls) == ["drain", "drain"]


def test_what_a_signal_did_before_comes_back() -> None:
    """After the run Ctrl-C is Ctrl-C again."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(Controls(), "ann@desk 42", str, tell_raw):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
