"""What hosts said does not get past the hush."""

from __future__ import annotations

import typing

import msgspec

from fleetctl.base.outcome import Outcome
from fleetctl.console.hush import NO_RELEASE, Hush, release_name
from fleetctl.plan.history import History
from fleetctl.report.facts import failures
from fleetctl.report.page import render_page
from fleetctl.report.reading import Entry, Unfamiliar
from fleetctl.report.story import RunStory
from fleetctl.rollout import records as r
from tests.report.weekend import Troubles, Weekend, weekend_plan

SECRET = "hunter2-hunter2"
OURS = {
    "RunOpened": {"run", "digest", "by", "words", "under"},
    "RunResumed": {"by", "under", "taken_from", "told"},
    "FoundDown": {"hosts"},
    "StepSettled": {"phase", "host", "key"},
    "ItemsListed": {"phase", "host", "key", "items"},
    "ItemsSent": {"phase", "host", "key", "items"},
    "ItemSettled": {"phase", "host", "key", "item"},
    "OrderLost": {"phase", "host", "cause"},
    "HostSettled": {"phase", "host", "release", "key"},
    "RollbackOrdered": {"phase"},
    "GateSettled": {"phase", "key", "by"},
    "QuestionAsked": {"key", "about", "phase", "choices", "default", "host", "boxes", "who"},
    "QuestionAnswered": {"key", "choice", "by", "why"},
    "WordTaken": {"word", "by", "means"},
    "ViewDropped": {"view"},
    "StopOrdered": {"reason", "by"},
    "RunEnded": set(),
}
"""Kind of record -> its texts that are words of ours, of the playbook or of a person: they stay."""
PLACES = {"phase", "host", "key", "keys", "absent", "again", "by"}


def _spoilt(kind: type[typing.Any]) -> tuple[typing.Any, set[str]]:
    """A record of the kind whose every text is a secret, and the names of those fields."""
    values: dict[str, typing.Any] = {}
    texts = set()
    for field in msgspec.structs.fields(kind):
        secret = f"{SECRET}-{field.name}"
        if field.type is str:
            values[field.name] = secret
        elif field.type is bytes:
            values[field.name] = secret.encode()
        elif field.type == tuple[str, ...]:
            values[field.name] = (secret,)
        elif field.name == "outcome":
            values[field.name] = Outcome.FAILED
        elif field.name == "about":
            values[field.name] = "failure"
        elif field.name == "reason":
            values[field.name] = "gate"
        elif field.required:
            values[field.name] = secret if "Literal" in str(field.type) else 1
        if secret in str(values.get(field.name)):
            texts.add(field.name)
    return kind(**values) if kind is not r.GateSettled else kind(**{**values, "by": ""}), texts


def test_each_text_of_each_record_is_ours_or_taken_out() -> None:
    """A field that comes new to a record is hushed or named above, else this fails."""
    for kind in typing.get_args(r.Record):
        record, texts = _spoilt(kind)
        hushed = Hush().record(record)
        kept = {name for name in texts if f"{SECRET}-{name}" in str(getattr(hushed, name))}
        allowed = OURS.get(kind.__name__, PLACES)
        assert kept <= allowed, f"{kind.__name__}: {kept - allowed}"


def test_a_record_of_a_newer_kind_keeps_only_its_name() -> None:
    """Nobody knows what its fields are, so none is told."""
    assert Hush().record(Unfamiliar("new-thing", {"said": SECRET})) == Unfamiliar("new-thing", {})


def _story(saying: dict[str, str]) -> RunStory:
    plan = weekend_plan({"db": 16})
    hush = Hush()
    story = RunStory(plan)
    for entry in Weekend(plan, Troubles(failing=tuple(saying))).play():
        record = entry.record
        if isinstance(record, r.StepSettled) and record.outcome.lost:
            said = saying[record.host]
            record = msgspec.structs.replace(record, stderr=said.encode(), cause=f"exit 1: {said}")
        elif isinstance(record, r.HostSettled) and record.outcome.lost:
            record = msgspec.structs.replace(record, cause=f"exit 1: {saying[record.host]}")
        story.take(hush.entries([Entry(entry.seq, entry.wall_s, record)]))
    return story


def test_different_errors_stay_apart_without_their_text() -> None:
    """Hosts that said the same, but for their own name, fold under one letter; others do not."""
    full, other = "db00{} has no room", f"password {SECRET} refused"
    story = _story({"db002": full.format(2), "db003": full.format(3), "db004": other})
    found = failures(story)
    assert [one.hosts for one in found] == ["db[002-003]", "db004"]
    assert {one.cause for one in found} == {"exit 1, error A", "exit 1, error B"}
    assert not any(one.said for one in found)


def test_the_report_of_hushed_records_has_no_word_of_a_host() -> None:
    """The page made of them is whole, and the error's text is nowhere in it."""
    page = render_page(_story({"db002": f"oops {SECRET}", "db003": f"oops {SECRET}"}), History())
    assert "What failed" in page
    assert SECRET not in page


def test_only_what_can_name_a_release_is_told_as_one() -> None:
    """What a host printed instead of its release stays where it is."""
    settled = r.HostSettled("db", "db001", Outcome.FAILED, f"oops: {SECRET} is wrong")
    assert Hush().record(settled).release == NO_RELEASE  # type: ignore[union-attr]
    assert release_name("2026-11-22-bb") == "2026-11-22-bb"
    assert release_name("") == ""
