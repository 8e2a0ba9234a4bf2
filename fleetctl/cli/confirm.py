"""A person confirms a change by typing how many hosts it is about, never by "y"."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from fleetctl.base.errors import Refused
from fleetctl.cli.picture import hosts_word


def confirm(
    hosts: int, yes: bool, ask: Callable[[str], str] | None = None, *, things: str = "hosts"
) -> None:
    """Return when the number of `things` was typed or `yes` was given; raises Refused otherwise.

    `ask` takes the question and gives the answer; None asks the terminal, if there is one.
    """
    if yes:
        return
    if ask is None:
        if not sys.stdin.isatty():
            raise Refused(
                "nobody confirmed the change",
                why="standard input is no terminal; nothing was touched",
                hint="scripts confirm with --yes",
            )
        ask = _ask_terminal
    answer = ask(f"Type the number of {things} to go on: ").strip()
    if answer != str(hosts):
        said = f'"{answer}" was typed' if answer else "nothing was typed"
        raise Refused(
            "not confirmed",
            why=f"{said}, it is about {hosts_word(hosts) if things == 'hosts' else hosts}; "
            "nothing was touched",
        )


def _ask_terminal(question: str) -> str:
    click.echo(question, err=True, nl=False)
    try:
        return sys.stdin.readline()
    except KeyboardInterrupt:
        click.echo(err=True)
        raise
