"""The entry point: finds a command by its word, and turns every ending into an exit code."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from fleetctl import __version__
from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode, ReaderGone
from fleetctl.cli.lazy import LazyGroup

# word -> (module:attribute, short help). The help stands here so that `--help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "push": ("fleetctl.cli.push:push", "Run a playbook over the fleet."),
    "deploy": ("fleetctl.cli.deploy:deploy", "Deploy a release to one tier."),
    "rollback": ("fleetctl.cli.rollback:rollback", "Take hosts back to what they ran before."),
    "plan": ("fleetctl.cli.plan:plan", "Show what a push would do, without doing it."),
    "playbook": ("fleetctl.cli.playbook:playbook", "Make a playbook of a list of commands."),
    "run": ("fleetctl.cli.run:run", "Run a command on hosts, now."),
    "doctor": ("fleetctl.cli.doctor:doctor", "Look for what would stop a push."),
    "rehearse": ("fleetctl.cli.rehearse:rehearse", "Rehearse a push on a lab twin of the fleet."),
    "status": ("fleetctl.cli.status:status", "Ask hosts which release they run."),
    "attach": ("fleetctl.cli.attach:attach", "Watch a run that is driven on another machine."),
    "resume": ("fleetctl.cli.resume:resume", "Go on with a run, here or from another machine."),
    "runs": ("fleetctl.cli.runs:runs", "Look at runs; resume, approve or stop one."),
    "inventory": ("fleetctl.cli.inventory:inventory", "List and check tiers and hosts."),
    "notify": ("fleetctl.cli.notify:notify", "Try whom runs tell of themselves."),
    "releases": ("fleetctl.cli.releases:releases", "Keep releases and pin them to tiers."),
    "schema": ("fleetctl.cli.schema:schema", "See and upgrade the schemas of instances."),
    "pools": ("fleetctl.cli.pools:pools", "See and steer the daemon pools of hosts."),
    "console": ("fleetctl.cli.console:console", "A web page: fleet, running push, pools, runs."),
    "hosts": ("fleetctl.cli.hosts:hosts", "Collect host keys; open a shell on a host."),
    "lock": ("fleetctl.cli.lock:lock", "See who works on the fleet; take a lease away."),
    "lab": ("fleetctl.cli.lab:lab", "A local fleet of real SSH servers to rehearse on."),
}


class FleetctlGroup(LazyGroup):
    """The root command: whatever happens below it leaves by one of our exit codes."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except (Exception, KeyboardInterrupt) as ending:  # noqa: BLE001  # the last net
            from fleetctl.cli.endings import tell_ending

            code = tell_ending(ending)
        sys.exit(int(code) if isinstance(code, int) else ExitCode.OK)

    def invoke(self, ctx: click.Context) -> Any:
        """As ever; but the library ends with 1, a lost host, when nobody reads any more."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise ReaderGone from gone

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Exit codes, one meaning each."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), words) for code, words in EXIT_CODE_WORDS.items()])


@click.group(
    cls=FleetctlGroup,
    commands_table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="fleetctl")
def fleetctl() -> None:
    """Push releases to many hosts over SSH, and account for every one of them."""


def main() -> NoReturn:
    """What the `fleetctl` program runs."""
    # Starting makes many objects that stay; looking for garbage among them took a tenth of it.
    gc.set_threshold(50_000, 20, 20)
    # Nothing is left to find when the interpreter goes through it all once more as it leaves.
    atexit.register(gc.freeze)
    try:
        fleetctl(prog_name="fleetctl")
    except SystemExit as leaving:
        _leave_at_once_on_interrupt(leaving.code)
        raise
    raise AssertionError("the root command always exits")


def _leave_at_once_on_interrupt(code: object) -> None:
    """All is said and done: a Ctrl-C that comes now only spares the clearing up."""
    import signal

    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    status = code if isinstance(code, int) else 1 if code else 0
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(status))
