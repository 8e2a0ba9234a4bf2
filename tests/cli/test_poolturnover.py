"""What an upgrade says of pools that come and go, before it is confirmed."""

from __future__ import annotations

import json
from typing import Any

from fleetctl.cli.poollook import Found, Wished, change_lines, change_of
from fleetctl.cli.poolturnover import Turnover, turnover, turnover_lines

ROWS = [
    {"pool": "a/k", "live": 2, "busy": 1},
    {"pool": "b/k", "live": 1, "busy": 1},
    {"pool": "b/j", "live": 3, "busy": 0},
]


def files(*names: str, kinds: tuple[str, ...] = ("k", "j")) -> dict[str, str]:
    """Specs that name instances themselves."""
    kind = {name: {"command": ["x"]} for name in kinds}
    instances = [{"names": list(names), "kinds": list(kinds)}] if names else []
    return {"a.json": json.dumps({"kind": kind, "instances": instances})}


def changed(*names: str, told: dict[str, Any] | None) -> list[str]:
    """What is said of a host that had a and b, and is to have these."""
    found = Found({}, files("a", "b"), None, told)
    return change_lines([change_of("r1", found, Wished(files(*names), "p", 10.0, "", ""))])


def test_an_instance_that_goes_takes_pools_along_and_that_is_said() -> None:
    """Of its two pools four processes run, one busy: it finishes its task."""
    told = changed("a", "c", told={"overseer": {}, "pools": ROWS})
    assert told[-1] == (
        "  2 pools come, 2 pools go, 4 processes end, 1 of them busy, "
        "busy ones when their task is done"
    )


def test_the_last_instance_that_goes_is_shouted() -> None:
    """All daemons of a host are to end: hardly what was meant."""
    told = changed(told={"overseer": {}, "pools": ROWS})
    assert told[-2].startswith("  4 pools go, 6 processes end, 2 of them busy")
    assert told[-1] == "  NO POOL IS LEFT"
    one = Turnover(0, 4, 0, 6, 2)
    assert turnover_lines([one, one, None])[-1] == "NO POOL IS LEFT on 2 of 3"


def test_a_kind_that_goes_ends_processes_too() -> None:
    """Its pools are named no more."""
    told = {"pools": ROWS}
    assert turnover(files("a", "b"), files("a", "b", kinds=("k",)), told) == Turnover(0, 2, 2, 3)


def test_what_is_not_known_is_not_none() -> None:
    """No overseer answers; or the specs there cannot be read, and what runs is known."""
    assert changed("a", told=None)[-1] == "  2 pools go, what runs of them is not known"
    assert turnover({"a.json": "{"}, files("a"), {"pools": ROWS}) == Turnover(2, 2, 2, 4, 1)


def test_where_pools_stay_nothing_is_said_of_them() -> None:
    """Other values of the same pools; a first install ends nothing."""
    assert turnover(files("a"), {"b.json": files("a")["a.json"]}, {"pools": ROWS[:1]}) is None
    first = turnover({}, files("a"), None)
    assert turnover_lines([first]) == ["2 pools come"]
