"""`fleetctl status`: the live release of every host, asked from it, and drift from the pin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.base.outcome import Outcome, exit_code_of
from fleetctl.base.plaintext import printable
from fleetctl.cli.asking import Answer, ask_hosts
from fleetctl.cli.journal import journal_option, kept_journal
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.picture import hosts_word, wall_text
from fleetctl.cli.selection import Choice, selection_options
from fleetctl.inventory.model import Fleet
from fleetctl.transport.protocol import Looked, Lost

COLUMNS = ("host", "tier", "live", "pin", "state", "detail")
ASK_TIMEOUT_S = 20.0
_NOTHING = "nothing is deployed where the fleet's playbook puts it"


class Finding(NamedTuple):
    """What is known of one host's live release."""

    live: str = ""
    """Empty: none, or not known (see `outcome`)."""
    outcome: Outcome = Outcome.OK
    detail: str = ""


@click.command()
@selection_options
@click.option("--cached", is_flag=True, help="What was last read back, without connecting.")
@journal_option
@output_option
def status(choice: Choice, cached: bool, journal: str | None, output: str) -> ExitCode:
    """Ask hosts which release they run, and compare it with the pin of their tier.

    Exits 0 only when every host answered and runs what is pinned; 1: drift, 3: some unknown,
    4: some unreachable.
    """
    from fleetctl.releases.pins import pins_path, read_pins

    fleet, names = choice.pick()
    pins = read_pins(pins_path(Path(fleet.source)), tiers=fleet.tiers)
    findings = _remembered(journal, fleet, names) if cached else _asked(fleet, names)
    rows = [_row(fleet, name, findings[name], pins) for name in names]
    emit(rows, COLUMNS, output)
    counts = Counter(str(row["state"]) for row in rows)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    tell(f"{hosts_word(len(rows))}: {told}")
    return exit_code_of(_verdict(row, findings) for row in rows)


def _row(fleet: Fleet, name: str, found: Finding, pins: Mapping[str, str]) -> dict[str, object]:
    tier = fleet.hosts[name].tier
    pin = pins.get(tier, "")
    live = found.live or None
    if found.outcome.lost:
        state = "unreachable" if found.outcome is Outcome.UNREACHABLE else "unknown"
        live = "unknown"
    elif found.outcome is Outcome.SKIPPED:
        state = "not deployed to"
    elif not pin:
        state = "no pin"
    else:
        state = "as pinned" if found.live == pin else "DRIFT"
    return {"host": name, "tier": tier, "live": live, "pin": pin, "state": state,
            "detail": found.detail}  # fmt: skip


def _verdict(row: Mapping[str, object], findings: Mapping[str, Finding]) -> Outcome:
    return Outcome.FAILED if row["state"] == "DRIFT" else findings[str(row["host"])].outcome


def _remembered(journal: str | None, fleet: Fleet, names: Sequence[str]) -> dict[str, Finding]:
    with kept_journal(journal) as opened:
        live = opened.live(fleet.name)
    return {
        name: Finding(live[name].release, detail=f"read back {wall_text(live[name].read_s)}")
        if name in live
        else Finding(outcome=Outcome.UNKNOWN, detail="never read back")
        for name in names
    }


def _asked(fleet: Fleet, names: Sequence[str]) -> dict[str, Finding]:
    from fleetctl.cli.liveness import reading_plan, reading_scripts
    from fleetctl.cli.reach import reach
    from fleetctl.playbook.load import load_playbook

    if not fleet.playbook:
        raise UsageError(
            "the inventory names no playbook, so nobody knows how hosts tell their release",
            where=fleet.source,
            hint="add `playbook: FILE` to it, or use --cached",
        )
    plan = reading_plan(fleet, load_playbook(Path(fleet.playbook)), names)
    scripts = reading_scripts(plan) if plan is not None else {}
    answers: Mapping[str, Answer | None] = {}
    if plan is not None:
        answers = ask_hosts(scripts, reach(plan), ASK_TIMEOUT_S)
    return {
        name: _finding(answers[name])
        if name in scripts
        else Finding(outcome=Outcome.SKIPPED, detail="no phase deploys to it")
        for name in names
    }


def _finding(answer: Answer | None) -> Finding:
    if answer is None:
        return Finding(outcome=Outcome.UNKNOWN, detail="no answer")
    if isinstance(answer, Lost):
        lost = Outcome.UNKNOWN if answer.sent else Outcome.UNREACHABLE
        return Finding(outcome=lost, detail=printable(f"{answer.cause}: {answer.detail}"))
    return _read(answer)


def _read(answer: Looked) -> Finding:
    if answer.exit_status is None:
        return Finding(outcome=Outcome.TIMED_OUT, detail="no end within its deadline")
    said = (answer.stdout.head + answer.stdout.tail).decode("utf-8", "replace").split("\n")
    live = next((line.strip() for line in reversed(said) if line.strip()), "")
    if answer.exit_status != 0:
        return Finding(outcome=Outcome.UNKNOWN, detail=f"exit {answer.exit_status}")
    return Finding(printable(live), detail="" if live else _NOTHING)
