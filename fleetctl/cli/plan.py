"""`fleetctl plan`: everything a push would do, without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fleetctl.base.errors import UsageError
from fleetctl.cli.assemble import Assembled, assemble, load_plan, wish_of, wish_options
from fleetctl.cli.output import emit, output_option, room, tell, write
from fleetctl.cli.selection import Choice, selection_options


@click.command()
@click.argument("playbook", required=False, metavar="[PLAYBOOK]")
@selection_options
@wish_options
@click.option("--hosts", "by_host", is_flag=True, help="One row a host instead of folded ranges.")
@click.option("--save", metavar="FILE", help="Keep the plan for `fleetctl push --plan FILE`.")
@click.option("--show", metavar="FILE", help="Show a saved plan, if it still holds.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of playbooks, for editors.")
@output_option
@click.help_option("-h", "--help")
def plan(
    playbook: str | None,
    choice: Choice,
    by_host: bool,
    save: str | None,
    show: str | None,
    schema: bool,
    output: str,
    **words: Any,
) -> None:
    """Show what pushing PLAYBOOK would do: hosts, releases, batches, gates, budgets.

    Without PLAYBOOK the fleet's default one is taken. Flags that pick hosts narrow every phase:
    `fleetctl plan --tier repo` is what `fleetctl deploy --tier repo` would do.
    """
    if schema:
        from fleetctl.cli.output import to_json
        from fleetctl.playbook.schema import playbook_schema

        write(to_json(playbook_schema(), indent=2))
        return
    wish = wish_of(choice, playbook, words)
    if show and (playbook or choice.given):
        raise UsageError("--show shows a saved plan as it is; it takes no playbook and no hosts")
    assembled = load_plan(Path(show), wish) if show else assemble(wish)
    if save:
        _save(assembled, Path(save))
    _print(assembled, by_host=by_host, output=output)


def _print(assembled: Assembled, *, by_host: bool, output: str) -> None:
    from fleetctl.cli.planview import COLUMNS, WIDTH, plan_lines, plan_rows

    if by_host or output != "table":
        columns = COLUMNS if output != "table" else COLUMNS[:-1]
        emit(plan_rows(assembled.plan), columns, output)
        return
    for line in plan_lines(assembled.plan, room(WIDTH)):
        write(line)


def _save(assembled: Assembled, path: Path) -> None:
    from fleetctl.plan.save import encode_plan

    try:
        path.write_bytes(encode_plan(assembled.plan))
    except OSError as error:
        raise UsageError(f"cannot write {path}", why=error.strerror or str(error)) from None
    tell(f"saved; run it with: fleetctl push --plan {path}")
