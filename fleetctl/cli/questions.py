"""Answering from another terminal what a live run asks a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import Refused, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.cli.account import read_account
from fleetctl.cli.journal import journal_option, kept_journal
from fleetctl.cli.output import quoted, tell

if TYPE_CHECKING:
    from fleetctl.cli.progress import RunView
    from fleetctl.journal.rows import RunRow
    from fleetctl.journal.store import Journal
    from fleetctl.rollout.records import QuestionAsked

run_argument = click.argument("run", metavar="RUN")
why_option = click.option("--why", default="", metavar="TEXT", help="Goes into the journal.")


@click.command()
@run_argument
@click.argument("gate", metavar="[GATE]", required=False)
@click.option("--no", "refused", is_flag=True, help="Refuse instead: the run stops there.")
@why_option
@journal_option
def approve(run: str, gate: str | None, refused: bool, why: str, journal: str | None) -> None:
    """Answer the approval gate a live run is asking, from another terminal."""
    give_answer(run, "refuse" if refused else "approve", gate, why, journal)


@click.command()
@run_argument
@click.argument("choice", metavar="CHOICE")
@click.option("--question", metavar="KEY", help="Which, when several are open.")
@why_option
@journal_option
def answer(run: str, choice: str, question: str | None, why: str, journal: str | None) -> None:
    """Answer what a live run asks a person, with one of the choices it names."""
    give_answer(run, choice, question, why, journal)


@click.command()
@run_argument
@click.argument("step", metavar="[STEP]", required=False)
@click.option("--host", metavar="HOST", help="Which, when it is asked for each host.")
@click.option("--box", type=click.IntRange(1), multiple=True, help="Tick this box, no more.")
@click.option("--skip", metavar="WHY", help="It is left out; the run goes on.")
@click.option("--failed", metavar="WHY", help="It could not be done.")
@journal_option
def tick(
    run: str, step: str | None, host: str | None, box: tuple[int, ...], skip: str | None,
    failed: str | None, journal: str | None,
) -> None:  # fmt: skip
    """Say that the manual step a live run asks for is done, from another terminal.

    STEP is its key, its title or its text. With boxes, each is ticked (--box) before it is done.
    """
    if sum(given not in (None, ()) for given in (box, skip, failed)) > 1:
        raise UsageError("--box, --skip and --failed exclude each other")
    for option, why in (("--skip", skip), ("--failed", failed)):
        if why is not None and not why.strip():
            raise UsageError(f"{option} says why, and nothing is said")
    from fleetctl.cli.identity import whoami
    from fleetctl.rollout.controls import write_answer
    from fleetctl.rollout.questions import BOX, DONE

    with kept_journal(journal) as opened:
        row = opened.find(run)
        live_holder(opened, row)
        view = read_account(opened, row.id).view
        question = open_question(view, DONE, step, host)
        if box:
            for number in box:
                if number > len(question.boxes):
                    raise UsageError(f"it has no box {number}", why=f"boxes: {len(question.boxes)}")
                answer = write_answer(question.key, f"{BOX}{number}")
                opened.give_order(row.id, "answer", whoami(), answer)
            tell(f"ticked {', '.join(map(str, box))} of {quoted(question.text)} of run {row.id}")
            return
        choice = "skipped" if skip is not None else "failed" if failed is not None else DONE
        if choice == DONE:
            _refuse_unticked(view, question)
        answer = write_answer(question.key, choice, skip or failed or "")
        opened.give_order(row.id, "answer", whoami(), answer)
    about = f" on {question.host}" if question.host else ""
    tell(f"{choice}: {quoted(question.text)}{about} of run {row.id}")


def _refuse_unticked(view: RunView, question: QuestionAsked) -> None:
    ticked = view.boxes.get(question.key, set())
    left = [(n, box) for n, box in enumerate(question.boxes, 1) if n not in ticked]
    if left:
        raise Refused(
            f"{len(left)} of {len(question.boxes)} boxes are not ticked",
            why="; ".join(f"{n}: {box}" for n, box in left),
            hint=" ".join(["tick them with:", *(f"--box {n}" for n, _ in left)]),
        )


def give_answer(run: str, choice: str, named: str | None, why: str, journal: str | None) -> None:
    """Order the run's controller to take this choice."""
    from fleetctl.cli.identity import whoami
    from fleetctl.rollout.controls import write_answer

    with kept_journal(journal) as opened:
        row = opened.find(run)
        live_holder(opened, row)
        view = read_account(opened, row.id).view
        question = open_question(view, choice, named)
        opened.give_order(row.id, "answer", whoami(), write_answer(question.key, choice, why))
    tell(f"answered {choice} to {quoted(question.text)} of run {row.id}")


def open_question(
    view: RunView, choice: str, named: str | None, host: str | None = None
) -> QuestionAsked:
    """The open question that is meant; raises Refused or UsageError when it is not clear."""
    open_ = [asked.question for asked in view.asked.values()]
    every = [question for question in open_ if host is None or question.host == host]
    if open_ and not every:
        hint = did_you_mean(host or "", [question.host for question in open_])
        raise UsageError(f"nobody is asked about {host} now", hint=hint)
    if not every:
        raise Refused(f"run {view.run} asks nobody anything now")
    fitting = [question for question in every if choice in question.choices]
    if not fitting:
        choices = list(dict.fromkeys(choice for q in every for choice in q.choices))
        raise UsageError(
            f'no open question has the choice "{choice}"',
            hint=did_you_mean(choice, choices) or f"choices: {', '.join(choices)}",
        )
    meant = [q for q in fitting if named is None or named in _names_of(view, q)]
    if len(meant) == 1:
        return meant[0]
    names = list(dict.fromkeys(q.key.partition("/")[0] for q in fitting))
    if not meant:
        raise UsageError(f'no question "{named}" is open', hint=did_you_mean(named or "", names))
    if len({q.key.partition("/")[0] for q in meant}) == 1 and meant[0].host:
        hosts = ", ".join(question.host for question in meant)
        raise UsageError("it is asked for several hosts", hint=f"add --host, one of: {hosts}")
    raise UsageError("several questions are open", hint=f"name one of: {', '.join(names)}")


def _names_of(view: RunView, question: QuestionAsked) -> tuple[str, ...]:
    key = question.key.partition("/")[0]
    return (question.key, key, question.text, view.titles.get(key, key))


def live_holder(journal: Journal, row: RunRow) -> str:
    """Who drives the run; raises Refused when nobody does."""
    holder = journal.lock(row.id).holder()
    if not holder:
        raise Refused(
            f"run {row.id} is not live",
            why="it has ended" if row.exit_code is not None else "its controller is gone",
            hint=f"fleetctl runs show {row.id}",
        )
    return holder
