"""What a step's result on a host means for the run. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanStep
from fleetctl.plan.render import render_expects
from fleetctl.playbook.operations import Listing
from fleetctl.rollout import items, rounds
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.readback import last_line, last_words
from fleetctl.rollout.records import StepSettled
from fleetctl.transport.protocol import Output, StepResult

KEPT_BYTES = 16_384
"""Of each stream, in the journal: a quarter from its beginning, the rest from its end."""


def settle_step(desk: Desk, run: HostRun, index: int, result: StepResult) -> None:
    """Record the end of a step whose end is known."""
    step = run.recipe.steps[index]
    if rounds.is_round(run, index):
        items.end_round(desk, run, index, result)
        return
    if isinstance(step.operation, Listing) and result.end == "acted":
        items.end_list(desk, run, index, result)
        return
    outcome, cause = _read(desk, run, step, result)
    keep = not step.secret
    desk.record(
        StepSettled(
            run.phase, run.host, step.key, outcome, result.exit_status, result.duration_s,
            kept(result.stdout) if keep else b"", kept(result.stderr) if keep else b"",
            result.replayed, run.way == "undo", cause, run.way == "restore",
        )
    )  # fmt: skip


def _read(desk: Desk, run: HostRun, step: PlanStep, result: StepResult) -> tuple[Outcome, str]:
    if result.end == "checked":
        return Outcome.SKIPPED, ""
    if result.end == "acted":
        if run.way != "on" or not step.reads_release:
            return Outcome.CHANGED, ""
        return _read_release(desk, run, step, result)
    if result.end == "timed out":
        return Outcome.TIMED_OUT, result.detail or f"not done within {step.timeout_s:g} s"
    if result.end == "killed":
        return Outcome.FAILED, result.detail or "stopped by fleetctl"
    return Outcome.FAILED, result.detail or _failure(result)


def _read_release(
    desk: Desk, run: HostRun, step: PlanStep, result: StepResult
) -> tuple[Outcome, str]:
    """Reading changes nothing; what is read must be what was meant."""
    if not step.expects:
        return Outcome.OK, ""
    phase = desk.state.phases[run.phase].plan
    expected = render_expects(desk.plan, phase, step, run.host)
    live = last_line(result.stdout.tail or result.stdout.head)
    if live == expected:
        return Outcome.OK, ""
    return Outcome.FAILED, f"the host runs {live or 'no release'}, not {expected}"


def _failure(result: StepResult) -> str:
    said = last_words(result.stderr.tail or result.stderr.head)
    said = said or last_line(result.stdout.tail or result.stdout.head)
    exited = f"exit {result.exit_status}" if result.exit_status is not None else "failed"
    return f"{exited}: {said[:300]}" if said else exited


def kept(output: Output) -> bytes:
    """Head and tail of a stream as the journal keeps it, telling how much is left out."""
    held = output.head + output.tail
    if output.size <= len(held) <= KEPT_BYTES:
        return held
    head, tail = output.head or output.tail, output.tail or output.head
    first, last = head[: KEPT_BYTES // 4], tail[-KEPT_BYTES * 3 // 4 :]
    if output.size <= len(held):
        first, last = held[: KEPT_BYTES // 4], held[-KEPT_BYTES * 3 // 4 :]
    left_out = max(output.size, len(held)) - len(first) - len(last)
    return first + f"\n[... {left_out} bytes left out ...]\n".encode() + last
