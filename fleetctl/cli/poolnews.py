"""Asking the overseers of a fleet again and again, for whoever shows what they tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleetctl.base.errors import UsageError

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.pools.tallies import Tally

EVERY_LEAST_S = 1.0
WITHIN_S = 10.0
"""One host that hangs must not make what the others told old news."""


def parse_every(text: str | None) -> float:
    """`10s` in seconds; 0 for None. Raises UsageError."""
    from fleetctl.base.durations import parse_duration_s

    if text is None:
        return 0.0
    try:
        every_s = parse_duration_s(text)
    except ValueError as error:
        raise UsageError(str(error), where="--refresh") from None
    if every_s < EVERY_LEAST_S:
        raise UsageError(f'"{text}" is too often', where="--refresh", hint="1s at least")
    return every_s


class PoolNews:
    """One connection a host, kept until `close`."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        """`folder`: of the journal, where what was told is kept."""
        from fleetctl.cli.overseers import Overseers, keeping

        self._fleet = fleet
        self._folder = folder
        self._overseers = Overseers(fleet, keeping(fleet, list(fleet.hosts)))

    def ask(self, by_instance: bool) -> Mapping[str, Tally]:
        """Ask by kind and keep it; given True, ask by instance, too, and answer that."""
        from fleetctl.cli.overseers import Silent
        from fleetctl.cli.poolstatus import GROUPS_MOST, read, remember_answers

        asked_s = time.time()
        answers = read(self._overseers.ask("tally", within_s=WITHIN_S))
        remember_answers(self._folder, self._fleet, answers, asked_s)
        if not by_instance:
            return {}
        told = read(
            self._overseers.ask("tally", within_s=WITHIN_S, by="instance", most=GROUPS_MOST)
        )
        return {host: one for host, one in told.items() if not isinstance(one, Silent)}

    def count(self, kind: str, hosts: Sequence[str]) -> list[str]:
        """Those of the hosts that have pools of the kind, or of which that is not known."""
        from fleetctl.cli.overseers import Overseers, Silent
        from fleetctl.playbook.poolstexts import pattern

        with Overseers(self._fleet, hosts) as overseers:
            told = overseers.ask(
                "settled", within_s=WITHIN_S, last=True, pools=[pattern(kind)], lenient=True
            )
        return [host for host, one in told.items() if isinstance(one, Silent) or one["pools"]]

    def close(self) -> None:
        """Give up all connections."""
        self._overseers.__exit__()
