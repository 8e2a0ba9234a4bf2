"""What a run tells people while it goes on: which records, in which words. Pure."""

from __future__ import annotations

from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.plaintext import hosts_word
from fleetctl.plan.model import Plan
from fleetctl.playbook.source import Moment
from fleetctl.report.asked import answer_with
from fleetctl.rollout import records as r

LINES_MAX = 60
LINE_MAX = 500


class Message(NamedTuple):
    """Something to tell: its first line says it all."""

    moment: Moment
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Bounded, whatever hosts said."""
        return "\n".join(line[:LINE_MAX] for line in self.lines[:LINES_MAX])


def message_of(record: r.Record, plan: Plan, run: str) -> Message | None:
    """The message a record is worth; None: none. The end of a run is told by its summary."""
    head = f"{plan.title} ({plan.fleet})"
    if isinstance(record, r.RunOpened):
        hosts = {host for phase in plan.phases for batch in phase.batches for host in batch}
        by = record.by.partition(" ")[0]
        return Message("begin", (f"{head}: begun by {by}, {hosts_word(len(hosts))}, run {run}",))
    if isinstance(record, r.RunResumed):
        by = record.by.partition(" ")[0]
        return Message("begin", (f"{head}: gone on with by {by}, run {run}",))
    if isinstance(record, r.QuestionAsked):
        return _question(record, head, run)
    if isinstance(record, r.StopOrdered):
        by = f" by {record.by.partition(' ')[0]}" if record.by else ""
        return Message("stop", (
            f"{head}: stopping ({record.reason}{by}): {record.cause}",
            "nothing new starts; what is in flight ends",
            f"see: fleetctl runs show {run}",
        ))  # fmt: skip
    return None


def _question(asked: r.QuestionAsked, head: str, run: str) -> Message:
    about = f"{asked.phase}, {asked.host}" if asked.host else asked.phase
    command = (f"to be typed: {asked.command}",) if asked.command else ()
    within = format_duration(asked.within_s)
    return Message("question", (
        f"{head}: asks ({about}): {asked.text}",
        *command,
        f"answer with: {answer_with(run, asked)}",
        f"in {within} without an answer: {asked.default}",
    ))  # fmt: skip
