"""What a host session stands on: a way to start commands on a host and exchange bytes with them."""

from __future__ import annotations

from typing import Literal, Protocol

Cause = Literal["connect", "auth", "host key", "bastion", "silence", "closed", "internal"]
STDOUT = 1
STDERR = 2


class Broken(Exception):
    """The way to the host is gone, or never was; the session turns it into a `Lost`."""

    def __init__(self, cause: Cause, detail: str, *, retryable: bool = True) -> None:
        super().__init__(detail)
        self.cause: Cause = cause
        self.detail = detail
        self.retryable = retryable


class Silent(Exception):
    """Nothing came within the time given."""


class Channel(Protocol):
    """One command on the host. Not for use by two threads at once, but for `close`."""

    def write(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Send all of `data`; raises Broken."""

    def end_input(self) -> None:
        """The command reads end of file from now on."""

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """The next bytes and their stream; None at the end of both; raises Silent or Broken."""

    def exit_status(self, timeout_s: float) -> int | None:
        """How the command ended; None when the host did not say."""

    def close(self) -> None:
        """Let go of the command; idempotent, does not block."""


class Wire(Protocol):
    """A connection to one host."""

    def start(self, command: str, *, merged: bool, timeout_s: float) -> Channel:
        """Run `command` in the login's shell; `merged` puts its two streams into one."""

    def usable(self) -> bool:
        """False once the connection is known to be gone."""

    def answers(self, timeout_s: float) -> bool:
        """Whether the other end reacts to a question within `timeout_s`."""

    def close(self) -> None:
        """Close the connection and all its channels; idempotent, does not block."""
