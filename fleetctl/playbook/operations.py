"""The few things a step or gate can come down to. Everything downstream knows only these.

Texts are templates (see `substitute`) until a host's values are put in.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Exec(msgspec.Struct, frozen=True, tag="exec"):
    """A POSIX sh text for the host's step runner."""

    act: str
    check: str = ""
    """Read-only; exit 0 means nothing is to be done and the step is skipped. Empty: always act."""
    undo: str = ""
    restore: str = ""
    """Puts back what the act leaves behind, on every way out; may run twice, and when the act was
    cut off halfway."""


class SecretSource(msgspec.Struct, frozen=True):
    """Where the value of a secret comes from, on this machine; never the value."""

    kind: Literal["env", "command", "file"]
    words: tuple[str, ...]
    """The variable's name, the argv, or the file's absolute path."""
    place: str
    """Where it is declared, `FILE:LINE:COLUMN`; for messages."""
    folder: str = ""
    """Where a command runs."""


class SecretUse(msgspec.Struct, frozen=True):
    """One secret given to a step."""

    name: str
    source: SecretSource
    variable: str = ""
    """The variable that tells the step the path of the file with the value; empty: the value is
    the step's standard input."""


class SecretExec(Exec, frozen=True, tag="secret exec"):
    """An Exec whose act, undo and restore are given secrets. A kind of its own, so that a reader
    that knows no secrets refuses it instead of running it without them."""

    secrets: tuple[SecretUse, ...] = ()


class Listing(Exec, frozen=True, tag="listing"):
    """Read-only sh text that prints the items of the foreach step right after it, one a line.

    Empty lines are ignored. Refused, as a failed step: an item twice, one that is too long, holds
    NUL or is no UTF-8, and a list that is not known whole.
    """


class Foreach(Exec, frozen=True, tag="foreach"):
    """An Exec done once for each item of the Listing right before it; `{{item}}` names the item.

    Timeout, check, retry and secrets of its step hold for each item by itself. It has no undo.
    """

    concurrency: int = 1
    """Most items at work on one host at once."""
    noun: str = "item"
    """What an item is called, in the singular."""
    secrets: tuple[SecretUse, ...] = ()


class Put(msgspec.Struct, frozen=True, tag="put"):
    """A file laid down on the host: streamed to a temporary name, hash verified, fsynced, renamed.

    Skipped when the host's file already has the hash.
    """

    source: str
    """Absolute path here."""
    sha256: str
    size: int
    dest: str
    """Path on the host; relative means relative to the login's home."""
    mode: int = 0o644


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Nothing is sent; the host run continues after `seconds`."""

    seconds: float


class Manual(msgspec.Struct, frozen=True, tag="manual"):
    """A person does it and says so; nothing is sent."""

    text: str
    boxes: tuple[str, ...] = ()
    """All of them are ticked before it is done."""
    command: str = ""
    """Shown to be copied."""
    who: str = ""
    """Who is to do it, in the author's words."""
    default: Literal["failed", "skipped"] = "failed"
    """What holds when nobody has answered in time; never that it was done."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every template of it."""
        return (self.text, self.command, *self.boxes)


Operation = Exec | SecretExec | Listing | Foreach | Put | Pause | Manual


class HostProbe(msgspec.Struct, frozen=True, tag="host"):
    """Read-only sh text run on each host of the batch; all must exit 0."""

    script: str


class LocalProbe(msgspec.Struct, frozen=True, tag="local"):
    """Read-only argv run on this machine; per host when it has host values, else once."""

    argv: tuple[str, ...]
    per_host: bool = False


class HttpProbe(msgspec.Struct, frozen=True, tag="http"):
    """GET `url` from this machine for each host of the batch."""

    url: str
    status: int = 200
    contains: str = ""


OF_LOGIN = 0
"""In place of a port: the one the host is logged in to."""


class TcpProbe(msgspec.Struct, frozen=True, tag="tcp"):
    """Connect from this machine to each host of the batch."""

    port: int
    address: str = ""
    """A template; empty means the host's address."""


class Approval(msgspec.Struct, frozen=True, omit_defaults=True, tag="approval"):
    """A person says yes."""

    question: str
    default: Literal["refuse", "approve"] = "refuse"
    """What holds when nobody has answered in the gate's time."""


Probe = HostProbe | LocalProbe | HttpProbe | TcpProbe | Approval | Manual


class NamedLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all hosts of a run share, under a name: so many at once, or so many starts a second."""

    at_once: int = 0
    """0: as many as come."""
    per_s: float = 0.0
    """0: as fast as they come."""


Once = Literal["", "fleet", "batch", "shard"]


class Retry(msgspec.Struct, frozen=True):
    """Trying a step again after it failed; only for steps declared idempotent."""

    attempts: int
    """Tries in all, the first one included."""
    delay_s: float = 1.0
    factor: float = 2.0
    delay_max_s: float = 60.0
