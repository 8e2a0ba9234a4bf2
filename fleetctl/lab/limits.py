"""A disk that is full, without root: no file of the host's processes may grow past a size."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable

from fleetctl.lab.processes import find_marked


def limit_files(lab_id: str, host: str, size: int | None) -> None:
    """Set RLIMIT_FSIZE of every process now on `host`; None lifts it.

    What they start later inherits it. Only the soft limit moves, so lifting needs no privilege.
    """
    limit_processes(find_marked(lab_id, host), size)


def limit_processes(pids: Iterable[int], size: int | None) -> None:
    """As `limit_files`, for these processes."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            soft = hard if size is None else size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
