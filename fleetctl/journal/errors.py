"""Trouble with the journal itself. Without its journal nothing may start."""

from __future__ import annotations

from fleetctl.base.errors import ExitCode, FleetError, Refused

SALVAGE = (
    "keep what is whole with `fleetctl runs verify --salvage FILE`, or take a backup of it, "
    "then name that file with --journal"
)
"""The way on from a damaged journal."""


class JournalUnusable(Refused):
    """The file is not a journal, is damaged, or is of a newer format; nothing was touched."""


class JournalFull(FleetError):
    """A record could not be made durable (disk full, I/O error): nothing may start any more.

    Exits as refused before the start; who has begun already sets `exit_code` to what is known.
    """

    exit_code = ExitCode.REFUSED
