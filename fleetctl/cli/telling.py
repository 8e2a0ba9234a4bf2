"""A record as one plain line for people: what logs and pipes get instead of the live picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import last_lines_of, printable
from fleetctl.cli.advice import advised
from fleetctl.cli.output import quoted
from fleetctl.cli.picture import counts_text, hosts_word
from fleetctl.cli.progress import RunView
from fleetctl.plan.words import counted, noun_of
from fleetctl.playbook.operations import Manual
from fleetctl.report.asked import answer_with
from fleetctl.rollout import records as r


class Teller:
    """Tells records in the words of one run; feed the view before asking."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        gates = (gate for phase in view.plan.phases for gate in phase.gates)
        self._by_hand = {gate.key for gate in gates if isinstance(gate.probe, Manual)}

    def line(self, record: r.Record) -> str:
        """The line for `record`; empty for records that only matter to a resume."""
        line = self._OF.get(type(record))
        return line(self, record) if line is not None else ""

    def _title(self, key: str) -> str:
        return quoted(self._view.titles.get(key, key))

    def _opened(self, record: r.RunOpened) -> str:
        mode = " (check only)" if record.check_only else ""
        hosts = hosts_word(len(self._view.outcomes()))
        return f"run {record.run} opened{mode}: {self._view.plan.title}, {hosts}"

    def _resumed(self, record: r.RunResumed) -> str:
        parts = [f"run {self._view.run} resumed", *(["failed hosts only"] * record.only_failed)]
        parts += [
            f"{' '.join((one.host, *[printable(one.item)] * bool(one.item)))} {one.word} "
            "as a person says"
            for one in record.told
        ]
        return ", ".join(parts)

    def _found_down(self, record: r.FoundDown) -> str:
        return f"found down before the start: {fold(record.hosts)}" if record.hosts else ""

    def _phase_began(self, record: r.PhaseBegan) -> str:
        phase = self._view.phases[record.phase]
        batches = len(phase.plan.batches)
        if not batches:
            return f"phase {record.phase}: a person does it"
        word = "1 batch" if batches == 1 else f"{batches} batches"
        return f"phase {record.phase}: {hosts_word(phase.hosts)} in {word}"

    def _batch_began(self, record: r.BatchBegan) -> str:
        batches = self._view.phases[record.phase].plan.batches
        hosts = batches[record.batch]
        return (
            f"phase {record.phase} batch {record.batch + 1} of {len(batches)}: "
            f"{hosts_word(len(hosts))}: {fold(hosts)}"
        )

    def _step_settled(self, record: r.StepSettled) -> str:
        if not record.outcome.lost:
            return ""
        cause = record.cause or _exit_words(record.exit_status)
        back = back_words(record)
        text = f"{record.host} {record.outcome} at {back}{self._title(record.key)}: {cause}"
        last = last_line(record)
        return text + (f": {last}" if last and last not in cause else "")

    def _items_listed(self, record: r.ItemsListed) -> str:
        noun = noun_of(self._view.phases[record.phase].plan)
        listed = counted(len(record.items), noun) if record.items else f"no {noun}"
        return f"{record.host} lists {listed} for {self._title(record.key)}"

    def _item_settled(self, record: r.ItemSettled) -> str:
        if not record.outcome.lost:
            return ""
        again = "; it is tried again" if record.again else ""
        words = f"{record.host} {printable(record.item)} {record.outcome}"
        return f"{words} at {self._title(record.key)}: {record.cause}{again}"

    def _lost(self, record: r.OrderLost) -> str:
        fate = "what it did is not known yet" if record.sent else "nothing was sent"
        fate = "nothing was done" if record.what == "refused" else fate
        return f"{record.host} {record.what} ({record.cause}: {record.detail}); {fate}"

    def _retry_planned(self, record: r.RetryPlanned) -> str:
        after = format_duration(record.after_s)
        return f"{record.host} {record.reason} again in {after} (try {record.try_no})"

    def _host_settled(self, record: r.HostSettled) -> str:
        if record.halted and record.outcome is Outcome.SKIPPED:
            view = self._view.hosts[(record.phase, record.host)]
            # Who was not begun is told of all together at the end.
            return f"{record.host} left as it is ({record.phase})" if view.attempt else ""
        release = f", runs {record.release}" if record.release else ""
        view = self._view.hosts[(record.phase, record.host)]
        took = format_duration(max(0.0, view.settled_s - view.began_s))
        cause = f": {record.cause}" if record.cause else ""
        return f"{record.host} {record.outcome}{release} ({record.phase}, {took}){cause}"

    def _rollback_ordered(self, record: r.RollbackOrdered) -> str:
        return f"phase {record.phase} batch {record.batch + 1} is rolled back: {record.cause}"

    def _restore_began(self, record: r.RestoreBegan) -> str:
        return f"{record.host} is taken back as it was ({record.phase})"

    def _gate_asked(self, record: r.GateAsked) -> str:
        if record.key in self._by_hand:
            return ""  # the question says it all
        return f"gate {self._title(record.key)} of phase {record.phase}: asking"

    def _question_asked(self, record: r.QuestionAsked) -> str:
        default = f"{format_duration(record.within_s)} without an answer means {record.default}"
        how = advised(answer_with(self._view.run, record))
        about = about_words(self._view, record)
        return f"a person is asked: {about}{question_text(record)}; {default}; answer with: {how}"

    def _box_ticked(self, record: r.BoxTicked) -> str:
        asked = self._view.asked.get(record.key)
        box = printable(asked.question.boxes[record.box - 1]) if asked else str(record.box)
        return f"ticked by {record.by}: {box}"

    def _question_answered(self, record: r.QuestionAnswered) -> str:
        _, asked, _ = self._view.answers[-1]
        return answer_words(self._view, asked, record)

    def _gate_settled(self, record: r.GateSettled) -> str:
        if record.key in self._by_hand:
            return ""
        word = "holds" if record.passed else "does NOT hold"
        by = f" (by {record.by})" if record.by else ""
        cause = f": {record.cause}" if record.cause else ""
        return f"gate {self._title(record.key)} of phase {record.phase} {word}{by}{cause}"

    def _phase_ended(self, record: r.PhaseEnded) -> str:
        word = "done" if record.passed else "stopped"
        counts = counts_text(self._view.counts(record.phase))
        return f"phase {record.phase} {word}: {counts or 'no host was begun'}"

    def _word(self, record: r.WordTaken | r.ViewDropped) -> str:
        return word_words(record)

    def _stop_ordered(self, record: r.StopOrdered) -> str:
        return f"{stop_words(record)}; nothing new starts"

    _OF: ClassVar[dict[type, Callable[[Teller, Any], str]]] = {
        r.RunOpened: _opened,
        r.RunResumed: _resumed,
        r.FoundDown: _found_down,
        r.PhaseBegan: _phase_began,
        r.PhaseEnded: _phase_ended,
        r.BatchBegan: _batch_began,
        r.StepSettled: _step_settled,
        r.ItemsListed: _items_listed,
        r.ItemSettled: _item_settled,
        r.OrderLost: _lost,
        r.RetryPlanned: _retry_planned,
        r.HostSettled: _host_settled,
        r.GateAsked: _gate_asked,
        r.GateSettled: _gate_settled,
        r.WordTaken: _word,
        r.ViewDropped: _word,
        r.StopOrdered: _stop_ordered,
        r.QuestionAsked: _question_asked,
        r.BoxTicked: _box_ticked,
        r.QuestionAnswered: _question_answered,
        r.RestoreBegan: _restore_began,
        r.RollbackOrdered: _rollback_ordered,
    }


def word_words(record: r.WordTaken | r.ViewDropped) -> str:
    """`told to drain by ann@desk 42 (SIGINT)`, or which view was dropped and why."""
    if isinstance(record, r.ViewDropped):
        return f"{record.view} dropped: {record.cause}; the run does not depend on it"
    means = f" ({record.means})" if record.means else ""
    return f"told to {record.word} by {record.by}{means}"


def question_text(question: r.QuestionAsked) -> str:
    """What is asked, on one line, the command to be typed with it."""
    text = " ".join(printable(question.text).split())
    return f"{text} {quoted(printable(question.command))}" if question.command else text


def about_words(view: RunView, question: r.QuestionAsked) -> str:
    """`web[001-004]: `, the hosts a manual step is for; empty where it is for none."""
    if question.host:
        return f"{question.host}: "
    phase = view.phases.get(question.phase)
    if question.about != "manual" or phase is None:
        return ""
    key, _, scope = question.key.partition("/")
    once = next((step.once for step in phase.plan.steps if step.key == key), "")
    hosts = [host for batch in phase.plan.batches for host in batch]
    if once == "batch":
        hosts = list(phase.plan.batches[question.batch])
    elif once == "shard":
        hosts = [host for host in hosts if view.plan.hosts[host].tags.get("shard", "") == scope]
    return f"{fold(hosts)}: " if hosts else ""


def answer_words(view: RunView, asked: r.QuestionAsked, answered: r.QuestionAnswered) -> str:
    """`approve by ann@desk 42: Go on?`, or which default was taken."""
    about = about_words(view, asked)
    by = "taken by default" if answered.defaulted else f"by {answered.by}"
    why = f" ({printable(answered.why)})" if answered.why else ""
    return f"{answered.choice} {by}{why}: {about}{question_text(asked)}"


def back_words(record: r.StepSettled) -> str:
    """Whether it was the step's undo or its restore."""
    return "undo of " if record.undo else "restore of " if record.restore else ""


def stop_words(stop: r.StopOrdered) -> str:
    """`stop (drain): drained by ann@desk`: the reason, the cause, and who, each once."""
    by = f" by {stop.by}" if stop.by and stop.by not in stop.cause else ""
    return f"stop ({stop.reason}{by}): {stop.cause}"


def last_line(record: r.StepSettled) -> str:
    """The last line the step said, errors first; empty when it said nothing."""
    lines = last_lines(record, 1)
    return lines[0] if lines else ""


def last_lines(record: r.StepSettled, count: int) -> list[str]:
    """The last lines of a step's stderr, or of its stdout when that is empty; safe to print."""
    return last_lines_of(record.stderr, record.stdout, count)


def _exit_words(status: int | None) -> str:
    return "no exit status" if status is None else f"exit {status}"
