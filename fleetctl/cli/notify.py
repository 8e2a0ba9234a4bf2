"""`fleetctl notify`: whom a playbook's runs tell of themselves, and whether that works."""

from __future__ import annotations

import os
from pathlib import Path

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.selection import open_fleet

COLUMNS = ("channel", "way", "on", "arrived", "why")


@click.group()
def notify() -> None:
    """Whom runs tell of themselves: see `notify` in docs/reports.md."""


@notify.command()
@click.argument("playbook", required=False, metavar="[PLAYBOOK]")
@click.option("--inventory", "-i", metavar="FILE", envvar="FLEETCTL_INVENTORY",
              help="Whose default playbook is meant, without PLAYBOOK.")  # fmt: skip
@output_option
def test(playbook: str | None, inventory: str | None, output: str) -> ExitCode:
    """Send a message to every channel of PLAYBOOK, now; nothing else is done.

    Exits with 1 when one did not arrive.
    """
    from fleetctl.base.redaction import Redactor
    from fleetctl.cli.vault import fetch
    from fleetctl.cli.veil import veil
    from fleetctl.playbook.load import load_playbook
    from fleetctl.report.messages import Message
    from fleetctl.report.notifier import Notifier

    path = Path(playbook).expanduser() if playbook else _default(inventory)
    book = load_playbook(path)
    if not book.channels:
        raise UsageError(f"{book.file} tells nobody", hint="add `notify:`, see docs/reports.md")
    uses = {use.name: use.source for channel in book.channels for use in channel.secrets}
    values, wrong = fetch(uses)
    for source in uses.values():
        if source.kind == "env":
            os.environ.pop(source.words[0], None)
    for place, what in wrong:
        tell(f"warning: {what} ({place})")
    with veil(Redactor(values.values())):
        line = f"{book.title}: a test message of fleetctl; runs will be told of here"
        notifiers = [
            Notifier(channel, values.__getitem__, delays_s=(0.5,)) for channel in book.channels
        ]
        for notifier in notifiers:
            notifier.send(Message(notifier.channel.moments[0], (line,)))
        rows = [_row(notifier) for notifier in notifiers]
        emit(rows, COLUMNS, output)
    return ExitCode.OK if all(row["arrived"] for row in rows) else ExitCode.HOST_FAILED


def _row(notifier: object) -> dict[str, object]:
    from fleetctl.playbook.channels import Webhook
    from fleetctl.report.notifier import TRIES, Notifier

    assert isinstance(notifier, Notifier)
    channel = notifier.channel
    done = notifier.close(TRIES * channel.timeout_s + TRIES)
    why = notifier.failed[0].why if notifier.failed else "" if done else "no answer"
    return {
        "channel": channel.name,
        "way": "webhook" if isinstance(channel.way, Webhook) else "mail",
        "on": list(channel.moments),
        "arrived": not why,
        "why": why,
    }


def _default(inventory: str | None) -> Path:
    fleet = open_fleet(inventory)
    if not fleet.playbook:
        raise UsageError(f"fleet {fleet.name} has no default playbook", hint="name a playbook")
    return Path(fleet.playbook)
