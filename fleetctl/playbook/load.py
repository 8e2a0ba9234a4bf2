"""A playbook from YAML: everything that can be wrong without a fleet is told here, all at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.base.marked import Document, read
from fleetctl.base.names import did_you_mean, did_you_mean_file
from fleetctl.inventory.expression import Expression
from fleetctl.inventory.expression import parse as parse_selector
from fleetctl.playbook.channels import Channel
from fleetctl.playbook.checks import read_checks
from fleetctl.playbook.foreach import check_items_named
from fleetctl.playbook.hostless import check_hostless
from fleetctl.playbook.kinds import step_kinds
from fleetctl.playbook.limits import check_uses, read_limits
from fleetctl.playbook.model import Check, Mistakes, Phase, Playbook, Step, Used, Written
from fleetctl.playbook.notify import read_channels
from fleetctl.playbook.operations import NamedLimit, SecretSource
from fleetctl.playbook.pieces import read_gate, read_step, texts_at, try_decode, written_at
from fleetctl.playbook.secrets import check_secrets, read_secrets
from fleetctl.playbook.source import BudgetText, FailureText, PhaseText, PlaybookText, Policy
from fleetctl.playbook.substitute import Name, parse
from fleetctl.playbook.units import Amount

_PHASE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def load_playbook(path: Path) -> Playbook:
    """The playbook in the file `path`; raises InputError or InputErrors with every mistake."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        hint = "" if path.exists() else did_you_mean_file(path)
        raise InputError(
            "cannot read the playbook", Location(str(path)), why=why, hint=hint
        ) from None
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", Location(str(path)), why=str(error)) from None
    return read_playbook(text, str(path), str(path.resolve().parent))


def read_playbook(text: str, file: str, folder: str) -> Playbook:
    """The playbook `text` says; `file` names it in messages, `folder` is absolute."""
    return from_document(read(text, file), folder, hashlib.sha256(text.encode()).hexdigest())


def from_document(document: Document, folder: str, sha256: str = "") -> Playbook:
    """As `read_playbook`, for what is YAML no more."""
    mistakes = Mistakes()
    whole = try_decode(document, PlaybookText, (), mistakes)
    phases = _read_phases(document, mistakes)
    _check_names(phases, mistakes)
    _check_needs(phases, _authored_names(document), mistakes)
    checks: tuple[Check, ...] = ()
    limits: dict[str, NamedLimit] = {}
    secrets: dict[str, SecretSource] = {}
    channels: tuple[Channel, ...] = ()
    if whole is not None:
        _check_whole(document, whole, mistakes)
        check_secrets(document, whole.secrets, phases, mistakes)
        checks = read_checks(document, whole.doctor, mistakes)
        limits = read_limits(document, whole.limits, mistakes)
        check_uses(phases, limits, mistakes)
        secrets = read_secrets(document, whole.secrets, folder)
        channels = read_channels(document, whole.notify, whole.secrets, secrets, mistakes)
    if mistakes.errors:
        raise _together(mistakes.errors)
    assert whole is not None
    return Playbook(
        title=whole.title,
        variables=whole.variables,
        budget=whole.budget,
        phases=tuple(phases),
        file=document.file,
        folder=folder,
        sha256=sha256,
        secrets=secrets,
        channels=channels,
        checks=checks,
        selection=whole.selection,
        limits=limits,
    )


def _together(errors: Sequence[InputError]) -> InputError | InputErrors:
    return errors[0] if len(errors) == 1 else InputErrors(errors)


def _check_whole(document: Document, whole: PlaybookText, mistakes: Mistakes) -> None:
    if not whole.phases:
        mistakes.add("a playbook without phases does nothing", document.location(("phases",)))
    for name in whole.variables:
        if not _VARIABLE_NAME.fullmatch(name):
            place = document.key_location(("variables", name))
            mistakes.add(f'"{name}" cannot be a variable: letters, digits, _ . - only', place)


def _read_phases(document: Document, mistakes: Mistakes) -> list[Phase]:
    data = document.data
    listed = data.get("phases") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        return []
    phases: list[Phase] = []
    for index in range(len(listed)):
        before = phases[-1].name if phases else ""
        phase = _read_phase(document, index, before, mistakes)
        if phase is not None:
            phases.append(phase)
    return phases


def _read_phase(document: Document, index: int, before: str, mistakes: Mistakes) -> Phase | None:
    path = ("phases", index)
    text = try_decode(document, PhaseText, path, mistakes)
    value = document.at(path)
    pieces = value if isinstance(value, dict) else {}
    steps = [
        read_step(document, (*path, "steps", at), mistakes) for at in _indexes(pieces, "steps")
    ]
    gates = [
        read_gate(document, (*path, "gates", at), mistakes) for at in _indexes(pieces, "gates")
    ]
    used = (*_used(document, path, mistakes), *_used_by_kinds(steps))
    check_items_named(document, path, mistakes)
    budget = _read_budget(document, index, mistakes)
    failure = _read_failure(document, index, mistakes)
    hosts = _read_selector(pieces.get("hosts"), document.location((*path, "hosts")), mistakes)
    if text is None or (hosts is None and "hosts" in pieces):
        return None
    written = written_at(document, path)
    _check_phase(text, written, mistakes)
    if hosts is None:
        check_hostless(text, steps, pieces, written, mistakes)
    return Phase(
        text=text,
        hosts=hosts,
        needs=text.needs if text.needs is not None else (before,) if before else (),
        budget=budget,
        failure=failure,
        gates=tuple(gate for gate in gates if gate),
        steps=tuple(step for step in steps if step),
        used=used,
        written=written,
    )


def _read_selector(text: object, place: Location, mistakes: Mistakes) -> Expression | None:
    if not isinstance(text, str):
        return None  # told already
    try:
        return parse_selector(text, place)
    except InputError as error:
        mistakes.extend([error])
        return None


def _indexes(value: dict[str, object], key: str) -> range:
    listed = value.get(key)
    return range(len(listed)) if isinstance(listed, list) else range(0)


def _used(document: Document, path: tuple[str | int, ...], mistakes: Mistakes) -> Iterator[Used]:
    for text, place in texts_at(document, path):
        try:
            parts = parse(text)
        except ValueError as error:
            mistakes.add(str(error), place)
            continue
        yield from (Used(part.text, place) for part in parts if isinstance(part, Name))


def _used_by_kinds(steps: Iterable[Step | None]) -> Iterator[Used]:
    for step in steps:
        names = step_kinds()[step.kind].names if step is not None else None
        if step is not None and names is not None:
            yield from (Used(name, step.written.location) for name in names(step.value))


def _read_failure(document: Document, index: int, mistakes: Mistakes) -> FailureText:
    path = ("phases", index, "on_failure")
    value = document.at(("phases", index))
    written = value.get("on_failure") if isinstance(value, dict) else None
    if written is None:
        return FailureText()
    if isinstance(written, dict):
        return try_decode(document, FailureText, path, mistakes) or FailureText()
    host: Policy | None = try_decode(document, Policy, path, mistakes)  # type: ignore[arg-type]
    return FailureText(host=host or "continue")


def _read_budget(document: Document, index: int, mistakes: Mistakes) -> BudgetText:
    path = ("phases", index, "budget")
    value = document.data["phases"][index]
    budget = value.get("budget") if isinstance(value, dict) else None
    if budget is None:
        return BudgetText()
    if isinstance(budget, dict):
        found = try_decode(document, BudgetText, path, mistakes)
        for word in ("batch", "items"):
            if (getattr(found, word, None) or 0) < 0:
                mistakes.add("a budget cannot be negative", document.location((*path, word)))
        return found or BudgetText()
    return BudgetText(phase=try_decode(document, Amount, path, mistakes))


def _check_phase(text: PhaseText, written: Written, mistakes: Mistakes) -> None:
    if not _PHASE_NAME.fullmatch(text.name):
        hint = "use small letters, digits, - and _"
        mistakes.add(f'"{text.name}" cannot be a phase name', written.at("name"), hint=hint)
    if not (text.steps or text.gates):
        mistakes.add(f"phase {text.name} has neither steps nor gates", written.at("steps"))
    if text.limit is not None and text.limit.number == 0:
        mistakes.add("a limit of 0 would never start a host", written.at("limit"))


def _check_names(phases: Sequence[Phase], mistakes: Mistakes) -> None:
    first: dict[str, Location] = {}
    for phase in phases:
        place = phase.written.at("name")
        if phase.name in first:
            why = f"first: line {first[phase.name].line}"
            mistakes.add(f'two phases are named "{phase.name}"', place, why=why)
        first.setdefault(phase.name, place)


def _authored_names(document: Document) -> list[str]:
    """The names of all phases, of those with mistakes too."""
    listed = document.data.get("phases") if isinstance(document.data, dict) else None
    phases = listed if isinstance(listed, list) else []
    return [str(phase["name"]) for phase in phases if isinstance(phase, dict) and "name" in phase]


def _check_needs(phases: Sequence[Phase], known: Sequence[str], mistakes: Mistakes) -> None:
    cycle = _cycle({phase.name: phase.needs for phase in phases})
    for phase in phases:
        for index, need in enumerate(phase.text.needs or ()):
            place = phase.written.at("needs", index)
            if need not in known:
                hint = did_you_mean(need, (name for name in known if name != phase.name))
                mistakes.add(f'needs names no phase: "{need}"', place, hint=hint)
            elif not cycle and known.index(need) > known.index(phase.name):
                hint = "phases run in the order they are written: move it up"
                mistakes.add(f'needs names a phase that comes later: "{need}"', place, hint=hint)
    if cycle:
        inside = next(phase for phase in phases if phase.name == cycle[0])
        round_trip = " needs ".join([*cycle, cycle[0]])
        mistakes.add(f"phases need each other: {round_trip}", inside.written.at("needs"))


def _cycle(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """The first cycle in the order of the file, empty when there is none."""
    done: set[str] = set()
    for start in needs:
        trail: list[str] = []
        pending: list[tuple[str, bool]] = [(start, False)]
        while pending:
            name, leaving = pending.pop()
            if leaving:
                done.add(trail.pop())
            elif name in trail:
                return trail[trail.index(name) :]
            elif name not in done and name in needs:
                trail.append(name)
                pending.append((name, True))
                pending.extend((need, False) for need in reversed(needs[name]))
    return []
