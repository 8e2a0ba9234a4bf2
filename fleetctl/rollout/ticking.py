"""What a person's answer about a manual step does to the hosts that hang on it. Pure."""

from __future__ import annotations

from fleetctl.rollout import hosts, manual
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.records import QuestionAnswered, QuestionAsked
from fleetctl.rollout.settling import stop
from fleetctl.rollout.tables import HostState


def take_choice(desk: Desk, asked: QuestionAsked, answered: QuestionAnswered) -> None:
    """Let the hosts go on. What failed fails its one host; asked once for all, it stops the run.

    No host is at fault then: all are left where they are, and a resume asks again.
    """
    runs = desk.work.after_answer.pop(asked.key, []) if desk.work is not None else []
    if answered.choice == "failed" and not asked.host:
        stop(desk, "gate", f"{asked.text}: {manual.in_words(answered)}", answered.by)
        return
    for run in runs:
        if run.state is HostState.READY:
            if answered.choice == "failed":
                manual.end(desk, run, answered)
            hosts.proceed(desk, run)
