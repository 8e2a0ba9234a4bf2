"""`fleetctl doctor`: what would stop a push, looked for without changing anything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.assemble import Wish
from fleetctl.cli.journal import journal_option
from fleetctl.cli.output import emit, output_option, tell, write
from fleetctl.cli.releases import releases_option
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.doctor.findings import Finding

COLUMNS = ("check", "level", "hosts", "text", "hint")
TEXTS_MAX = 8
"""Findings of one check and level told one by one in the table; more of them are counted."""


@click.command()
@click.argument("selector", required=False)
@selection_options
@click.option("--playbook", metavar="FILE", help="The push to look ahead to; else the fleet's.")
@click.option(
    "--release",
    multiple=True,
    metavar="[TIER=]REL",
    help="The release it is to deploy instead of the pinned one.",
)
@click.option("--var", "-e", multiple=True, metavar="NAME=VALUE", help="Set a variable.")
@click.option(
    "--timeout",
    metavar="TIME",
    default="10s",
    show_default=True,
    help="How long a host may take to answer.",
)
@releases_option
@journal_option
@output_option
def doctor(
    selector: str | None, choice: Choice, playbook: str | None, timeout: str, output: str,
    **words: object,
) -> ExitCode:  # fmt: skip
    """Look for what would stop a push on the hosts of SELECTOR; else on all of the fleet.

    Nothing is changed. Exits 8 when something would stop a push or lose it hosts, 3 when something
    could not be looked at, 4 when that is only hosts that are not reached; warnings alone are 0.
    """
    from fleetctl.cli.examination import examine, take_in
    from fleetctl.doctor.findings import exit_code

    wish = Wish(_choice(selector, choice), playbook, **words)  # type: ignore[arg-type]
    began_s = time.monotonic()
    patient = take_in(wish)
    examined = examine(patient, wish.journal, _timeout_s(timeout))
    if output == "table":
        for line in finding_lines(examined.findings, len(patient.fleet.hosts)):
            write(line)
    else:
        emit(map(_row, examined.findings), COLUMNS, output)
    tell(_closing(examined.findings, len(patient.hosts), examined.reached,
                  time.monotonic() - began_s))  # fmt: skip
    return exit_code(examined.findings, examined.unreached)


def _choice(selector: str | None, choice: Choice) -> Choice:
    from msgspec.structs import replace

    if selector and choice.limit:
        raise UsageError("SELECTOR and --limit say the same thing", hint="give one of them")
    return replace(choice, limit=selector) if selector else choice


def _timeout_s(text: str) -> float:
    from fleetctl.playbook.units import SomeSeconds

    try:
        return SomeSeconds.read(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None


def _row(finding: Finding) -> Mapping[str, object]:
    return {
        "check": finding.check,
        "level": finding.level.word.lower(),
        "hosts": finding.hosts,
        "text": finding.text,
        "hint": finding.hint,
    }


def finding_lines(findings: Sequence[Finding], fleet_size: int) -> Iterator[str]:
    """A line a check, folded over hosts; what is wrong with it first, the worst check on top."""
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    width = max(map(len, by_check), default=0)
    for check, found in by_check.items():
        parts = list(_parts(found, fleet_size))
        for index, (words, hint) in enumerate(parts):
            yield f"{check if not index else '':<{width}}  {words}"
            if hint and hint not in (later for _, later in parts[index + 1 :]):
                yield f"{'':<{width}}    hint: {hint}"


def _parts(found: Sequence[Finding], fleet_size: int) -> Iterator[tuple[str, str]]:
    from fleetctl.doctor.findings import Level

    bad = [finding for finding in found if finding.level is not Level.OK]
    fine = [finding for finding in found if finding.level is Level.OK]
    for finding in bad[:TEXTS_MAX]:
        names = _names(finding.hosts, fleet_size)
        yield f"{finding.level.word} {names}{finding.text}", finding.hint
    if len(bad) > TEXTS_MAX:
        rest = bad[TEXTS_MAX:]
        names = _names([host for finding in rest for host in finding.hosts], fleet_size)
        yield f"{rest[0].level.word} {names}{len(rest)} findings more (--output jsonl)", ""
    for finding in fine:
        count = f"ok {len(finding.hosts)}" if finding.hosts else "ok"
        names = f" {_names(finding.hosts, fleet_size)}" if finding.text and finding.hosts else " "
        yield f"{count}{names}{finding.text}".rstrip(), ""


def _names(hosts: Sequence[str], fleet_size: int) -> str:
    from fleetctl.base.hostrange import fold

    if not hosts:
        return ""
    return "all hosts: " if len(hosts) == fleet_size > 1 else f"{fold(hosts)}: "


def _closing(findings: Sequence[Finding], asked: int, reached: int, took_s: float) -> str:
    from fleetctl.base.durations import format_duration
    from fleetctl.doctor.findings import Level

    counts = {level: sum(found.level is level for found in findings) for level in Level}
    words = [
        text
        for level, text in (
            (Level.FAIL, "{} would stop a push or lose it hosts"),
            (Level.UNKNOWN, "{} could not be looked at"),
            (Level.WARN, "{} to look at"),
        )
        if counts[level]
        for text in [text.format(counts[level])]
    ]
    told = "; ".join(words) or "nothing found that would stop a push"
    return f"{reached} of {asked} hosts looked at in {format_duration(took_s)}: {told}"
