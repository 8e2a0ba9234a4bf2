"""`doctor:`: what the author wants looked at on hosts before a push."""

from __future__ import annotations

from collections.abc import Iterator

from fleetctl.base.errors import InputError
from fleetctl.base.marked import Document
from fleetctl.inventory.expression import parse as parse_selector
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.model import Check, Mistakes, Used
from fleetctl.playbook.pieces import texts_at, written_at
from fleetctl.playbook.source import CheckText, DoctorText
from fleetctl.playbook.substitute import Name, parse


def read_checks(
    document: Document, doctor: DoctorText | None, mistakes: Mistakes
) -> tuple[Check, ...]:
    """The checks of the section, with everything wrong noted."""
    checks = doctor.checks if doctor is not None else ()
    read = [_read(document, index, check, mistakes) for index, check in enumerate(checks)]
    first: dict[str, int] = {}
    for index, check in enumerate(checks):
        place = document.location(("doctor", "checks", index, "name"))
        if not check.name.strip():
            mistakes.add("a check needs a name", place)
        elif check.name in first:
            mistakes.add(f'two checks are named "{check.name}"', place)
        first.setdefault(check.name, index)
    return tuple(check for check in read if check is not None)


def _read(document: Document, index: int, text: CheckText, mistakes: Mistakes) -> Check | None:
    path = ("doctor", "checks", index)
    try:
        shell_of(text.run)
        used = tuple(_used(document, path))
    except ValueError as error:
        mistakes.add(str(error), document.location((*path, "run")))
        return None
    try:
        hosts = parse_selector(text.hosts, document.location((*path, "hosts")))
    except InputError as error:
        mistakes.extend([error])
        return None
    return Check(text, hosts, used, written_at(document, path))


def _used(document: Document, path: tuple[str | int, ...]) -> Iterator[Used]:
    for text, place in texts_at(document, path):
        yield from (Used(part.text, place) for part in parse(text) if isinstance(part, Name))
