"""Saved plans: the digest binds what was shown to what is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fleetctl.base.errors import Refused
from fleetctl.plan.digest import digest_of
from fleetctl.plan.save import decode_plan, encode_plan
from fleetctl.plan.stale import changed_inputs, refuse_stale
from tests.plan.fleets import phase, plan_of

TEXT = phase("""
name: db
hosts: tier=db
batches: [1, 50%]
gates: [{tcp: 22}, {approval: on?}, {command: {run: x, where: here}}]
steps: [{run: "echo {{host.name}}"}, {wait: 2s}, {upload: {from: a, to: b}}]
""")


def test_a_saved_plan_comes_back_equal() -> None:
    """Nothing is lost or changed on the way through the file."""
    plan = plan_of(TEXT, live={"db001": "r1"})
    again = decode_plan(encode_plan(plan), "plan.json")
    assert again == plan
    assert digest_of(again) == digest_of(plan)


def test_a_changed_file_is_refused() -> None:
    """One character more or less in the plan and its digest no longer fits."""
    data = encode_plan(plan_of(TEXT))
    with pytest.raises(Refused, match="changed after it was saved"):
        decode_plan(data.replace(b"echo ", b"rm -rf "), "plan.json")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "no saved plan"),
        (b"not json", "no saved plan"),
        (b'{"fleetctl_plan": 2, "digest": "x"}', "format 2"),
        (b'{"fleetctl_plan": 1, "digest": "x", "plan": {}}', "damaged"),
    ],
)
def test_what_is_no_plan_of_this_version_is_refused(data: bytes, words: str) -> None:
    """An older or newer format is never guessed at."""
    with pytest.raises(Refused, match=words) as caught:
        decode_plan(data, "plan.json")
    assert caught.value.where == "plan.json"


def test_a_stale_plan_names_what_changed() -> None:
    """Every input that changed, went away or came is told by name."""
    plan = msgspec.structs.replace(plan_of(TEXT), inputs={"a": "1", "b": "2", "c": "3"})
    assert changed_inputs(plan, {"a": "1", "b": "2", "c": "3"}) == ()
    assert changed_inputs(plan, {"a": "1", "b": "9", "d": "4"}) == ("b", "c", "d")
    with pytest.raises(Refused, match="stale") as caught:
        refuse_stale(plan, {"a": "1", "b": "2"}, "plan.json")
    assert caught.value.why == "changed: c"


@pytest.mark.slow
def test_the_digest_does_not_depend_on_hashing() -> None:
    """The same inputs give the same digest under any PYTHONHASHSEED."""
    program = (
        "from tests.plan.test_save import TEXT, plan_of, digest_of;"
        "print(digest_of(plan_of(TEXT, live={'db001': 'r1', 'db002': 'r2'})))"
    )
    root = Path(__file__).resolve().parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)},
            capture_output=True, check=True, text=True, timeout=300, cwd=root,
        ).stdout
        for seed in (0, 1, 424242)
    }  # fmt: skip
    assert digests == {digest_of(plan_of(TEXT, live={"db002": "r2", "db001": "r1"})) + "\n"}
