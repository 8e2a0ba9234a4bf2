"""Where runs stand that others hold leases for: gone on in another journal, or over in this one.

Whether one went on elsewhere its lease says, or what is carried of it.
"""

from __future__ import annotations

import time

from fleetctl.base.errors import LockHeld, UsageError
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.rollout.ground import Ground
from fleetctl.rollout.records import RunOpened, RunResumed
from fleetctl.rollout.runlog import read_records
from fleetctl.transport import carriage
from fleetctl.transport.lease import TTL_S, Tenure
from fleetctl.transport.protocol import Looked

_WITHIN_S = 15.0


def refuse_elsewhere(ground: Ground, plan: Plan, run: str, known: int) -> None:
    """Raises LockHeld when a controller with a fence beyond `known` drives or drove the run."""
    if not ground.is_leased:
        return
    tenure = ground.other_leg(known)
    if tenure is not None:
        raise LockHeld(f"run {run} goes on elsewhere", why=seen_words(tenure), hint=_hint(run))
    texts = {host: carriage.watch_text(plan.fleet, run, None, 0, 0) for host in plan.carried_on}
    for reply in ground.look(texts, _WITHIN_S).values() if texts else ():
        said = carriage.read_watched(reply.stdout.head) if isinstance(reply, Looked) else None
        if said is not None and any(leg.fence > known for leg in said.legs):
            raise LockHeld(
                f"run {run} went on elsewhere",
                why=f"{reply.host} carries a later part of its journal than this one has",
                hint=_hint(run),
            )


def is_over(journal: Journal, tenure: Tenure) -> bool:
    """Whether the leg that holds a lease has ended in this journal: it only was not given back.

    A later leg of that run elsewhere has a fence that no record here has.
    """
    try:
        row = journal.stored(tenure.run).row
    except UsageError:
        return False
    if row.exit_code is None or journal.lock(row.id).holder():
        return False
    legs = (each.record for each in read_records(journal, row.id))
    return any(isinstance(leg, (RunOpened, RunResumed)) and leg.fence == tenure.number
               for leg in legs)  # fmt: skip


def seen_words(tenure: Tenure) -> str:
    """Who holds a lease, since when, and when that was seen last."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(tenure.since_s))
    return f"by {tenure.by}, since {since}; seen {TTL_S - tenure.left_s:.0f} s ago"


def _hint(run: str) -> str:
    return f"watch it: fleetctl attach {run}; go on with it here: fleetctl resume {run} --take-over"
