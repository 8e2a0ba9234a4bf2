"""Where the journal is, and opening it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean_file
from fleetctl.cli.advice import about
from fleetctl.cli.output import tell

if TYPE_CHECKING:
    from fleetctl.journal.store import Journal

Command = TypeVar("Command", bound=Callable[..., Any])


def journal_option(command: Command) -> Command:
    """`--journal FILE`, passed to the command as `journal`."""
    return click.option(
        "--journal",
        envvar="FLEETCTL_JOURNAL",
        metavar="FILE",
        help="Where runs are recorded.  [env: FLEETCTL_JOURNAL]",
    )(command)


def open_journal(named: str | None) -> Journal:
    """The journal named, or the one of this user; made when it is not there."""
    from fleetctl.journal.schema import torn_write
    from fleetctl.journal.store import Journal

    about(named)
    path = journal_path(named)
    torn = torn_write(path)
    journal = Journal(path)
    if torn:
        tell(
            f"note: the journal's last write was cut short ({torn}): its controller died in the "
            "middle of it, or it was changed since. What it held, hosts are asked for again"
        )
    return journal


def kept_journal(named: str | None) -> Journal:
    """As `open_journal`, for who only looks: a journal that was named must be there.

    Raises UsageError when it is not.
    """
    about(named)
    path = journal_path(named)
    if named and not path.exists():
        hint = did_you_mean_file(path) or "the first run makes it"
        raise UsageError("there is no such journal", where=str(path), hint=hint)
    return open_journal(named)


def journal_path(named: str | None) -> Path:
    """Where that journal is; it need not be there yet."""
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_state_dir("fleetctl")) / "journal.db"
