"""What steps on daemon pools said of holds of other runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fleetctl.rollout.records import StepSettled


class _Answer(msgspec.Struct):
    """An overseer's, as a step on pools prints it."""

    pools: int
    left: int
    held_by: dict[str, int] = {}


HELD_BACK = "daemons are held back by another run"
"""Why a run in which no host was lost does not end well."""
_ANSWER = msgspec.json.Decoder(_Answer)


def held_back_in(steps: Iterable[StepSettled], besides: str = "") -> dict[str, int] | None:
    """Run -> pools it kept down on a host when the last of these steps let go of them; None when
    none of them asked.

    `besides`: the run this one works under, which will let go by itself.
    """
    last: dict[str, int] | None = None
    for step in steps:
        for line in step.stdout.splitlines() if b'"left"' in step.stdout else ():
            try:
                last = _ANSWER.decode(line).held_by
            except msgspec.DecodeError:
                continue
    return None if last is None else {run: n for run, n in last.items() if run != besides}
