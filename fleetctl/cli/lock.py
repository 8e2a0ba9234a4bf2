"""`fleetctl lock`: who works on which tiers, and taking that away from them."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, Unreachable, UsageError
from fleetctl.cli.identity import whoami
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.picture import wall_text
from fleetctl.cli.selection import inventory_option, open_fleet

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.transport.lease import Answer, Tenure
    from fleetctl.transport.protocol import Looked, Lost

COLUMNS = ("tier", "state", "run", "by", "since", "ends_in_s", "kept_on", "reason")
LEASE_HELP = "Do not ask who else works on these tiers, and tell nobody that we do."
CARRY_HELP = "Carry the journal on the fleet's bastions, so that others can attach and take over."
_WITHIN_S = 15.0


def lease_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--no-lease`, passed as `no_lease`."""
    return click.option("--no-lease", is_flag=True, help=LEASE_HELP)(command)


def carry_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--carry/--no-carry`, passed as `carry`."""
    return click.option("--carry/--no-carry", default=True, help=CARRY_HELP)(command)


def parent_run() -> tuple[str, int] | None:
    """The run whose step or gate started this very process, with its fence."""
    run, _, fence = os.environ.get("FLEETCTL_RUN", "").partition(":")
    return (run, int(fence)) if run and fence.isdecimal() else None


@click.group(short_help="See who works on the fleet; take a lease away.")
def lock() -> None:
    """Who works on which tiers of the fleet, seen from every machine.

    A push holds a lease of each tier it works on. It is kept on the fleet's bastions, or on a
    tier's first hosts, is renewed all the time, and ends a minute after its holder is gone.
    """


@lock.command()
@inventory_option
@output_option
def status(inventory: str | None, output: str) -> ExitCode:
    """Every lease of the fleet: whose, since when, from where."""
    from fleetctl.transport.lease import show_text

    fleet = open_fleet(inventory)
    answers = _ask(fleet, {host: show_text(fleet.name) for host in _keepers(fleet, fleet.tiers)})
    rows = {
        (tenure.tier, tenure.run): _row(tenure, host)
        for host, answer in answers.items()
        for tenure in answer.tenures
    }
    silent = {host: answer.trouble for host, answer in answers.items() if not answer.granted}
    for host, trouble in silent.items():
        tell(f"{host} did not say: {trouble}")
    if not rows and not silent and output == "table":
        tell("nobody works on this fleet")
    elif rows or output != "table":
        emit([rows[key] for key in sorted(rows)], COLUMNS, output)
    return ExitCode.UNREACHABLE if silent else ExitCode.OK


@lock.command()
@click.option("--tier", "tiers", multiple=True, required=True, metavar="TIER", help="Which lease.")
@click.option("--reason", "--why", "reason", required=True, metavar="TEXT",
              help="Whoever loses it is told.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@inventory_option
def steal(tiers: tuple[str, ...], reason: str, yes: bool, inventory: str | None) -> ExitCode:
    """Take the leases of TIERs away from whoever holds them.

    Their run starts nothing more, and cannot go on without being resumed by a person. What it has
    running on hosts goes on to its end.
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.transport.lease import show_text, steal_text

    if not reason.strip():
        raise UsageError("no reason was given", where="--reason", hint="whoever loses is told it")
    fleet = open_fleet(inventory)
    _check_tiers(fleet, tiers)
    keepers = _keepers(fleet, tiers)
    seen = _ask(fleet, {host: show_text(fleet.name) for host in keepers})
    found = {
        (t.tier, t.run): t
        for answer in seen.values()
        for t in answer.tenures
        if t.word == "held" and t.tier in tiers
    }
    if not found:
        _check_heard(seen)
        tell(f"nobody holds {', '.join(tiers)}")
        return ExitCode.OK
    from fleetctl.rollout.ground import HEARTBEAT_S, words_of

    for tenure in found.values():
        tell(words_of(tenure))
    confirm(len({tier for tier, _ in found}), yes, things="tiers to take away")
    text = {
        host: steal_text(fleet.name, kept, whoami(), reason, time.time())
        for host, kept in keepers.items()
    }
    _check_heard(_ask(fleet, text))
    taken = ", ".join(sorted({tier for tier, _ in found}))
    tell(f"taken away: {taken}; its run hears of it within {HEARTBEAT_S:g} s")
    return ExitCode.OK


def held_leases(fleet: Fleet) -> tuple[frozenset[str], bool]:
    """Runs that hold a lease of the fleet now, and whether every keeper told."""
    from fleetctl.transport.lease import show_text

    answers = _ask(fleet, {host: show_text(fleet.name) for host in _keepers(fleet, fleet.tiers)})
    held = {one.run for told in answers.values() for one in told.tenures if one.word == "held"}
    return frozenset(held), all(told.granted for told in answers.values())


def _check_tiers(fleet: Fleet, tiers: Sequence[str]) -> None:
    from fleetctl.base.names import did_you_mean

    for tier in tiers:
        if tier not in fleet.tiers:
            raise UsageError(f'no tier is named "{tier}"', hint=did_you_mean(tier, fleet.tiers))


def _keepers(fleet: Fleet, tiers: Sequence[str] | Mapping[str, object]) -> dict[str, list[str]]:
    """Host that keeps leases -> the tiers it keeps them of."""
    from fleetctl.plan.compile import keepers_of
    from fleetctl.rollout.verdict import tiers_of

    return tiers_of(keepers_of(fleet, tiers))


def _check_heard(answers: Mapping[str, Answer]) -> None:
    silent = [f"{host}: {answer.trouble}" for host, answer in answers.items() if not answer.granted]
    if len(silent) * 2 >= len(answers):
        raise Unreachable("the hosts that keep the leases did not answer", why="; ".join(silent))


def _row(tenure: Tenure, host: str) -> dict[str, object]:
    return {
        "tier": tenure.tier,
        "state": tenure.word,
        "run": tenure.run,
        "by": tenure.by,
        "since": wall_text(tenure.since_s),
        "ends_in_s": round(tenure.left_s) if tenure.word == "held" else None,
        "kept_on": host,
        "reason": tenure.reason,
    }


def _ask(fleet: Fleet, texts: Mapping[str, str]) -> dict[str, Answer]:
    """What each host answers, all within a finite time."""
    from fleetctl.transport.lease import Answer, read_answer
    from fleetctl.transport.open import open_transport
    from fleetctl.transport.protocol import Event, Look, Looked, Lost

    heard: queue.SimpleQueue[Looked | Lost] = queue.SimpleQueue()

    def hear(event: Event) -> None:
        if isinstance(event, (Looked, Lost)):
            heard.put(event)

    transport = open_transport(fleet.hosts, hear, known_hosts=fleet.known_hosts)
    try:
        for ticket, (host, text) in enumerate(texts.items()):
            transport.submit(Look(ticket, host, text, _WITHIN_S))
        answers: dict[str, Answer] = {}
        for _ in texts:
            event = heard.get()
            answers[event.host] = (
                read_answer(event.stdout.head)
                if isinstance(event, Looked)
                else Answer(False, (), event.detail)
            )
        return answers
    finally:
        transport.close()
