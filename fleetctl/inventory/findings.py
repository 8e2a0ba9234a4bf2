"""Collecting the mistakes of one file, to tell them together."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.base.marked import Document

TOLD_MAX = 20

Path = Sequence[str | int]


class Findings:
    """Mistakes found so far; at most TOLD_MAX are kept, all are counted."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self._errors: list[InputError] = []

    def add(self, what: str, path: Path, *, why: str = "", hint: str = "") -> None:
        """A mistake in the value at `path`."""
        if self._counted():
            place = self.document.location(path)
            self._errors.append(InputError(what, place, why=why, hint=hint))

    def add_key(self, what: str, path: Path, *, why: str = "", hint: str = "") -> None:
        """A mistake in the key (or list item) at the end of `path`."""
        if self._counted():
            place = self.document.key_location(path)
            self._errors.append(InputError(what, place, why=why, hint=hint))

    def _counted(self) -> bool:
        self.count += 1
        return self.count <= TOLD_MAX

    def settle(self) -> None:
        """Raise InputError or InputErrors when anything was found."""
        if self.count > TOLD_MAX:
            what = f"{self.count} mistakes; here are the first {TOLD_MAX}"
            self._errors.append(InputError(what, Location(self.document.file)))
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise InputErrors(self._errors)
