"""Taking a host back: undos, and what is owed to it on every way out. Pure."""

from __future__ import annotations

from collections.abc import Collection

from fleetctl.playbook.operations import Exec
from fleetctl.rollout import segments
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.duties import DutyState
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.tables import WELL, StepState
from fleetctl.rollout.ways import Way


def send_back(desk: Desk, run: HostRun, *, undo: bool = False) -> bool:
    """Order what takes the host back next; False when nothing more is to be sent.

    Restores go out whatever the run stops for, a lost fence excepted: then a newer run has the
    host. A host that did not answer when it was asked is not sent anything.
    """
    stopped = desk.state.stop
    if run.host in desk.silent or (stopped is not None and stopped.reason == "fence"):
        return False
    back = way_back(run, undo=undo)
    if not back:
        return False
    if _is_being_killed(desk, run):
        desk.held.add(run.host)
        return True
    way = back[0][0]
    indices = []
    for each, index in back:
        if each != way:
            break
        indices.append(index)
    segments.send_back(desk, run, way, indices)
    return True


def way_back(run: HostRun, *, undo: bool) -> list[tuple[Way, int]]:
    """What is to be undone or restored, last step first.

    A restore is owed again when the step that ended the need of it is undone. A step that ran once
    for others is not undone: they went on because of it.
    """
    back: list[tuple[Way, int]] = []
    last: list[tuple[Way, int]] = []
    well = {index for index, state in enumerate(run.steps) if state in WELL}
    for index in range(len(run.steps) - 1, -1, -1):
        if undo and _is_undoable(run, index):
            # What is undone last has the host as it should be until then.
            if run.recipe.steps[index].undo_last:
                last.append(("undo", index))
                continue
            back.append(("undo", index))
            well.discard(index)
        elif run.duties.states.get(index) is DutyState.OWED and not _is_covered(run, index, well):
            back.append(("restore", index))
    return back + last[::-1]


def _is_covered(run: HostRun, index: int, well: Collection[int]) -> bool:
    """Whether a later step has put the host back."""
    return run.recipe.restores[index] in well


def _is_undoable(run: HostRun, index: int) -> bool:
    step, state = run.recipe.steps[index], run.steps[index]
    if not isinstance(step.operation, Exec) or not step.operation.undo or step.once:
        return False
    return state is StepState.DONE or (step.undo_last and state is StepState.FAILED)


def _is_being_killed(desk: Desk, run: HostRun) -> bool:
    """Whether an order to kill is on its way, which would end what comes after as well."""
    return any(
        errand.kind == "kill" and errand.host == run.host for errand in desk.errands.values()
    )


def owed_words(run: HostRun, why: str = "") -> str:
    """What was not put back on the host, and why; empty when nothing is owed."""
    words = []
    if run.recall and why:
        words.append(f"it is not rolled back: {why}")
    for index in run.owed:
        step = run.recipe.steps[index]
        left = step.leaves or f'"{step.title}" is not put back'
        cause = run.duties.causes.get(index) or why or "its restore could not be sent"
        words.append(f"{left}: {cause}")
    return "; ".join(words)
