"""One examination of a fleet: what is asked of whom, and everything the answers say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fleetctl.base.errors import FleetError, InputErrors, UsageError
from fleetctl.cli.assemble import Wish, assemble
from fleetctl.cli.journal import journal_path, open_journal
from fleetctl.cli.looking import Answer, Asked, Key, look_at_all
from fleetctl.cli.output import printable, tell
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.unended import unended
from fleetctl.doctor.facts import Facts, Heard, read_facts
from fleetctl.doctor.findings import LEASE, PLAN, RELEASES, Finding, Level, Remark, fold
from fleetctl.doctor.judge import judge
from fleetctl.doctor.live import judge_live
from fleetctl.doctor.needs import HOME, Wants, script_of, wants_of
from fleetctl.doctor.reach import judge_reach
from fleetctl.inventory.model import Fleet
from fleetctl.plan.model import Plan
from fleetctl.playbook.model import Playbook
from fleetctl.playbook.operations import Put
from fleetctl.transport.protocol import Looked

FACTS, LEASES, SCHEMAS = "facts", "leases", "schemas"
SCHEMAS_S = 30.0
"""Asking a shard for all of its instances may take this long."""
Remarks = Iterator[tuple[str, Remark]]


class Examined(NamedTuple):
    """What came out."""

    findings: list[Finding]
    reached: int
    unreached: frozenset[str]


class Patient(NamedTuple):
    """What is examined."""

    fleet: Fleet
    names: Sequence[str]
    playbook: Playbook | None
    plan: Plan | None
    pins: Mapping[str, str]
    releases: str | None
    """Where releases are kept."""
    remarks: list[tuple[str, Remark]]
    """What was found without asking anybody."""

    @property
    def hosts(self) -> list[str]:
        """Those picked, and the bastions they are reached through."""
        wanted = set(self.names)
        for name in self.names:
            via = self.fleet.hosts[name].login.via
            while via and via not in wanted:
                wanted.add(via)
                via = self.fleet.hosts[via].login.via
        return [name for name in self.fleet.hosts if name in wanted]


def examine(patient: Patient, journal: str | None, timeout_s: float) -> Examined:
    """Ask everybody once, all at the same time; every wait ends."""
    wants = _wants(patient)
    schemas = _schema_scripts(patient)
    answers = _answers(patient, wants, schemas, timeout_s)
    remarks = list(patient.remarks)
    remarks += _lease_remarks(patient, answers, journal)
    facts: dict[str, Facts] = {}
    for name in patient.hosts:
        answer = answers.get((name, FACTS))
        event = answer.event if answer else None
        reach = judge_reach(
            patient.fleet.hosts[name], event, timeout_s + _look_s(wants[name], timeout_s)
        )
        remarks.append((name, reach))
        if answer is not None and isinstance(event, Looked) and reach.level is Level.OK:
            facts[name] = read_facts(_heard(answer, event))
    remarks += _host_remarks(patient, wants, facts)
    remarks += _schema_remarks(patient, schemas, answers, facts)
    unreached = frozenset(patient.hosts) - facts.keys()
    return Examined([_printable(found) for found in fold(remarks)], len(facts), unreached)


def take_in(wish: Wish) -> Patient:
    """Everything that can be known without asking a host; what is wrong becomes a remark.

    Raises UsageError and InputError for a selector or an inventory that cannot be read.
    """
    from fleetctl.cli.assemble import playbook_path
    from fleetctl.playbook.load import load_playbook
    from fleetctl.releases.pins import pins_path, read_pins

    fleet, names = wish.choice.pick()
    pins = read_pins(pins_path(Path(fleet.source)), tiers=fleet.tiers)
    remarks: list[tuple[str, Remark]] = []
    playbook: Playbook | None = None
    plan: Plan | None = None
    if not (wish.playbook or fleet.playbook):
        note = "no playbook: what steps and gates need was not looked at"
        remarks.append(("", Remark(PLAN, Level.WARN, note, "name one with --playbook FILE")))
        return Patient(fleet, names, None, None, pins, wish.releases_dir, remarks)
    try:
        playbook = load_playbook(playbook_path(wish, fleet))
        plan = assemble(wish).plan
    except FleetError as error:
        if wish.playbook and playbook is None:
            raise
        remarks += _mistakes(error)
    if plan is not None:
        remarks += _plan_remarks(plan)
    return Patient(fleet, names, playbook, plan, pins, wish.releases_dir, remarks)


def _mistakes(error: FleetError) -> Remarks:
    """A push would be refused for these."""
    for each in error.errors if isinstance(error, InputErrors) else (error,):
        what = f"{each.where}: {each.what}" if each.where else each.what
        why = f" ({each.why})" if each.why else ""
        yield "", Remark(PLAN, Level.FAIL, what + why, each.hint)


def _plan_remarks(plan: Plan) -> Remarks:
    from fleetctl.cli.planview import hosts_of

    count = hosts_word(len(hosts_of(plan)))
    yield "", Remark(PLAN, Level.OK, f"{plan.title}: {count}, {len(plan.phases)} phases")
    tiers: dict[str, list[str]] = {}
    for tier, release in plan.releases.items():
        tiers.setdefault(release, []).append(tier)
    words = "; ".join(f"{release} for {', '.join(of)}" for release, of in tiers.items())
    if words:
        yield "", Remark(RELEASES, Level.OK, f"{words}: here and whole")


def _wants(patient: Patient) -> dict[str, Wants]:
    nothing = {name: Wants() for name in patient.hosts}
    if patient.playbook is None:
        return nothing
    from fleetctl.cli.liveness import reading_text
    from fleetctl.inventory.select import files_beside

    sizes = {
        phase.name: sum(s.operation.size for s in phase.steps if isinstance(s.operation, Put))
        for phase in (patient.plan.phases if patient.plan else ())
    }
    read_file = files_beside(Path(patient.playbook.folder))
    asked = (patient.fleet, patient.playbook, patient.names)
    try:
        return {**nothing, **wants_of(*asked, reading_text, read_file, sizes)}
    except UsageError:  # no phase works on these hosts
        return nothing
    except FleetError as error:
        if patient.plan is not None:  # else it is the same mistake, told already
            patient.remarks.extend(_mistakes(error))
        return nothing


def _look_s(wants: Wants, timeout_s: float) -> float:
    return max(timeout_s, wants.patience_s)


def _answers(
    patient: Patient, wants: Mapping[str, Wants], schemas: Mapping[str, str], timeout_s: float
) -> Mapping[Key, Answer]:
    from functools import partial

    from fleetctl.plan.compile import keepers_of
    from fleetctl.transport.lease import show_text
    from fleetctl.transport.open import open_transport

    fleet = patient.fleet
    looks = [
        Asked(name, FACTS, script_of(wants[name], bastion=name in fleet.bastions),
              _look_s(wants[name], timeout_s))
        for name in patient.hosts
    ]  # fmt: skip
    tiers = {fleet.hosts[name].tier for name in patient.names}
    keepers = dict.fromkeys(h for hosts in keepers_of(fleet, tiers).values() for h in hosts)
    looks += [Asked(name, LEASES, show_text(fleet.name), timeout_s) for name in keepers]
    looks += [Asked(h, SCHEMAS, text, max(timeout_s, SCHEMAS_S)) for h, text in schemas.items()]
    way = partial(
        open_transport, fleet.hosts, fanout=max(50, len(looks)), known_hosts=fleet.known_hosts
    )
    return look_at_all(looks, lambda sink: way(sink), timeout_s, tell)


def _schema_scripts(patient: Patient) -> Mapping[str, str]:
    """Host -> what tells its schemas, where the playbook upgrades any."""
    from fleetctl.cli.schemaplan import asking_scripts, book_of

    if patient.playbook is None:
        return {}
    try:
        book = book_of(patient.fleet, patient.playbook.file, patient.releases)
        return asking_scripts(patient.fleet, book, patient.names, "status")[1]
    except FleetError:  # no such step, none on these hosts, or a mistake the plan has told
        return {}


def _schema_remarks(
    patient: Patient,
    schemas: Mapping[str, str],
    answers: Mapping[Key, Answer],
    facts: Mapping[str, Facts],
) -> Remarks:
    from fleetctl.cli.schema import shard_row
    from fleetctl.doctor.schemas import judge_schemas

    events = {host: answers.get((host, SCHEMAS)) for host in schemas if host in facts}
    yield from judge_schemas([
        shard_row(patient.fleet, host, answer.event if answer else None)
        for host, answer in events.items()
    ])  # fmt: skip


def _heard(answer: Answer, event: Looked) -> Heard:
    said = (event.stdout.head + event.stdout.tail).decode("utf-8", "replace")
    return Heard(said, event.exit_status is not None, event.duration_s, answer.wall_s)


def _host_remarks(
    patient: Patient, wants: Mapping[str, Wants], facts: Mapping[str, Facts]
) -> Remarks:
    texts = {check.text.name: check.text for check in patient.playbook.checks} if (
        patient.playbook
    ) else {}  # fmt: skip
    for name in patient.hosts:
        asked = {check: texts[check] for check in wants[name].checks}
        if name in facts:
            yield from (
                (name, remark) for remark in judge(facts[name], [*wants[name].lines, HOME], asked)
            )
    for tier in patient.fleet.tiers.values():
        told = {n: facts[n].live for n in tier.hosts if n in facts and wants[n].live}
        pin = patient.plan.releases.get(tier.name, "") if patient.plan else ""
        yield from judge_live(tier.hosts, told, pin or patient.pins.get(tier.name, ""))


def _lease_remarks(patient: Patient, answers: Mapping[Key, Answer], journal: str | None) -> Remarks:
    from fleetctl.rollout.ground import words_of
    from fleetctl.transport.lease import read_answer

    tiers = {patient.fleet.hosts[name].tier for name in patient.names}
    held: dict[str, str] = {}
    silent = []
    for (host, what), answer in answers.items():
        if what != LEASES:
            continue
        said = read_answer(answer.event.stdout.head) if isinstance(answer.event, Looked) else None
        if said is None or not said.granted:
            silent.append(host)
            continue
        for tenure in said.tenures:
            if tenure.word == "held" and tenure.tier in tiers:
                held[f"{tenure.run} {tenure.tier}"] = words_of(tenure)
    for words in held.values():
        yield "", Remark(LEASE, Level.FAIL, words, "wait for its end: fleetctl lock status")
    yield from _journal_remarks(patient.fleet, journal)
    if silent and len(silent) * 2 >= sum(what == LEASES for _, what in answers):
        remark = Remark(LEASE, Level.UNKNOWN, "did not say who works on these tiers")
        yield from ((host, remark) for host in silent)
    elif not held:
        yield "", Remark(LEASE, Level.OK, "nobody works on these tiers")


def _journal_remarks(fleet: Fleet, named: str | None) -> Remarks:
    if not journal_path(named).exists():
        return
    with open_journal(named) as journal:
        for one in unended(journal, fleet.name):
            level = Level.FAIL if one.holder else Level.WARN
            yield "", Remark(LEASE, level, one.words, one.next)


def _printable(finding: Finding) -> Finding:
    from msgspec.structs import replace

    return replace(finding, text=printable(finding.text).replace("\n", "; "))
