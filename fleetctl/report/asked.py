"""What a person is asked, in the words of every view: the text, and the command that answers it."""

from __future__ import annotations

from fleetctl.rollout.records import QuestionAsked


def answer_with(run: str, question: QuestionAsked) -> str:
    """The command that answers the question from another terminal."""
    if "approve" in question.choices:
        return f"fleetctl runs approve {run}"
    if "done" in question.choices:
        host = f" --host {question.host}" if question.host else ""
        return f"fleetctl runs tick {run} {question.key.partition('/')[0]}{host}"
    return f"fleetctl runs answer {run} {'|'.join(question.choices)}"
