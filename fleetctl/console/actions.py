"""What may be done from a page, and starting it: the very command a person would type."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode, Refused, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.console.pooldesk import Count
from fleetctl.console.shelf import Shelf
from fleetctl.inventory.model import Fleet

WHY = "asked on the console"
KEPT = 20
"""Commands started from here that are still told of."""
AT_ONCE_MAX = 4
_KIND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Action(NamedTuple):
    """One thing that may be done."""

    title: str
    means: str
    button: str


POOL_ACTIONS = {
    "hibernate": Action(
        "Hibernate {kind}", "Idle daemons end and their pools sleep until there is work. "
        "Busy ones follow when their task is done.", "Hibernate",
    ),
    "wake": Action("Wake {kind}", "Each pool that sleeps starts a daemon.", "Wake"),
    "retry": Action(
        "Retry {kind}", "Pools that rest after errors, or have failed, are tried now.", "Retry",
    ),
}  # fmt: skip
DRAIN = Action(
    "Drain run {run}", "Nothing new starts, what is in flight ends. The run can be resumed.",
    "Drain",
)  # fmt: skip


class Proposal(NamedTuple):
    """What is put before a person, and done when they type how many hosts it is about."""

    do: str
    title: str
    means: str
    button: str
    back: str
    hosts: tuple[str, ...]
    words: tuple[str, ...]
    """The command, without the program's name."""
    fields: tuple[tuple[str, str], ...]
    """What the form sends again."""

    @property
    def told(self) -> str:
        """The command as it would be typed."""
        return shlex.join(("fleetctl", *self.words))


def propose(
    do: str, fields: Mapping[str, str], fleet: Fleet, shelf: Shelf, having: Count
) -> Proposal:
    """What that form asks for; raises UsageError for what names nothing."""
    if do == "drain":
        return _propose_drain(fields.get("run", ""), shelf)
    if do not in POOL_ACTIONS:
        raise UsageError(f'there is no action "{do}"')
    action, kind = POOL_ACTIONS[do], fields.get("kind", "")
    if not _KIND.fullmatch(kind):
        raise UsageError(f'"{kind}" is no kind of pools')
    hosts = tuple(having(kind, _chosen(fleet, fields)))
    if not hosts:
        raise UsageError(f'no host has pools of kind "{kind}" there')
    flags = [
        word
        for name in ("tier", "host")
        if fields.get(name)
        for word in (f"--{name}", fields[name])
    ]
    words = ("pools", do, kind, *flags, "--why", WHY, "--yes", "--inventory", fleet.source,
             "--journal", str(shelf.path))  # fmt: skip
    kept = [(name, fields[name]) for name in ("kind", "tier", "host") if fields.get(name)]
    return Proposal(do, action.title.format(kind=kind), action.means, action.button, "/pools",
                    hosts, words, tuple(kept))  # fmt: skip


def _propose_drain(run: str, shelf: Shelf) -> Proposal:
    live = shelf.live_runs()
    if run not in live:
        raise UsageError(f'no run "{run}" is live', hint="what has ended needs no draining")
    hosts = tuple(shelf.follow(run).story.outcomes())
    words = ("runs", "abort", run, "--journal", str(shelf.path))
    return Proposal("drain", DRAIN.title.format(run=run), DRAIN.means, DRAIN.button,
                    f"/runs/{run}", hosts, words, (("run", run),))  # fmt: skip


def _chosen(fleet: Fleet, fields: Mapping[str, str]) -> tuple[str, ...]:
    """Hosts with pools of the tier and the name given; all when none is."""
    tier, host = fields.get("tier", ""), fields.get("host", "")
    for word, known in ((tier, fleet.tiers), (host, fleet.hosts)):
        if word and word not in known:
            raise UsageError(f'there is no "{word}"', hint=did_you_mean(word, known))
    hosts = tuple(
        name
        for name, one in fleet.hosts.items()
        if one.pools is not None and tier in ("", one.tier) and host in ("", name)
    )
    if not hosts:
        raise UsageError("no host keeps pools there", hint="see `pools:` in the inventory")
    return hosts


class Started(NamedTuple):
    """A command started from a page."""

    words: str
    at_s: float
    state: str


class Launcher:
    """Starts commands of this program beside the console; they outlive it. Safe between threads.

    What they print goes nowhere: it may have what hosts said. The journal has what they did.
    """

    def __init__(self, program: Sequence[str]) -> None:
        self._program = tuple(program)
        self._guard = threading.Lock()
        self._started: list[tuple[str, float, subprocess.Popen[bytes]]] = []

    def start(self, proposal: Proposal, now_s: float) -> None:
        """Start it at once; raises Refused while too many are at it."""
        with self._guard:
            if sum(one.poll() is None for _, _, one in self._started) >= AT_ONCE_MAX:
                raise Refused("too many commands are at it", hint="look at them in the runs")
            nowhere = subprocess.DEVNULL
            process = subprocess.Popen(
                (*self._program, *proposal.words), stdin=nowhere, stdout=nowhere, stderr=nowhere,
                start_new_session=True,
            )  # fmt: skip
            self._started.append((proposal.told, now_s, process))
            ended = [one for one in self._started if one[2].poll() is not None]
            for old in ended[: max(0, len(self._started) - KEPT)]:
                self._started.remove(old)

    def started(self) -> tuple[Started, ...]:
        """The newest first."""
        with self._guard:
            return tuple(
                Started(words, at_s, _state_words(process.poll()))
                for words, at_s, process in reversed(self._started)
            )


def _state_words(code: int | None) -> str:
    if code is None:
        return "at it"
    if code < 0:
        return f"ended by signal {-code}"
    words = EXIT_CODE_WORDS[ExitCode(code)] if code in set(ExitCode) else "not known here"
    return f"exit {code}: {words}" + ("; typed in a terminal, it says why" if code else "")
