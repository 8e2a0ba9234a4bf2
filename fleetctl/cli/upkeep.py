"""`fleetctl runs verify` and `backup`: is the journal as it was written, and copies of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.journal import journal_option, journal_path
from fleetctl.cli.output import emit, output_option, tell

if TYPE_CHECKING:
    from fleetctl.journal.examine import Damage, Report, RunReport

VERIFY_COLUMNS = ("run", "records", "chain", "seal", "note")
SEAL_LETTERS = 16
"""How much of a seal is shown; more is not needed to tell chains apart."""
_file = click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
_overwrite = click.option("--overwrite", is_flag=True, help="Replace FILE when it is there.")


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--seal", default="", metavar="HEX", help="A seal of RUN noted earlier: is it there?")
@click.option("--salvage", "file", metavar="FILE", type=click.Path(path_type=Path),
              help="Write what is whole to FILE; the journal stays as it is.")  # fmt: skip
@_overwrite
@journal_option
@output_option
def verify(
    run: str | None, seal: str, file: Path | None, overwrite: bool, journal: str | None, output: str
) -> ExitCode:
    """Look whether the journal is as it was written: every record, row and page.

    What was changed, taken out, moved or cut off is told with its place, and the exit code is 8. A
    seal noted elsewhere also shows a run whose end was cut off with all sums done anew.
    """
    from fleetctl.journal.copies import salvage
    from fleetctl.journal.examine import examine

    path = journal_path(journal)
    if not path.exists():
        raise UsageError("there is no journal", where=str(path), hint="name it with --journal")
    report = examine(path)
    picked = _pick(report, run, path)
    bad = {damage.run for damage in report.damages}
    emit([_row(one, one.run in bad) for one in picked], VERIFY_COLUMNS, output)
    damages = [one for one in report.damages if run is None or one.run in ("", picked[0].run)]
    _tell(damages)
    if file is not None:
        _tell_salvage(salvage(path, file, overwrite=overwrite), report, file)
    elif damages:
        tell("hint: keep what is whole: fleetctl runs verify --salvage FILE")
    if seal and not any(known.startswith(seal.lower()) for known in report.seals):
        tell(f"no record has the seal {seal}: its run was changed or cut")
        return ExitCode.REFUSED
    return ExitCode.REFUSED if damages else ExitCode.OK


@click.command()
@_file
@_overwrite
@journal_option
def backup(file: Path, overwrite: bool, journal: str | None) -> None:
    """Copy the journal to FILE, also while a push writes to it, and verify the copy."""
    from fleetctl.journal.copies import back_up

    report = back_up(journal_path(journal), file, overwrite=overwrite)
    records = sum(one.records for one in report.runs)
    tell(f"{file}: {len(report.runs)} runs, {records} records, verified")


def _pick(report: Report, run: str | None, path: Path) -> list[RunReport]:
    """The runs asked for; a run that is damaged beyond its name is not found."""
    if run is None:
        return list(report.runs)
    if run == "last":
        found = list(report.runs[-1:])
    else:
        found = [one for one in report.runs if one.run.startswith(run)]
    if len(found) == 1:
        return found
    if report.damages:
        _tell(report.damages)
    what = f'"{run}" could be several runs' if found else f'no run "{run}" can be read'
    raise UsageError(what, where=str(path), why=", ".join(one.run for one in found))


def _chain_words(one: RunReport, damaged: bool) -> str:
    if damaged:
        return "DAMAGED"
    if one.chained_from == 1:
        return "whole"
    return f"no chain before record {one.chained_from or one.records + 1}"


def _row(one: RunReport, damaged: bool) -> dict[str, object]:
    seal = one.seal[:SEAL_LETTERS]
    chain = _chain_words(one, damaged)
    return {"run": one.run, "records": one.records, "chain": chain, "seal": seal, "note": one.note}


def _tell(damages: list[Damage] | tuple[Damage, ...]) -> None:
    for damage in damages:
        tell(f"damaged: {damage.text}")


def _tell_salvage(kept: Report, found: Report, file: Path) -> None:
    records, before = (sum(one.records for one in report.runs) for report in (kept, found))
    tell(
        f"{file}: kept {len(kept.runs)} runs and {records} of the {before} records that can be"
        f" read; go on with --journal {file}"
    )
