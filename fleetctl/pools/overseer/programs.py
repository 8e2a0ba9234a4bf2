"""Which kinds could not be started, for their program or folder is not on this host now.

No mistake of the specs: what a release brings may come after them. So it is told, and that is all.
"""

from __future__ import annotations

import os

from fleetctl.pools.overseer import placeholders, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetctl.pools.overseer.kinds import Kind

SAMPLE = 20
"""Pools looked at of a kind whose program depends on the instance."""


class Programs:
    """What is to be looked at, and what is missing when it is."""

    def __init__(self, pools: Iterable[tuple[str, Kind]] = ()) -> None:
        self._samples: list[tuple[str, Kind]] = []
        self.want(pools)

    def want(self, pools: Iterable[tuple[str, Kind]]) -> None:
        """Remember a few pools of each kind, one where all start the same program."""
        seen: dict[Kind, int] = {}
        self._samples = []
        for name, kind in pools:
            count = seen.get(kind, 0)
            if not kind.command:
                continue  # its specs are gone; what runs of it is being ended
            if count < (SAMPLE if "{" in kind.command[0] + kind.cwd else 1):
                seen[kind] = count + 1
                self._samples.append((name, kind))

    def missing(self) -> dict[str, str]:
        """Kind -> what one of its pools lacks; empty where all is there."""
        found: dict[str, str] = {}
        for name, kind in self._samples:
            if kind.name not in found:
                lack = _lack(name, kind)
                if lack:
                    found[kind.name] = lack
        return found


def _lack(pool: str, kind: Kind) -> str:
    """What a start of this pool would fail at; empty: nothing is seen."""
    values = {**placeholders.of_pool(pool), placeholders.SLOT: "0"}
    cwd = placeholders.fill(kind.cwd, values)
    if cwd and not os.path.isdir(cwd):  # noqa: PTH112
        return f"no folder {cwd}"
    program = placeholders.fill(kind.command[0], values)
    if "/" in program:
        program = os.path.join(cwd or ".", program)  # noqa: PTH118
    env = {**os.environ, **kind.env} if kind.socket else os.environ
    try:
        processes.findable(program, env)
    except OSError:
        return f"no program {program}"
    return ""


def in_words(missing: dict[str, str]) -> list[str]:
    """A line a kind."""
    return [f"kind {kind} cannot be started now: {lack}" for kind, lack in missing.items()]
