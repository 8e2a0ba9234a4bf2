"""Steps done once for each item a host lists: what an author writes, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.base.errors import Location
from fleetctl.base.marked import Document
from fleetctl.playbook.command import shell_of, short
from fleetctl.playbook.kinds import StepDraft, step_kinds
from fleetctl.playbook.model import Mistakes, Step
from fleetctl.playbook.operations import Exec, Foreach, Listing, Retry
from fleetctl.playbook.pieces import texts_at
from fleetctl.playbook.source import ForeachText
from fleetctl.playbook.substitute import ITEM, Name, parse

LIST_PART = "list"
"""Names the Listing among the drafts of one authored step; the Foreach after it has no part."""
CONCURRENCY_MAX = 64
_UNFIT = ("undo", "once", "restore")
_ITEM_PARTS = ("check",)
"""Options of a foreach step that may name the item, beside its own word."""


def fan_out(draft: StepDraft, each: ForeachText) -> tuple[StepDraft, StepDraft]:
    """The step that lists and the step that acts on each, for what `check_fits` let pass."""
    operation = draft.operation
    assert isinstance(operation, Exec)
    return (
        StepDraft(
            operation=Listing(shell_of(each.list)),
            title=f"list {each.noun}s: {short(each.list)}",
            part=LIST_PART,
            timeout_s=None if each.timeout is None else float(each.timeout),
            retry=Retry(attempts=1),
        ),
        StepDraft(
            operation=Foreach(
                operation.act,
                operation.check,
                concurrency=each.concurrency,
                noun=each.noun,
            ),
            title=draft.title,
        ),
    )


def check_fits(step: Step, drafts: Sequence[StepDraft], mistakes: Mistakes) -> bool:
    """Whether the step can be done for each of many items."""
    each = step.options.foreach
    assert each is not None
    if len(drafts) != 1 or type(drafts[0].operation) is not Exec:
        hint = "take foreach away, or put it on a `run` step"
        place = step.written.at("foreach")
        mistakes.add(f"a step of kind {step.kind} takes no foreach", place, hint=hint)
        return False
    if not fits_items(step, "a step with foreach", mistakes):
        return False
    if not 1 <= each.concurrency <= CONCURRENCY_MAX:
        place = step.written.at("foreach", "concurrency")
        mistakes.add(f"concurrency is a count from 1 to {CONCURRENCY_MAX}", place)
        return False
    try:
        shell_of(each.list)
    except ValueError as error:
        mistakes.add(str(error), step.written.at("foreach", "list"))
        return False
    if not each.noun.isidentifier():
        mistakes.add("a noun is one word", step.written.at("foreach", "noun"))
        return False
    return True


def fits_items(step: Step, what: str, mistakes: Mistakes) -> bool:
    """Whether the step's options make sense for what is done on each item; `what` names it."""
    for word in _UNFIT:
        if getattr(step.options, word):
            mistakes.add(f"{what} takes no {word}", step.written.at(word))
            return False
    return True


def check_items_named(document: Document, path: tuple[str | int, ...], mistakes: Mistakes) -> None:
    """Note every `{{item}}` of the phase at `path` that stands where there is no item."""
    phase = document.at(path)
    for key in phase if isinstance(phase, dict) else ():
        if key != "steps":
            _check_none(document, (*path, key), mistakes)
    steps = phase.get("steps") if isinstance(phase, dict) else None
    for at, step in enumerate(steps if isinstance(steps, list) else ()):
        for key in step if isinstance(step, dict) else ():
            if not _may_name_item(step, key):
                _check_none(document, (*path, "steps", at, key), mistakes)


def _may_name_item(step: dict[str, object], key: str) -> bool:
    kind = step_kinds().get(key)
    if kind is not None:
        return kind.fans_out or "foreach" in step
    fans_out = "foreach" in step or any(
        word in step for word, one in step_kinds().items() if one.fans_out
    )
    return fans_out and key in _ITEM_PARTS


def _check_none(document: Document, path: tuple[str | int, ...], mistakes: Mistakes) -> None:
    for text, place in texts_at(document, path):
        if _names_item(text):
            _tell(place, mistakes)


def _names_item(text: str) -> bool:
    try:
        return Name(ITEM) in parse(text)
    except ValueError:
        return False  # told where names are read


def _tell(place: Location, mistakes: Mistakes) -> None:
    mistakes.add(
        "{{item}} names nothing here",
        place,
        hint="it has a value in `run` and `check` of a step with `foreach: {list: ...}`",
    )
