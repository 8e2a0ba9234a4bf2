"""The schema-upgrade steps of a playbook, and plans made of them alone."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from fleetctl.base.errors import UsageError
from fleetctl.cli.inputs import Sources
from fleetctl.cli.releases import open_store
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.select import files_beside, pick
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan, PlanStep
from fleetctl.plan.render import render_step
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.kinds import RELEASE
from fleetctl.playbook.load import load_playbook
from fleetctl.playbook.model import Phase, Playbook, Step
from fleetctl.playbook.operations import Exec, Foreach, Listing
from fleetctl.playbook.source import StepOptions
from fleetctl.playbook.steps.schema_upgrade import SchemaUpgrade, program_of
from fleetctl.playbook.substitute import names_in, shell_template_of
from fleetctl.releases.pins import pins_path, read_pins


def book_of(fleet: Fleet, named: str | None, releases: str | None) -> Playbook:
    """The playbook with only its schema-upgrade steps; raises UsageError when it has none.

    `releases`: the folder of releases, for a step that goes by what the pinned one needs.
    """
    path = Path(named or fleet.playbook or "")
    if not path.name:
        raise UsageError(
            "the inventory names no playbook, so nobody knows how schemas are upgraded",
            where=fleet.source,
            hint="add `playbook: FILE` to it, or name one with --playbook",
        )
    playbook = load_playbook(path)
    numbers = _Numbers(fleet, playbook, releases)
    phases = tuple(numbers.put(_upgrading(phase)) for phase in playbook.phases if _steps(phase))
    if not phases:
        raise UsageError(
            "no step of the playbook upgrades schemas",
            where=str(path),
            hint="a `schema-upgrade` step does; see docs/schema.md",
        )
    return replace(playbook, phases=phases)


def _steps(phase: Phase) -> tuple[Step, ...]:
    return tuple(step for step in phase.steps if isinstance(step.value, SchemaUpgrade))


def _upgrading(phase: Phase) -> Phase:
    return replace(phase, steps=_steps(phase)[:1], gates=(), needs=())


class _Numbers:
    """Makes `to: release` the number of the release pinned now; where none says one, the newest."""

    def __init__(self, fleet: Fleet, playbook: Playbook, releases: str | None) -> None:
        self._fleet = fleet
        self._folder = Path(playbook.folder)
        self._releases = releases

    def put(self, phase: Phase) -> Phase:
        step = phase.steps[0]
        if step.value.to != RELEASE or phase.hosts is None:
            return phase
        hosts = pick(self._fleet, phase.hosts, files_beside(self._folder))
        numbers = self._of_tiers({self._fleet.hosts[name].tier for name in hosts})
        value = replace(step.value, to=numbers.pop() if len(numbers) == 1 else None)
        return replace(phase, steps=(replace(step, value=value),))

    def _of_tiers(self, tiers: set[str]) -> set[int]:
        pinned = read_pins(pins_path(Path(self._fleet.source)))
        store = open_store(self._releases)
        return {store.get(pinned[tier]).schema for tier in tiers if tier in pinned} - {0}


def asking_scripts(
    fleet: Fleet, book: Playbook, hosts: Collection[str] | None, *words: str
) -> tuple[Plan, dict[str, str]]:
    """A plan that reaches the hosts, and host -> the read-only sh text that asks the program with
    `words`; of the application's own commands the list of what is pending."""
    phases = []
    tails: dict[str, str] = {}
    for phase in book.phases:
        value: SchemaUpgrade = phase.steps[0].value
        if value.engine:
            program = program_of(value)
            tails[phase.name], text = program.carrying(), program.carried_call(*words)
        else:
            tails[phase.name], text = "", shell_of(value.pending)
        step = replace(phase.steps[0], kind="run", value=text, options=StepOptions(), retry=None)
        used = tuple(used for used in phase.used if used.name in names_in([text]))
        phases.append(replace(phase, steps=(step,), used=used))
    plan = _compiled(fleet, replace(book, phases=tuple(phases)), hosts, _sources(fleet, book))
    scripts: dict[str, str] = {}
    for made in plan.phases:
        for host in (host for batch in made.batches for host in batch):
            operation = render_step(plan, made, made.steps[0], host)
            assert isinstance(operation, Exec)
            scripts.setdefault(host, operation.act + tails[made.name])
    return plan, scripts


def acting_plan(fleet: Fleet, book: Playbook, host: str, name: str, number: int | None) -> Plan:
    """A plan that upgrades one instance as a push would, or marks it as being at `number`."""
    sources = _sources(fleet, book)
    plan = _compiled(fleet, book, [host], sources, sources.releases(()))
    phase = plan.phases[0]
    book_phase = next(one for one in book.phases if one.name == phase.name)
    steps = tuple(_acting(step, book_phase.steps[0].value, name, number) for step in phase.steps)
    one = replace(phase, steps=tuple(step for step in steps if step is not None), needs=())
    title = f"{'Upgrade' if number is None else 'Mark'} instance {name}"
    return replace(plan, title=title, phases=(one,), estimate_s=None)


def _acting(step: PlanStep, value: SchemaUpgrade, name: str, number: int | None) -> PlanStep | None:
    word = shell_template_of([name.replace("{{", "{{{{")])
    if isinstance(step.operation, Listing):
        return replace(step, operation=Listing(f"echo {word}")) if number is None else None
    if isinstance(step.operation, Foreach) and number is not None:
        if not value.engine:
            raise UsageError("the application's own commands keep the account: nothing to mark")
        text = program_of(value).call("mark", name, str(number))
        return replace(step, operation=Exec(text), title=f"mark {name} as being at {number}")
    return step


def _compiled(
    fleet: Fleet,
    book: Playbook,
    hosts: Collection[str] | None,
    sources: Sources,
    releases: dict[str, str] | None = None,
) -> Plan:
    return compile_plan(
        PlanRequest(
            fleet=fleet,
            playbook=book,
            measure=sources.measure,
            artifact=sources.artifact,
            read_file=files_beside(Path(book.folder)),
            hosts=hosts,
            releases=releases or {},
        )
    )


def _sources(fleet: Fleet, book: Playbook) -> Sources:
    return Sources(fleet, Path(book.file), book.sha256, None)
