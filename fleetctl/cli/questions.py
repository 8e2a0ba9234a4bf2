"""Answering from another terminal what a live run asks a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import Refused, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.cli.account import read_account
from fleetctl.cli.journal import journal_option, open_journal
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


def give_answer(run: str, choice: str, named: str | None, why: str, journal: str | None) -> None:
    """Order the run's controller to take this choice."""
    from fleetctl.cli.identity import whoami
    from fleetctl.rollout.controls import write_answer

    with open_journal(journal) as opened:
        row = opened.find(run)
        live_holder(opened, row)
        view = read_account(opened, row.id).view
        question = open_question(view, choice, named)
        opened.give_order(row.id, "answer", whoami(), write_answer(question.key, choice, why))
    tell(f"answered {choice} to {quoted(question.text)} of run {row.id}")


def open_question(view: RunView, choice: str, named: str | None) -> QuestionAsked:
    """The open question that is meant; raises Refused or UsageError when it is not clear."""
    every = [asked.question for asked in view.asked.values()]
    if not every:
        raise Refused(f"run {view.run} asks nobody anything now")
    fitting = [question for question in every if choice in question.choices]
    if not fitting:
        choices = list(dict.fromkeys(choice for q in every for choice in q.choices))
        raise UsageError(
            f'no open question has the choice "{choice}"',
            hint=did_you_mean(choice, choices) or f"choices: {', '.join(choices)}",
        )
    if named is None and len(fitting) == 1:
        return fitting[0]
    names = [question.key for question in fitting]
    if named is None:
        raise UsageError("several questions are open", hint=f"name one of: {', '.join(names)}")
    for question in fitting:
        titles = (question.key, question.text, view.titles.get(question.key))
        if named in titles:
            return question
    raise UsageError(f'no question "{named}" is open', hint=did_you_mean(named, names))


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
