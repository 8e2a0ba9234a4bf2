"""fleetctl with another program on the hosts, a journal that waits for no disk, and no leases."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from fleetctl.cli.main import main
from fleetctl.journal import schema
from fleetctl.transport import session

_prepare, _program = schema.prepare, session.program


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """As ever, but the disk is not waited for."""
    _prepare(database, path)
    database.execute("PRAGMA synchronous=OFF")


def push_with(runner: Callable[[str], str]) -> None:
    """The push of the command line, with what `runner` makes of the hosts' program."""
    text = runner(_program(*session.RUNNER))
    session.program = lambda *names: text  # type: ignore[assignment]
    schema.prepare = prepare
    sys.argv.insert(2, "--no-lease")
    main()
