"""`fleetctl schema`: how far the schemas of instances are, shard by shard; one upgraded by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fleetctl.base.errors import ExitCode, FleetError, UsageError
from fleetctl.base.outcome import Outcome, exit_code_of
from fleetctl.cli.asking import Answer, ask_hosts
from fleetctl.cli.journal import journal_option
from fleetctl.cli.output import emit, output_option, printable, tell
from fleetctl.cli.releases import releases_option
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet

COLUMNS = ("host", "shard", "to", "instances", "current", "pending", "failed", "unknown", "oldest",
           "asleep", "state", "detail")  # fmt: skip
ASK_TIMEOUT_S = 60.0
NAMED_MAX = 3
playbook_option = click.option(
    "--playbook", metavar="FILE", help="Whose schema-upgrade steps; else the fleet's default."
)


@click.group(short_help="See and upgrade the schemas of instances.")
def schema() -> None:
    """See and upgrade the schemas of instances, as the playbook's schema-upgrade steps say."""


@schema.command()
@selection_options
@playbook_option
@releases_option
@output_option
def status(choice: Choice, playbook: str | None, releases_dir: str | None, output: str) -> ExitCode:
    """Ask every shard how far its instances are; nothing is changed.

    Exits 0 only when every shard answered and all its active instances are current; 1: some are
    pending or failed, 3: some unknown, 4: some hosts unreachable.
    """
    from fleetctl.cli.reach import reach
    from fleetctl.cli.schemaplan import asking_scripts, book_of

    fleet, names = choice.pick()
    book = book_of(fleet, playbook, releases_dir)
    plan, scripts = asking_scripts(fleet, book, names if choice.given else None, "status")
    answers = ask_hosts(scripts, reach(plan), ASK_TIMEOUT_S)
    rows = [shard_row(fleet, host, answer) for host, answer in answers.items()]
    emit(rows, COLUMNS, output)
    tell(_in_all(rows))
    return exit_code_of(_verdict(row) for row in rows)


def _in_all(rows: list[dict[str, Any]]) -> str:
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({word: row.get(word) or 0 for word in _COUNTED})
    silent = sum(row["state"] not in _ANSWERED for row in rows)
    told = ", ".join(f"{counts[word]} {word}" for word in _COUNTED if counts[word])
    more = f"; {silent} of {len(rows)} shards did not tell" if silent else ""
    return f"{len(rows)} shards: {told or 'no active instance'}{more}"


_COUNTED = ("current", "pending", "failed", "unknown")
_ANSWERED = ("current", "PENDING", "FAILED", "UNKNOWN")


def shard_row(fleet: Fleet, host: str, answer: Answer | None) -> dict[str, Any]:
    """One shard; what a host did not tell is null, never zero."""
    from fleetctl.transport.protocol import Lost

    row: dict[str, Any] = {"host": host, "shard": fleet.hosts[host].tags.get("shard")}
    if answer is None:
        return {**row, "state": "unknown", "detail": "no answer"}
    if isinstance(answer, Lost):
        state = "unknown" if answer.sent else "unreachable"
        return {**row, "state": state, "detail": printable(f"{answer.cause}: {answer.detail}")}
    if answer.exit_status is None:
        return {**row, "state": "unknown", "detail": "no end within its deadline"}
    if answer.exit_status != 0:
        said = (answer.stderr.head + answer.stderr.tail).decode("utf-8", "replace").strip()
        last = said.splitlines()[-1] if said else f"exit {answer.exit_status}"
        return {**row, "state": "unknown", "detail": printable(last)}
    held = answer.stdout.head + answer.stdout.tail
    if answer.stdout.size > len(held):
        return {**row, "state": "unknown", "detail": "its answer is too long to be known whole"}
    return {**row, **_told(held.decode("utf-8", "replace"))}


def _told(said: str) -> dict[str, Any]:
    """What the program said, or how many names the application's own command printed."""
    import json

    if not said.startswith("{"):
        names = said.split()
        return {"pending": len(names), "state": "PENDING" if names else "current",
                "detail": _some([{"name": name} for name in names], len(names))}  # fmt: skip
    try:
        told: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"state": "unknown", "detail": "its answer makes no sense"}
    state = next((word for word in ("unknown", "failed", "pending") if told[word]), "")
    named = [one for word in ("failed", "unknown", "pending") for one in told["named"][word]]
    return {
        **told,
        "to": told["number"],
        "state": state.upper() if state else "current",
        "detail": _some(named, told["failed"] + told["unknown"] + told["pending"]),
    }


def _some(named: list[dict[str, Any]], count: int) -> str:
    """A few of the `count` instances that are not current, the failed ones first."""
    words = [printable(f"{one['name']}: {one['why']}" if one.get("why") else one["name"])
             for one in named[:NAMED_MAX]]  # fmt: skip
    more = f", {count - len(words)} more" if count > len(words) else ""
    return ", ".join(words) + more


def _verdict(row: Mapping[str, Any]) -> Outcome:
    if row["state"] in ("unknown", "UNKNOWN"):
        return Outcome.UNKNOWN
    if row["state"] == "unreachable":
        return Outcome.UNREACHABLE
    return Outcome.OK if row["state"] == "current" else Outcome.FAILED


@schema.command()
@click.argument("instance")
@selection_options
@playbook_option
@releases_option
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@journal_option
@output_option
def upgrade(
    instance: str, choice: Choice, yes: bool, journal: str | None, output: str, **book: Any
) -> ExitCode:
    """Upgrade one INSTANCE, as a push would: with backup, lock, deadline and journal.

    For one that comes back from being suspended. The next push would upgrade it as well.
    """
    return _act(_Order(instance, None, **book), choice, yes, journal, output)


@schema.command()
@click.argument("instance")
@click.argument("number", type=click.IntRange(0))
@selection_options
@playbook_option
@releases_option
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@journal_option
@output_option
def mark(
    instance: str, number: int, choice: Choice, yes: bool, journal: str | None, output: str,
    **book: Any,
) -> ExitCode:  # fmt: skip
    """Say that INSTANCE is as after migration NUMBER: you looked at its database, or mended it.

    For one whose migration failed half way, and for a database that was there before fleetctl.
    """
    return _act(_Order(instance, number, **book), choice, yes, journal, output)


class _Order(NamedTuple):
    """What is to be done to one instance, and the playbook that says how."""

    instance: str
    number: int | None
    """None: upgrade it; else a person says where it is."""
    playbook: str | None
    releases_dir: str | None


def _act(order: _Order, choice: Choice, yes: bool, journal: str | None, output: str) -> ExitCode:
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.schemaplan import acting_plan, book_of
    from fleetctl.cli.session import Manner, start_run

    fleet, names = choice.pick()
    book = book_of(fleet, order.playbook, order.releases_dir)
    host = _host_of(fleet, book, names if choice.given else None, order.instance)
    plan = acting_plan(fleet, book, host, order.instance, order.number)
    tell(
        f"{plan.title} on {host}" + ("" if order.number is None else f" as being at {order.number}")
    )
    confirm(1, yes)
    return start_run(plan, Manner(output, journal, folded=True, carried=False))


def _host_of(fleet: Fleet, book: Any, names: list[str] | None, instance: str) -> str:
    """The one host whose list has the instance; raises UsageError, Unknown when it is not sure."""
    from fleetctl.cli.reach import reach
    from fleetctl.cli.schemaplan import asking_scripts
    from fleetctl.transport.protocol import Looked

    plan, scripts = asking_scripts(fleet, book, names, "has", instance)
    if len(scripts) == 1:
        return next(iter(scripts))
    if not all(phase.steps[0].value.engine for phase in book.phases):
        raise UsageError(
            "the application's own commands do not tell where an instance is", hint="--host HOST"
        )
    answers = ask_hosts(scripts, reach(plan), ASK_TIMEOUT_S)
    having = []
    silent = []
    for host, answer in answers.items():
        if not isinstance(answer, Looked) or answer.exit_status != 0:
            silent.append(host)
        elif (answer.stdout.head + answer.stdout.tail).strip():
            having.append(host)
    if len(having) == 1:
        return having[0]
    if having:
        raise UsageError(f"several hosts list {instance}: {', '.join(having)}", hint="--host HOST")
    if silent:
        raise FleetError(f"no host that answered lists {instance}; {', '.join(silent)} did not")
    raise UsageError(f"no host lists an instance {instance}")
