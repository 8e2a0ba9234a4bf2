"""What an install would change, in words a person can check."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from fleetctl.cli.poollook import Change, Found, Wished, change_lines, change_of, dying_line
from fleetctl.pools.packing import version

FILES = {"a.json": json.dumps({"kind": {"k": {"max": 2}}}), "instances": "x\ny\n"}
WISHED = Wished(FILES, "python3", 10.0, "", "")
LAID: dict[str, Any] = {
    "version": version(),
    "specs": f"specs.{WISHED.generation}",
    "ways": ["python3", 10.0, ""],
}


def told(**own: Any) -> dict[str, Any]:
    """What an overseer that is as it should be tells, but for `own`."""
    figures = {"version": version(), "laid": LAID["specs"], "pools": 4, "processes": 1, **own}
    return {"overseer": figures, "pools": [{"pool": "x/k", "state": "RUNNING", "busy": 1}]}


def found(files: Any = FILES, was: Any = LAID, **own: Any) -> Found:
    """A host that is as it should be, but for what is given."""
    return Found(was, files, None, told(**own))


def test_a_host_that_is_as_it_should_be_changes_in_nothing() -> None:
    """Idempotent: there is no line to tell."""
    assert not change_of("h", found(), WISHED).any


def test_what_differs_is_told_line_by_line() -> None:
    """Program, values before and after, instances that come and go."""
    files = {"a.json": '{"kind": {"k": {"max": 1}}}', "instances": "x\nz\n"}
    change = change_of("h", found(files, {**LAID, "version": "old"}, version="old"), WISHED)
    assert change.lines == (
        f"program old -> {version()}",
        "- kind.k.max = 1",
        "+ kind.k.max = 2",
    )
    assert (change.gone, change.new) == (frozenset({"z"}), frozenset({"y"}))


def test_what_runs_counts_not_only_what_lies_there() -> None:
    """Another program, older specs, another way to run, or no overseer at all: each is a change."""
    assert change_of("h", found(version="old"), WISHED).lines[0].startswith("program old ->")
    assert change_of("h", found(laid="specs.x"), WISHED).any
    ways = change_of("h", found(FILES, {**LAID, "ways": ["python2", 10.0, ""]}), WISHED)
    assert ways.lines == ("runs as python2, reserve 10 % -> python3, reserve 10 %",)
    stopped = Found(LAID, FILES, None, None)
    by_hand, by_unit = WISHED, msgspec.structs.replace(WISHED, unit="o.service")
    assert "after a reboot by nobody" in change_of("h", stopped, by_hand).lines[0]
    assert "the overseer is started by o.service" in change_of("h", stopped, by_unit).lines


def test_equal_changes_are_told_once() -> None:
    """Hosts are folded; instances that differ between them are counted; no change comes last."""
    changes = [
        Change("r1", ()),
        Change("r2", ("+ a",), new=frozenset({"i1"})),
        Change("r3", ("+ a",), new=frozenset({"i2", "i3"})),
    ]
    assert change_lines(changes) == [
        "r[2-3] (2)",
        "  + a",
        "  + 3 instances, such as i1",
        "r1 (1): nothing changes",
    ]


def test_an_uninstall_says_what_dies() -> None:
    """Processes, and how many of them are busy; unknown is not none."""
    assert dying_line("h", found()) == "h: 4 pools, 1 process ends, 1 of them busy"
    assert "no overseer answers" in dying_line("h", Found(LAID, {}, None, None))
