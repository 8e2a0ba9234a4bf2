"""`fleetctl pools`: the daemon pools of the fleet, or with `--local` those of this very host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from fleetctl.base.errors import UsageError
from fleetctl.cli.lazy import LazyGroup

Table = dict[str, tuple[str, str]]
"""Word -> (`module:attribute`, short help)."""

# What asks the overseers of the fleet and changes nothing.
ASKING: Table = {
    "status": ("fleetctl.cli.poolstatus:status", "What runs, what sleeps, what is broken."),
    "metrics": ("fleetctl.cli.poolmetrics:metrics", "Figures of all hosts, for Prometheus."),
    "events": ("fleetctl.cli.poolread:events", "What happened to pools, oldest first."),
    "explain": ("fleetctl.cli.poolread:explain", "Why pools have the processes they have."),
    "log": ("fleetctl.cli.poolread:log", "What daemons of one host printed last."),
}
# What changes pools across the fleet.
ACTING: Table = {
    "hibernate": ("fleetctl.cli.poolact:hibernate", "End idle daemons; their pools sleep."),
    "wake": ("fleetctl.cli.poolact:wake", "Start a daemon of each pool that sleeps."),
    "pause": ("fleetctl.cli.poolact:pause", "Start nothing more for pools."),
    "drain": ("fleetctl.cli.poolact:drain", "As pause; and end what is idle."),
    "resume": ("fleetctl.cli.poolact:resume", "End a pause or a drain."),
    "release": ("fleetctl.cli.poolrelease:release", "Take away what a run that is over holds."),
    "scale": ("fleetctl.cli.poolact:scale", "Other numbers for pools than their specs'."),
    "retry": ("fleetctl.cli.poolact:retry", "Forget the errors of pools and try again now."),
    "restart": ("fleetctl.cli.poolact:restart", "Replace what runs, one of a pool at a time."),
    "reload": ("fleetctl.cli.poolact:reload", "Have overseers read their specs anew."),
}
# What puts overseers on hosts, and takes them away.
INSTALLING: Table = {
    "install": ("fleetctl.cli.poolinstall:install", "Put overseers and their specs on hosts."),
    "upgrade": ("fleetctl.cli.poolinstall:upgrade", "Renew those that are installed."),
    "uninstall": ("fleetctl.cli.poolinstall:uninstall", "End them, and leave nothing."),
}
ANYWHERE: Table = {
    "pack": ("fleetctl.cli.poolpack:pack", "Write the overseer as one file."),
}
LOCAL: Table = {
    "status": ("fleetctl.cli.poollocal:status", "Pools that do not sleep, or those named."),
    "explain": ("fleetctl.cli.poollocal:explain", "Why pools have the processes they have."),
    "events": ("fleetctl.cli.poollocal:events", "What happened to pools, oldest first."),
    "log": ("fleetctl.cli.poollocal:log", "What the daemons of pools printed last."),
    "metrics": ("fleetctl.cli.poollocal:metrics", "Figures in the text format of Prometheus."),
    "hibernate": ("fleetctl.cli.poollocal:hibernate", "End idle daemons; their pools sleep."),
    "wake": ("fleetctl.cli.poollocal:wake", "Start a daemon of each pool that sleeps."),
    "pause": ("fleetctl.cli.poollocal:pause", "Start nothing more for pools."),
    "drain": ("fleetctl.cli.poollocal:drain", "As pause; and end what is idle."),
    "resume": ("fleetctl.cli.poollocal:resume", "End a pause or a drain."),
    "retry": ("fleetctl.cli.poollocal:retry", "Forget the errors of pools and try again now."),
    "scale": ("fleetctl.cli.poollocal:scale", "Other numbers for pools than their specs'."),
    "reload": ("fleetctl.cli.poollocal:reload", "Read the specs anew."),
    "debug": ("fleetctl.cli.poollocal:debug", "Really hurt the daemons of pools."),
}
_SYSTEM_HOME = Path("/var/lib/fleetctl-overseer")


class PoolsGroup(LazyGroup):
    """Two tables of commands: those over the fleet, and those of this host's own overseer."""

    def table(self, ctx: click.Context) -> Mapping[str, tuple[str, str]]:
        if ctx.params.get("local"):
            return {**LOCAL, **ANYWHERE}
        return {**ASKING, **ACTING, **INSTALLING, **ANYWHERE}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in LOCAL and args[0] not in self.table(ctx):
            raise UsageError(
                f"only the overseer of this very host can be asked to {args[0]}",
                hint=f"run it on the host, as fleetctl pools --local {args[0]} ...",
            )
        return super().resolve_command(ctx, args)


def _home_default() -> Path:
    """Where the unit of systemd lets the overseer work, else the user's own."""
    return _SYSTEM_HOME if _SYSTEM_HOME.exists() else Path.home() / ".fleetctl" / "overseer"


@click.group(cls=PoolsGroup, commands_table=LOCAL)
@click.option(
    "--local",
    is_flag=True,
    is_eager=True,
    help="Speak to the overseer of this very host; its commands: pools --local --help.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="FLEETCTL_OVERSEER_HOME",
    help="With --local: the folder the overseer works in.",
)
@click.pass_context
def pools(ctx: click.Context, local: bool, home: Path | None) -> None:
    """The daemon pools of all hosts: what runs, what sleeps, what is broken.

    With --local, of this very host; POOL is then instance/kind; * and ? may stand for more, in
    quotes.
    """
    given = ctx.get_parameter_source("home") is click.core.ParameterSource.COMMANDLINE
    if given and not local:
        raise UsageError("the inventory says where overseers are", where="--home",
                         hint="--home goes with --local")  # fmt: skip
    ctx.obj = home or _home_default()
