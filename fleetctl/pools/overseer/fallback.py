"""What stood on the host before an overseer is laid down; put back when that one does not come."""

from __future__ import annotations

import os

from fleetctl.pools.overseer import host, processes
from fleetctl.pools.overseer.asking import exchange
from fleetctl.pools.overseer.host import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SPECS = "specs"
_REPLACED = ("overseer.pyz", "laid.json")
WITHIN_S = 30.0


class Before:
    """The overseer that works in a folder now, and the files it was started with."""

    def __init__(self, home: str, told: dict[str, Any] | None, unit: str, new_unit: str) -> None:
        """`unit` runs it, `new_unit` is to run the next; empty: none does."""
        self._home = home
        self._unit = unit
        self._own: dict[str, Any] = told["overseer"] if told is not None else {}
        self._command = _command_of(int(self._own.get("pid", 0)))
        self._units = {name: host.unit_text(name) for name in {unit, new_unit} - {""}}
        link = f"{home}/{SPECS}"
        self._specs = os.readlink(link) if os.path.islink(link) else ""  # noqa: PTH114, PTH115
        self.aside = ""
        """Where specs that were kept by hand have been put."""
        self.forget()
        for name in _REPLACED:
            if os.path.exists(f"{home}/{name}"):  # noqa: PTH110
                os.link(f"{home}/{name}", f"{home}/.{name}.before")

    def forget(self) -> None:
        """The new one works: nothing will be put back."""
        host.remove(*(f"{self._home}/.{name}.before" for name in _REPLACED))

    def put_back(self) -> str:
        """See that the overseer that was there works; what came of it, to follow another sentence.

        One that works there with what is new is left alone, and none is put where none was.
        """
        if not self._command:
            return ""
        own = _own_of(self._home)
        if own is None and host.held(self._home):
            return "; an overseer works there, and does not answer"
        same = own is not None and _names(own) == _names(self._own)
        if own is not None and not same:
            return ""
        try:
            self._put_files_back()
            if own is None:
                self._start()
        except (Trouble, OSError) as error:
            return (
                f"; the overseer that was there could not be started again: {error}; "
                "NONE WORKS THERE NOW, the daemons that run go on without one"
            )
        return f"; the overseer that was there works {'on' if same else 'again'}"

    def _put_files_back(self) -> None:
        link = f"{self._home}/{SPECS}"
        for name in _REPLACED:
            kept = f"{self._home}/.{name}.before"
            if os.path.exists(kept):  # noqa: PTH110
                os.replace(kept, f"{self._home}/{name}")  # noqa: PTH105
            else:
                host.remove(f"{self._home}/{name}")
        if self.aside:
            os.unlink(link)  # noqa: PTH108
            os.rename(self.aside, link)  # noqa: PTH104
        elif self._specs:
            host.point(link, self._specs)
        for unit, text in self._units.items():
            if text:
                host.put_unit(unit, text, self._home)
            elif host.unit_text(unit):
                host.remove_unit(unit)

    def _start(self) -> None:
        if self._unit:
            host.begin_unit(self._unit)
        else:
            host.start(self._command, f"{self._home}/overseer.log")
        host.until(lambda: _own_of(self._home) is not None, WITHIN_S, "it does not answer")


def _command_of(pid: int) -> list[str]:
    """The command line of a process; empty when there is none."""
    words = processes.read_text(f"/proc/{pid}/cmdline").split("\0") if pid else []
    return words[:-1]


def _own_of(home: str) -> dict[str, Any] | None:
    """What the overseer that works there says of itself."""
    try:
        own = exchange(home, {"do": "status"}).get("overseer")
    except (OSError, ValueError):
        return None
    return own if isinstance(own, dict) else None


def _names(own: dict[str, Any]) -> tuple[object, object]:
    return own.get("version"), own.get("laid")
