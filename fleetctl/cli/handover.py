"""Going on here with a run that was driven on another machine: asked for, told, confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fleetctl.base.errors import ExitCode, LockHeld, Refused
from fleetctl.base.hostrange import fold
from fleetctl.cli.confirm import confirm
from fleetctl.cli.lookout import Lookout, age_words, open_lookout, tenure_words
from fleetctl.cli.output import tell
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.progress import RunView
from fleetctl.cli.recap import accounted
from fleetctl.playbook.operations import Put

if TYPE_CHECKING:
    from fleetctl.cli.session import Manner
    from fleetctl.inventory.model import Fleet
    from fleetctl.journal.store import Journal
    from fleetctl.plan.model import Plan
    from fleetctl.rollout.carried import Carried


def take_over(journal: Journal, run: str, fleet: Fleet, manner: Manner, yes: bool) -> ExitCode:
    """Fetch what is carried of the run, have it confirmed, and go on with it here."""
    from fleetctl.cli.session import take_over_run

    with open_lookout(fleet) as lookout:
        carried = lookout.library.fetch(lookout.library.find(run)).carried
        _refuse_live(journal, carried.row.id)
        view = _view(carried)
        hosts = view.to_do(False)
        if not hosts and view.ended is not None:
            raise Refused(
                f"run {carried.row.id} has nothing left to do",
                why=accounted(view),
                hint=f"see it: fleetctl attach {carried.row.id}",
            )
        _refuse_missing_files(carried.plan, hosts)
        tell(_holder(lookout, carried))
    tell(accounted(view))
    if hosts:
        tell(f"to do: {hosts_word(len(hosts))}: {fold(hosts)}; each is asked first what ran there")
    else:
        tell("to do: gates not answered yet, and its end")
    confirm(len(hosts), yes)
    return take_over_run(journal, carried, view, fleet, manner)


def _view(carried: Carried) -> RunView:
    from fleetctl.rollout.runlog import decode_record

    view = RunView(carried.plan)
    return view.take((seq, wall_s, decode_record(body)) for seq, wall_s, body in carried.records)


def _holder(lookout: Lookout, carried: Carried) -> str:
    """Who has the run now, and how sure that is."""
    from fleetctl.rollout.takeover import last_driver

    run = carried.row.id
    tenure = lookout.tenure(run)
    heard = age_words(carried.age_s)
    if tenure is None:
        by = last_driver(carried)
        return f"run {run} was driven by {by}, {heard}; nobody holds its lease"
    return f"run {run} is held by {tenure_words(tenure)}; {heard}; it will be fenced off"


def _refuse_live(journal: Journal, run: str) -> None:
    holder = journal.lock(run).holder()
    if holder:
        raise LockHeld(
            f"run {run} is being driven on this machine",
            why=f"by {holder}",
            hint=f"stop it with: fleetctl runs abort {run}",
        )


def _refuse_missing_files(plan: Plan, hosts: list[str]) -> None:
    """What the run lays down on hosts must be on this machine too, where the plan says."""
    todo = set(hosts)
    for phase in plan.phases:
        if not any(host in todo for batch in phase.batches for host in batch):
            continue
        for step in phase.steps:
            source = step.operation.source if isinstance(step.operation, Put) else ""
            if source and "{{" not in source and not Path(source).is_file():
                raise Refused(
                    f"step `{step.title}` lays down a file this machine has not",
                    where=source,
                    hint="bring it here under the same path, then take the run over",
                )
