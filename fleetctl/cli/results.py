"""How a run went, told to people on stdout or as rows to programs."""

from __future__ import annotations

from fleetctl.base.errors import ExitCode
from fleetctl.cli.folding import Said, answers_of, fold_answers
from fleetctl.cli.output import emit, tell, write
from fleetctl.cli.progress import RunView
from fleetctl.cli.recap import brief, exit_code, host_rows, recap
from fleetctl.plan.history import History

HOST_COLUMNS = ("host", "tier", "phase", "outcome", "release", "step", "cause")


def tell_answers(view: RunView, output: str) -> ExitCode:
    """What the hosts said on stdout; the account on stderr."""
    answers = answers_of(view)
    if output == "table":
        for line in fold_answers(answers):
            write(line)
    elif output != "jsonl":
        emit((answer._asdict() for answer in answers), Said._fields, output)
    code = exit_code(view)
    tell("\n".join(brief(view)))
    return code


def tell_result(
    view: RunView, output: str, history: History | None = None, *, live: bool = False
) -> ExitCode:
    """The recap: on stdout for people; on stderr when stdout carries data for programs."""
    lines = recap(view, history, live=live)
    if output == "table":
        for line in lines:
            write(line)
    else:
        tell("\n".join(lines))
        if output != "jsonl":
            items = ("items",) if any(host.items for host in view.hosts.values()) else ()
            emit(host_rows(view), (*HOST_COLUMNS, *items), output)
    return exit_code(view)
