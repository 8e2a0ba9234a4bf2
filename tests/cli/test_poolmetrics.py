"""The figures of all overseers for Prometheus, and the dashboard that is made for them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from fleetctl.cli.overseers import Silent
from fleetctl.cli.poolmetrics import exposition
from fleetctl.cli.poolview import STATES
from fleetctl.pools.overseer import memory, metrics
from fleetctl.pools.overseer.answers import figures
from fleetctl.pools.overseer.core import Core
from fleetctl.pools.overseer.histogram import Histogram
from fleetctl.pools.overseer.loop import Overseer
from fleetctl.pools.overseer.metrics import HELP
from fleetctl.pools.tallies import Group, Tally, Trouble
from fleetctl.pools.words import LOOKS

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana-pools.json"
SAMPLE = re.compile(
    r'(fleetctl_[a-z0-9_]+)\{([a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*)\} (\S+)'
)
TIERS = {"repo001": "repo", "repo002": "repo"}


def _own(folder: Path) -> dict[str, float]:
    """The figures a real overseer has of itself."""
    overseer = Overseer(str(folder), str(folder))
    try:
        return figures(overseer)
    finally:
        overseer.epoll.close()


def _text(folder: Path) -> str:
    task = Group(
        pools=3, instances=3, words={"HIBERNATING": 2, "RUNNING": 1},
        slots={"hibernating": 2, "busy": 1}, processes=1, measured=1, memory_mb=2.0, claimable=4,
        oldest_s=9.5, next_wake_s=60.0,
    )  # fmt: skip
    sick = Group(
        pools=1, instances=1, words={"FAILED": 1}, slots={"failed": 1}, errors_15m=5, uncounted=1,
        troubles=(Trouble("FAILED", "exit", 1, 9.0),),
    )  # fmt: skip
    groups = {"task": task, 'si"ck': sick}
    told = Tally(0.0, "kind", ("task", 'si"ck'), groups, Group(), 0, _own(folder))
    return exposition({"repo001": told, "repo002": Silent("unreachable", "no route")}, TIERS)


def test_every_sample_is_well_formed_and_each_family_stands_together(tmp_path: Path) -> None:
    """Prometheus reads every line; a family begins with its type, once."""
    seen: list[str] = []
    for line in _text(tmp_path).splitlines():
        if line.startswith("# TYPE "):
            assert line.split()[2] not in seen
            seen.append(line.split()[2])
        elif not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            assert match[1] == seen[-1]
            assert 'host="repo00' in match[2]
            assert 'tier="repo"' in match[2]
            float(match[3])


def test_a_host_that_told_nothing_has_no_figure_but_that(tmp_path: Path) -> None:
    """It is down in one series and absent from all others: unknown is not zero."""
    lines = [line for line in _text(tmp_path).splitlines() if "repo002" in line]
    assert lines == ['fleetctl_overseer_up{host="repo002",tier="repo"} 0']


def test_every_figure_of_an_overseer_is_explained_in_base_units(tmp_path: Path) -> None:
    """Bytes and seconds, never megabytes; a large count keeps its last digit."""
    own = _own(tmp_path)
    assert set(own) == set(HELP)
    assert not re.search(r"fleetctl_\w+_(mb|s)\b", _text(tmp_path))
    shown = {"wakes": 1234567.0, "memory_total_mb": 2.0}
    local = metrics.text(Core(lambda: 0.5), Histogram(), shown, 0.0)
    assert "\nfleetctl_overseer_wakes 1234567\n" in local
    assert "\nfleetctl_overseer_memory_total_bytes 2097152\n" in local
    heads = re.findall(r"# HELP (\w+) \S", local)
    assert heads == re.findall(r"# TYPE (\w+) ", local)


def test_tasks_that_nobody_counts_have_no_series(tmp_path: Path) -> None:
    """A kind without a queue has no count of tasks; one with a queue has, and its oldest."""
    text = _text(tmp_path)
    where = 'host="repo001",tier="repo",kind="task"'
    assert f"fleetctl_kind_claimable_tasks{{{where}}} 4" in text
    assert f"fleetctl_kind_oldest_task_seconds{{{where}}} 9.5" in text
    assert f"fleetctl_kind_resident_bytes{{{where}}} 2097152" in text
    assert not re.search(r"claimable_tasks\{[^}]*ck", text)
    assert r'kind="si\"ck",state="failed",cause="exit"} 1' in text


def _expressions(value: Any) -> list[str]:
    """Every query in a dashboard."""
    if isinstance(value, dict):
        found = [value[key] for key in ("expr", "query") if isinstance(value.get(key), str)]
        return found + [one for part in value.values() for one in _expressions(part)]
    return [one for part in value for one in _expressions(part)] if isinstance(value, list) else []


def test_every_metric_of_the_dashboard_is_told(tmp_path: Path) -> None:
    """A renamed figure would leave a panel empty: each name in it, with its labels, is told."""
    dashboard = json.loads(DASHBOARD.read_text())
    told: dict[str, set[str]] = {}
    for line in _text(tmp_path).splitlines():
        match = SAMPLE.fullmatch(line)
        if match is not None:
            told.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2]))
    queries = "\n".join(_expressions(dashboard))
    assert len(re.findall("fleetctl_", queries)) > 15
    for name, labels in re.findall(r"(fleetctl_[a-z0-9_]+)(?:\{([^}]*)\})?", queries):
        assert name in told
        assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= told[name], name
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            for words in re.findall(r"by \(([^)]*)\)", target["expr"]):
                named |= {word.strip() for word in words.split(",")}
            (name,) = re.findall(r"fleetctl_[a-z0-9_]+", target["expr"])[:1]
            assert named <= told[name], panel["title"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_fullness_is_of_the_memory_that_may_be_used() -> None:
    """Half of what growth may take is 50 %, its limit 100 %; beyond it stands beyond."""
    assert memory.Memory(550, 1000, 0, 0).fullness(0.1) == 50
    assert round(memory.Memory(100, 1000, 0, 0).fullness(0.1), 6) == 100
    assert memory.Memory(10, 1000, 0, 0).fullness(0.1) > 100


def test_every_state_of_slots_has_a_colour_on_the_dashboard() -> None:
    """A new state must not be left to whichever comes next, and what is held is no error."""
    painted = [
        {
            one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"]
            for one in panel["fieldConfig"]["overrides"]
            if one["matcher"]["options"] in LOOKS
        }
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        if panel.get("fieldConfig", {}).get("overrides")
    ]
    of_slots = [colours for colours in painted if "hibernating" in colours]
    assert of_slots
    for colours in of_slots:
        assert set(colours) == set(STATES)
        assert colours["held"] == LOOKS["held"].tone.value
