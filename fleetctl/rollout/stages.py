"""A phase's steps cut into stages: what one order may hold, and where hosts meet. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from fleetctl.plan.model import PlanPhase, PlanStep
from fleetctl.playbook.operations import Exec, Foreach, Manual, Pause

StageKind = Literal["segment", "pause", "once", "manual", "items"]


class Stage(msgspec.Struct, frozen=True):
    """Steps `first` to `last` (both included) that go to a host as one order."""

    kind: StageKind
    first: int
    last: int
    barrier: bool
    """Every host of the batch has left the stages before it when the first host enters it."""


class Recipe(msgspec.Struct, frozen=True):
    """A phase's steps, indexed every way the rollout asks for."""

    steps: tuple[PlanStep, ...]
    stages: tuple[Stage, ...]
    index_of: dict[str, int]
    """Step key -> index."""
    stage_of: tuple[int, ...]
    """Step index -> stage index."""
    has_barriers: bool
    restores: dict[int, int]
    """Step that says how to put the host back -> the later step whose success ends that; -1: the
    end of the phase."""
    reaches_hosts: bool
    """Some step is sent; else a person does all of it."""


def read_recipe(phase: PlanPhase) -> Recipe:
    """Cut the phase's steps at barriers, pauses, and steps that run once or for each item."""
    stages: list[Stage] = []
    first, met = 0, False
    for index, step in enumerate(phase.steps):
        last = index + 1 == len(phase.steps)
        if not last and not _cut_between(step, phase.steps[index + 1]):
            continue
        stages.append(Stage(_kind_of(step), first, index, met))
        first, met = index + 1, step.barrier
    index_of = {step.key: index for index, step in enumerate(phase.steps)}
    stage_of = tuple(
        n for n, stage in enumerate(stages) for _ in range(stage.first, stage.last + 1)
    )
    return Recipe(
        steps=phase.steps,
        stages=tuple(stages),
        index_of=index_of,
        stage_of=stage_of,
        has_barriers=any(stage.barrier for stage in stages),
        restores={
            index: index_of.get(step.restored_by, -1)
            for index, step in enumerate(phase.steps)
            if isinstance(step.operation, Exec) and step.operation.restore
        },
        reaches_hosts=any(not isinstance(step.operation, Manual) for step in phase.steps),
    )


def _cut_between(step: PlanStep, following: PlanStep) -> bool:
    if step.uses or following.uses:  # what is shared is taken for one step, and given back
        return True
    return step.barrier or _kind_of(step) != "segment" or _kind_of(following) != "segment"


def _kind_of(step: PlanStep) -> StageKind:
    if isinstance(step.operation, Pause):
        return "pause"
    if isinstance(step.operation, Manual):
        return "manual"
    if isinstance(step.operation, Foreach):
        return "items"
    return "once" if step.once else "segment"
