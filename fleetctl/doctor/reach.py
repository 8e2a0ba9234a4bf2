"""Whether a host was reached, and if not, which hop of the way failed. Pure."""

from __future__ import annotations

from fleetctl.base.durations import format_duration
from fleetctl.doctor.findings import HOST_KEY, REACH, Level, Remark
from fleetctl.inventory.model import Host
from fleetctl.transport.protocol import Looked, Lost

_TRUST = "see what it shows now: fleetctl hosts trust HOST"
_SILENT = "it takes a connection and says no more, or packets to it are dropped"


def judge_reach(host: Host, answer: Looked | Lost | None, within_s: float) -> Remark:
    """What the answer to a look, or its absence, says about the way to `host`."""
    via = host.login.via
    behind = f", through {via}" if via else ""
    if answer is None:
        return Remark(REACH, Level.FAIL, f"not reached within {format_duration(within_s)}{behind}",
                      _SILENT)  # fmt: skip
    if isinstance(answer, Looked):
        if answer.exit_status is None and not answer.stdout.size:
            return Remark(REACH, Level.UNKNOWN, "it lets us in, and then says nothing",
                          "it may be frozen, or its disk may be: look at its console")  # fmt: skip
        return Remark(REACH)
    detail = _without_place(answer.detail, host)
    match answer.cause:
        case "bastion":
            return Remark(REACH, Level.FAIL, f"behind {via or 'a bastion'}, which is not reached",
                          "mend the way to the bastion first")  # fmt: skip
        case "host key":
            changed = "shows another" in answer.detail
            text = "shows another host key than the known one" if changed else "key not known"
            return Remark(HOST_KEY, Level.FAIL, text, _TRUST)
        case "auth":
            return Remark(REACH, Level.FAIL, detail, "is our key in its authorized_keys?")
        case "connect":
            return Remark(REACH, Level.FAIL, f"{detail}{behind}")
    return Remark(REACH, Level.UNKNOWN, f"{answer.cause}: {detail}{behind}")


def _without_place(detail: str, host: Host) -> str:
    """The words of a failure without the host's own address, so that equal ones fold."""
    head, colon, rest = detail.partition(": ")
    short = rest if colon and host.address in head else detail
    return short.replace(host.address, "it").strip()
