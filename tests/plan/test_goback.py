"""The way back through a playbook: what is kept of it, in which order, with which releases."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.select import pick
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.goback import WayBack, exact_of, way_back
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_expects
from fleetctl.plan.words import release_words
from fleetctl.playbook.load import load_playbook, read_playbook
from fleetctl.playbook.model import Playbook
from tests.plan.fleets import no_text, request_of, small_fleet

ROOT = Path(__file__).parents[2]
HEAD = "title: t\nphases:\n"
DEPLOY = "steps: [{deploy: {to: app}}]"


def way_of(book: Playbook, fleet: Fleet, targets: dict[str, str]) -> WayBack:
    picked = {phase.name: pick(fleet, phase.hosts, no_text) for phase in book.phases if phase.hosts}
    return way_back(book, picked, targets, "Back")


def way_of_text(text: str, targets: dict[str, str]) -> WayBack:
    return way_of(read_playbook(HEAD + text, "p.yaml", "/books"), small_fleet(), targets)


def planned(way: WayBack, targets: dict[str, str], fleet: Fleet) -> Plan:
    tiers, exact = exact_of({name: fleet.hosts[name].tier for name in targets}, targets)
    request = request_of(HEAD + "  - {name: x, hosts: all, steps: [{run: 'true'}]}", fleet)
    return compile_plan(replace(request, playbook=way.playbook, releases=tiers, exact=exact))


def test_the_saturday_push_goes_back_last_phase_first() -> None:
    """Code goes back, daemons and pools rest around it; schemas, looks and questions are named."""
    fleet = load_fleet(ROOT / "inventory" / "phacility.yaml")
    targets = dict.fromkeys(fleet.hosts, "r1")
    way = way_of(load_playbook(ROOT / "playbooks" / "saturday-push.yaml"), fleet, targets)
    assert way.hosts == frozenset(fleet.hosts)
    plan = planned(way, targets, fleet)
    names = [phase.name for phase in plan.phases]
    assert names == ["bastion", "web", "repo", "db", "build", "secure"]
    assert [phase.needs for phase in plan.phases] == [(), *((name,) for name in names[:-1])]
    repo = plan.phases[2]
    kinds = list(dict.fromkeys(step.key.split("-")[2].partition(".")[0] for step in repo.steps))
    assert kinds == ["pools", "stop", "deploy", "start"]
    assert repo.steps[0].restored_by == repo.steps[-1].key
    assert repo.steps[1].restored_by == repo.steps[-2].key
    assert (repo.budget.per_phase, repo.budget.per_batch, repo.limit) == (1, 1, 8)
    assert way.steps == ("upgrade the schemas (db)",)
    assert way.phases == ("preflight", "instances", "storage")
    assert way.approvals == ("db",)
    assert not plan.phases[3].gates


def test_hosts_of_one_tier_may_go_to_different_releases() -> None:
    """The phase becomes one for each, under a free name; each reads its own release back."""
    targets = {"web001": "r1", "web002": "r0", "web003": "r1"}
    text = f"  - {{name: web, hosts: tier=web, {DEPLOY}}}\n"
    text += "  - {name: web-2, hosts: tier=web, steps: [{run: 'true'}]}\n"
    way = way_of_text(text, targets)
    plan = planned(way, targets, small_fleet())
    assert [(p.name, p.release, p.batches, p.needs) for p in plan.phases] == [
        ("web", "r1", (("web001", "web003"),), ()),
        ("web-3", "r0", (("web002",),), ("web",)),
    ]
    assert plan.releases == {"web": "r1"}
    assert plan.exact == {"web002": "r0"}
    last = plan.phases[1]
    verify = next(step for step in last.steps if step.reads_release)
    assert render_expects(plan, last, verify, "web002") == "r0"
    assert list(release_words(plan)) == ["not known -> r1: web", "not known -> r0: web"]


def test_needs_are_turned_around_over_what_is_left_out() -> None:
    """Who was needed waits for who needed it; phases that had nothing in common still have not."""
    text = f"  - {{name: a, hosts: tier=db, {DEPLOY}}}\n"
    text += "  - {name: look, hosts: tier=db, steps: [{run: 'true'}]}\n"
    text += f"  - {{name: b, hosts: tier=web, {DEPLOY}}}\n"
    text += f"  - {{name: c, hosts: tier=bastion, needs: [], {DEPLOY}}}\n"
    targets = {"db001": "r1", "web001": "r1", "bastion001": "r1"}
    way = way_of_text(text, targets)
    needs = {phase.name: phase.needs for phase in way.playbook.phases}
    assert needs == {"c": (), "b": (), "a": ("b",)}
    assert list(needs) == ["c", "b", "a"]


def test_only_steps_that_serve_both_ways_stay() -> None:
    """A migration is not run again on the way back; what stopped something and ends that is."""
    text = """\
  - name: web
    hosts: tier=web
    steps:
      - run: touch stopped
        restore: rm stopped
        restored_by: go
      - run: migrate {{host.name}} all the way to the very end
      - {run: 'true', name: once, once: batch}
      - deploy: {to: app, requires: {schema: 9}}
      - run: rm stopped
        name: go
      - run: stop it
        restore: start it
        restored_by: gone
      - {run: 'true', name: gone, once: batch}
"""
    way = way_of_text(text, {"web001": "r1"})
    (phase,) = way.playbook.phases
    assert [step.kind for step in phase.steps] == ["run", "deploy", "run", "run"]
    assert [step.options.restored_by for step in phase.steps] == ["go", "", "", ""]
    assert way.steps == (
        "run migrate {{host.name}} all the way... (web)", "once (web)", "gone (web)",
    )  # fmt: skip
    planned(way, {"web001": "r1"}, small_fleet())  # no schema is asked for


def test_hosts_no_phase_deploys_to_are_not_covered() -> None:
    """So that a host is never silently left on the release that is taken back."""
    way = way_of_text(f"  - {{name: web, hosts: tier=web, {DEPLOY}}}\n", {"db001": "r1"})
    assert way.hosts == frozenset()
    assert way.playbook.phases == ()
