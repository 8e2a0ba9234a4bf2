"""A click group that knows its commands by name and imports one only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group over a table: word -> (`module:attribute`, short help)."""

    def __init__(
        self, *args: Any, commands_table: Mapping[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_table = commands_table

    def table(self, ctx: click.Context) -> Mapping[str, tuple[str, str]]:
        """The commands there are, after what was said before the command's word."""
        return self.commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table(ctx).get(cmd_name)
        if entry is None:
            return None
        module_name, _, attribute = entry[0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.table(ctx):
            from fleetctl.base.names import did_you_mean

            hint = did_you_mean(args[0], self.table(ctx))
            ctx.fail(f'there is no command "{args[0]}"; {hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help of every command, from the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(word, text) for word, (_, text) in self.table(ctx).items()])
