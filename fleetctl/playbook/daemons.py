"""The daemons of a host as an author writes them, and what stops, starts and restarts them."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from fleetctl.playbook import daemontree as tree
from fleetctl.playbook import releasetree
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.pooling import pooling
from fleetctl.playbook.poolstexts import NAMES, Do, Wish
from fleetctl.playbook.source import Command
from fleetctl.playbook.substitute import shell_template_of
from fleetctl.playbook.units import Seconds, SomeSeconds

STOPPING_S = 30.0
"""What a step gets for each daemon on top of waiting until it is up."""
_ALONE = ("daemons",)


class Up(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a daemon is known to be up; all of what is said must hold."""

    tcp: int | str = ""
    """A port something listens on there: `5432`, or `10.0.0.5:5432` for that address."""
    http: str = ""
    """A URL that answers below 400, asked on the host."""
    command: Command = ""
    """Exits 0 when it is up."""
    within: SomeSeconds = msgspec.field(default_factory=lambda: SomeSeconds(60))
    stable: Seconds | None = None
    """It must go on holding so long; left out: 2 s where nothing else is asked than whether it
    runs, since what dies at its start runs for a moment."""

    @property
    def stable_s(self) -> float:
        if self.stable is not None:
            return float(self.stable)
        return 0.0 if self.tcp or self.http or self.command else 2.0


class ByCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands for what systemd does not keep. Each is told the daemon in $FLEETCTL_DAEMON."""

    stop: Command
    start: Command
    status: Command
    """Exits 0 while the daemon runs."""
    each: tuple[str, ...] = ()
    """Names of several, taken one after another; left out: one named `daemons`."""


class Daemons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The value of `stop`, `start` and `restart`; the same one serves all three."""

    systemd: str | tuple[str, ...] = ()
    """A unit, or several in this order."""
    command: ByCommand | None = None
    pool: str | tuple[str, ...] = ()
    """Pools the host's overseer keeps, as instance/kind or a kind; as a `pools` step, and of what
    else is said only `up.within` is heeded."""
    up: Up = msgspec.field(default_factory=Up)
    only: Literal["running", "all"] = "running"
    """running: a daemon that did not run before stays stopped. all: every one is started."""
    reports: Command = ""
    """Its last line is the release that runs; after a start it must be the planned one."""


def pools_of(daemons: Daemons, do: Do) -> StepDraft | None:
    """The step on pools that is meant; None: it is about daemons without an overseer."""
    if not daemons.pool:
        return None
    plain = Daemons(pool=daemons.pool, up=Up(within=daemons.up.within))
    if daemons != plain:
        raise ValueError("with `pool` goes nothing but `up: { within: ... }`")
    only = (daemons.pool,) if isinstance(daemons.pool, str) else daemons.pool
    return pooling(Wish(do, only, daemons.up.within))


def names_of(daemons: Daemons) -> tuple[str, ...]:
    """What these daemons need to know of their host."""
    return NAMES if daemons.pool else ()


class Texts:
    """Puts the sh texts for one set of daemons together; raises ValueError for what cannot be."""

    def __init__(self, daemons: Daemons) -> None:
        if (daemons.command is None) == (not daemons.systemd):
            raise ValueError("say exactly one of systemd and command, or pool alone")
        self.daemons = daemons
        units = (daemons.systemd,) if isinstance(daemons.systemd, str) else daemons.systemd
        self.names = units or (daemons.command.each if daemons.command else ()) or _ALONE
        if not all(self.names):
            raise ValueError("a daemon's name is empty")
        self._authors = self._functions()

    @property
    def words(self) -> str:
        """`app, worker`, for titles."""
        return ", ".join(self.names)

    @property
    def within_s(self) -> float:
        """What a step needs at most that takes every daemon in turn."""
        up = self.daemons.up
        each_s = STOPPING_S + up.within * 2 + up.stable_s * 2
        return each_s * len(self.names)

    def text(self, piece: str, only: str = "") -> str:
        """One text: the daemons, what is known of them, then what is to be done."""
        up = self.daemons.up
        settings = (
            f"within={math.ceil(up.within)} stable={math.ceil(up.stable_s)} "
            f"only={only or self.daemons.only}"
        )
        names = f"set -- {shell_template_of(self.names)}"
        by = tree.COMMANDS if self.daemons.command else tree.SYSTEMD
        parts = [*self._authors, names, settings, tree.BASE, by]
        return "\n".join(part.strip("\n") for part in (*parts, piece))

    def report(self) -> str:
        """What reads the running release back."""
        reports = _function("running_release", self.daemons.reports)
        within = f"within={math.ceil(self.daemons.up.within)}"
        release = "release={{release.id}}"
        parts = (reports, within, release, tree.BASE, tree.REPORT)
        return "\n".join(part.strip("\n") for part in parts)

    def _functions(self) -> list[str]:
        found, tests = [], ["settled"]
        command, up = self.daemons.command, self.daemons.up
        if command is not None:
            found += [
                _function("stop_daemon", command.stop),
                _function("start_daemon", command.start),
                _function("daemon_status", command.status),
            ]
        if up.tcp != "":
            found += [f"endpoint={shell_template_of([str(up.tcp)])}", tree.FAIL, tree.LISTENING]
            tests.append("listening")
        if up.http:
            url = f"url={shell_template_of([up.http])}"
            found += [url, _function("answers", releasetree.FETCH)]
            tests.append("answers >/dev/null 2>&1")
        if up.command:
            found.append(_function("says_up", up.command))
            tests.append("says_up >/dev/null 2>&1")
        return [*found, f"is_up() {{ {' && '.join(tests)}; }}"]


def stopping(texts: Texts) -> StepDraft:
    """Stop what runs; owed until it is started again."""
    operation = Exec(
        texts.text(tree.STOP), texts.text(tree.STOP_CHECK),
        restore=texts.text(tree.START, "running"),
    )  # fmt: skip
    return StepDraft(
        operation, f"stop {texts.words}", timeout_s=texts.within_s,
        leaves=f"{texts.words} may still be stopped",
    )  # fmt: skip


def starting(texts: Texts) -> StepDraft:
    """Start what a `stop` has stopped, or everything, and wait until it is up."""
    operation = Exec(
        texts.text(tree.START), texts.text(tree.START_CHECK), texts.text(tree.STOP)
    )  # fmt: skip
    which = "" if texts.daemons.only == "all" else ", what ran before"
    return StepDraft(operation, f"start {texts.words}{which}", timeout_s=texts.within_s)


def restarting(texts: Texts) -> StepDraft:
    """Restart one after another, each up before the next; what was cut off is restarted again."""
    operation = Exec(
        texts.text(tree.RESTART),
        undo=texts.text(tree.RESTART),
        restore=texts.text(tree.RESTART, "marked"),
    )
    which = "also what does not run" if texts.daemons.only == "all" else "what runs"
    how = ", one after another" if len(texts.names) > 1 else ""
    return StepDraft(
        operation, f"restart {texts.words} ({which}{how})", timeout_s=texts.within_s,
        restores_itself=True, undo_last=True, leaves=f"{texts.words} may be stopped",
    )  # fmt: skip


def with_report(texts: Texts, draft: StepDraft, part: str) -> tuple[StepDraft, ...]:
    """The step, and behind it the reading back of what runs, where the author says how."""
    if not texts.daemons.reports:
        return (draft,)
    reading = StepDraft(
        Exec(texts.report()), "read back which release runs", part="report",
        timeout_s=texts.daemons.up.within + STOPPING_S, reads_release=True,
        expects="{{release.id}}",
    )  # fmt: skip
    return msgspec.structs.replace(draft, part=part), reading


def _function(name: str, command: Command) -> str:
    body = shell_of(command).strip("\n")
    return f"{name}() (\n{body}\n)"
