"""What a host runs, as far as it was read in its phase. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import StepSettled
from fleetctl.rollout.tables import StepState


def read_release(run: HostRun, index: int, record: StepSettled) -> None:
    """What the host runs as far as it was read, and nothing once it may have been changed."""
    steps = run.recipe.steps
    if steps[index].reads_release and not (record.undo or record.restore):
        if not record.outcome.lost or record.exit_status == 0:  # then another one than was meant
            run.release = last_line(record.stdout)
    elif record.undo and steps[index].undo_reads_release and not record.outcome.lost:
        run.release = last_line(record.stdout)
    elif record.undo and _read_on_the_way_back(run):
        pass  # what comes before it in the phase does not change what runs
    elif record.outcome not in (Outcome.OK, Outcome.SKIPPED) and not record.restore:
        later = steps[index:] if record.undo else steps[index + 1 :]
        if any(step.reads_release for step in later):
            run.release = ""


def _read_on_the_way_back(run: HostRun) -> bool:
    steps = zip(run.recipe.steps, run.steps, strict=True)
    return any(step.undo_reads_release and state is StepState.UNDONE for step, state in steps)


def last_line(text: bytes) -> str:
    """The last line of an output that says anything; where a host's live release is read."""
    lines = text.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def last_words(text: bytes) -> str:
    """As `last_line`, of what explains a failure: a hint that stands behind it is none."""
    lines = [line.strip() for line in text.decode(errors="replace").split("\n")]
    words = [line for line in lines if line]
    return next(
        (line for line in reversed(words) if not line.startswith("hint: ")), "".join(words[-1:])
    )
