"""From a run, or from hosts, to the plan that takes them back: what `rollback` shows and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from fleetctl.base.errors import Refused
from fleetctl.base.hostrange import fold
from fleetctl.cli.assemble import Wish, overrides_of, playbook_path, variables_of
from fleetctl.cli.before import Before, before_hosts, before_run
from fleetctl.cli.changed import Changed
from fleetctl.cli.inputs import Knowledge, Sources, inputs_of, read_knowledge
from fleetctl.cli.releases import open_store
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.select import pick
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.goback import WayBack, exact_of, way_back
from fleetctl.plan.model import Plan
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.load import load_playbook
from fleetctl.playbook.model import Playbook
from fleetctl.releases.pins import pins_path, read_pins
from fleetctl.releases.store import ReleaseStore


class Back(msgspec.Struct, frozen=True):
    """A plan that takes hosts back, and what should be known of it before it is confirmed."""

    plan: Plan
    fleet: Fleet
    targets: Mapping[str, str]
    """Host -> release."""
    notes: tuple[str, ...]


def plan_back(wish: Wish, run: str | None, to: str | None) -> Back | None:
    """The plan; None when there is nothing to take back, which is told. Raises FleetError."""
    fleet = wish.choice.fleet()
    before = before_run(wish, fleet, run) if run else before_hosts(wish, fleet, to)
    if before is None:
        return None
    targets = dict.fromkeys(before.hosts, to) if to else before.known()
    book = _playbook(wish, fleet, before)
    sources = Sources(fleet, Path(book.file), book.sha256, wish.releases_dir)
    way = way_back(book, _picked(book, sources), targets, before.title(book.title, to))
    _refuse_uncovered(way, targets, book)
    store, knowledge = open_store(wish.releases_dir), read_knowledge(wish.journal, fleet.name)
    _refuse_missing(store, targets)
    _refuse_forward(store, targets, knowledge.live)
    plan = _compiled(wish, way, targets, sources, knowledge)
    notes = (*before.notes, *_what_stays(way, before.changed), *_pins_words(fleet, targets))
    return Back(plan, fleet, targets, notes)


def _picked(book: Playbook, sources: Sources) -> dict[str, list[str]]:
    return {
        phase.name: pick(sources.fleet, phase.hosts, sources.read_file)
        for phase in book.phases
        if phase.hosts is not None
    }


def _compiled(
    wish: Wish, way: WayBack, targets: Mapping[str, str], sources: Sources, known: Knowledge
) -> Plan:
    hosts = sources.fleet.hosts
    tiers, exact = exact_of({name: hosts[name].tier for name in targets}, targets)
    plan = compile_plan(
        PlanRequest(
            fleet=sources.fleet,
            playbook=way.playbook,
            measure=sources.measure,
            read_file=sources.read_file,
            artifact=sources.artifact,
            releases=tiers,
            exact=exact,
            live=known.live,
            variables=variables_of(wish.var),
            overrides=overrides_of(wish),
            history=known.history,
        )
    )
    return replace(plan, inputs=inputs_of(plan, sources))


def _playbook(wish: Wish, fleet: Fleet, before: Before) -> Playbook:
    """The playbook named; else the run's, which must be as it was; else the fleet's."""
    label = next((one for one in before.inputs if one.startswith("playbook ")), "")
    if wish.playbook or not before.run:
        book = load_playbook(playbook_path(wish, fleet))
        return replace(book, variables={**before.variables, **book.variables})
    if not label:
        raise Refused(
            f"run {before.run} was made from no playbook", hint="name one: --playbook FILE"
        )
    path = Path(label.removeprefix("playbook "))
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    hint = f"look at what is different, then say --playbook {shown}"
    if not path.is_file():
        hint = "get it back from version control, or name another: --playbook FILE"
        raise Refused(f"the playbook of run {before.run} is gone", where=str(shown), hint=hint)
    book = load_playbook(shown)
    if book.sha256 != before.inputs[label]:
        raise Refused(
            f"the playbook was changed since run {before.run}",
            where=str(shown),
            why="so these are not the steps and bounds the hosts went through",
            hint=hint,
        )
    # With what the run's command line said of them.
    return replace(book, variables={**book.variables, **before.variables})


def _refuse_uncovered(way: WayBack, targets: Mapping[str, str], book: Playbook) -> None:
    without = [name for name in targets if name not in way.hosts]
    if without:
        raise Refused(
            f"no phase of {book.file} deploys to {fold(without)}",
            hint=f"name a playbook that does (--playbook FILE), or --exclude '{fold(without)}'",
        )


def _refuse_missing(store: ReleaseStore, targets: Mapping[str, str]) -> None:
    here = {info.id for info in store.all()} if store.folder.is_dir() else set()
    lines = [
        f"{release} of {fold(name for name, one in targets.items() if one == release)}"
        for release in dict.fromkeys(targets.values())
        if release not in here
    ]
    if lines:
        raise Refused(
            f"these releases are not here: {'; '.join(lines)}",
            where=str(store.folder),
            hint="fleetctl releases add ... --id RELEASE, or say another: --to REL",
        )


def _refuse_forward(
    store: ReleaseStore, targets: Mapping[str, str], live: Mapping[str, str]
) -> None:
    """Schemas are not looked at on the way back, so this must not be a way forward."""
    schemas = {info.id: info.schema for info in store.all()}
    for name, release in targets.items():
        now = live.get(name, "")
        if now in schemas and schemas[release] > schemas[now] > 0:
            raise Refused(
                f"{release} needs schema {schemas[release]}, and {now}, which {name} runs now, "
                f"{schemas[now]}: this is no way back",
                hint="go forward with `fleetctl push`, which looks at schemas",
            )


def _what_stays(way: WayBack, changed: Changed) -> list[str]:
    """What the plan does not take back, one line each."""
    lines = []
    if changed.items:
        count = "1 instance" if changed.items == 1 else f"{changed.items} instances"
        at = f"at {changed.schema}" if changed.schema else "as they are"
        lines.append(f"what stays: schemas stay {at} ({count} upgraded in this run)")
    for words, names in (
        ("steps not taken back", way.steps),
        ("phases left out, they deploy nothing", way.phases),
        ("approvals not asked again", way.approvals),
    ):
        if names:
            lines.append(f"{words}: {', '.join(names)}")
    return lines


def _pins_words(fleet: Fleet, targets: Mapping[str, str]) -> Sequence[str]:
    pins = read_pins(pins_path(Path(fleet.source)))
    stale: dict[str, dict[str, None]] = {}
    for name, release in targets.items():
        tier = fleet.hosts[name].tier
        if pins.get(tier, release) != release:
            stale.setdefault(pins[tier], {})[tier] = None
    if not stale:
        return ()
    pinned = "; ".join(f"{', '.join(tiers)} to {release}" for release, tiers in stale.items())
    return (
        f"pins stay: {pinned}; the next push deploys that again "
        "(--pin, or `fleetctl releases pin` afterwards)",
    )
