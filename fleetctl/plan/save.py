"""A plan as a file to be reviewed and run later: JSON with a format version and the digest."""

from __future__ import annotations

import msgspec

from fleetctl.base.errors import Refused
from fleetctl.plan.digest import digest_of
from fleetctl.plan.model import Plan

FORMAT = 1


class _Head(msgspec.Struct):
    """What is read first: whether the rest can be read at all."""

    fleetctl_plan: int
    digest: str


class _Saved(_Head):
    plan: Plan


def encode_plan(plan: Plan) -> bytes:
    """The plan as the text of a file."""
    saved = _Saved(fleetctl_plan=FORMAT, digest=digest_of(plan), plan=plan)
    return msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n"


def decode_plan(data: bytes, file: str) -> Plan:
    """The plan in a saved file; raises Refused for what is no plan, too new, or was changed."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.MsgspecError as error:
        raise Refused("this is no saved plan", where=file, why=str(error)) from None
    if head.fleetctl_plan != FORMAT:
        raise Refused(
            f"this plan has format {head.fleetctl_plan}, this fleetctl reads format {FORMAT}",
            where=file,
            hint="make the plan again with this version",
        )
    try:
        plan = msgspec.json.decode(data, type=_Saved).plan
    except msgspec.MsgspecError as error:
        raise Refused("this saved plan is damaged", where=file, why=str(error)) from None
    if digest_of(plan) != head.digest:
        raise Refused(
            "this plan was changed after it was saved",
            where=file,
            why="its digest does not fit its content",
            hint="make the plan again; change the playbook, not the plan",
        )
    return plan
