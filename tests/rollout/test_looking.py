"""What a check-only run is told by a host, steps that list items among them."""

from __future__ import annotations

import subprocess

import pytest

from fleetctl.plan.model import PlanStep
from fleetctl.playbook.operations import Exec, Foreach, Listing
from fleetctl.rollout.looking import _script, _would, read_checks
from tests.rollout.builders import a_step

CHECKED = [Exec("touch x", check="test -e /"), Exec("touch x", check="test -e /nowhere")]
EACH = "upgrade (2 instances: a b, $(id))"


def looked(*texts: str) -> dict[int, str]:
    """What foreach steps would do whose lists are these texts, as a check-only run asks."""
    script = "\n".join(_script(2 * at, Listing(text)) for at, text in enumerate(texts))
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    seen = read_checks(done.stdout)
    each = PlanStep("p1-s01-run", "upgrade", Foreach("x {{item}}", noun="instance"), 60.0)
    return {at: _would(2 * at + 1, each, seen) for at in range(len(texts))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("printf 'a b\\n\\n$(id)\\n'", EACH),
        ("printf 'a b\\n$(id)'", EACH),
        ("true", ""),
        ("echo; false", "upgrade (on what is not known before the steps above have run)"),
        ("exit 3", "upgrade (on what is not known before the steps above have run)"),
        ("seq 7", "upgrade (7 instances: 1, 2, 3, 4, 5, ...)"),
        ("cat", ""),
    ],
)
def test_a_list_is_asked_for_and_told(text: str, words: str) -> None:
    """A dry run names what would be worked on; a list that fails is not the same as none."""
    assert looked(text) == {0: words}


def test_lists_and_checks_are_told_apart() -> None:
    """Each step's answer is its own."""
    lists = looked("echo one", "true", "echo two")
    assert lists == {0: "upgrade (1 instance: one)", 1: "", 2: "upgrade (1 instance: two)"}
    script = "\n".join(_script(at, operation) for at, operation in enumerate(CHECKED))
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    seen = read_checks(done.stdout)
    assert [_would(at, a_step(f"step {at}"), seen) for at in range(2)] == ["", "step 1"]
