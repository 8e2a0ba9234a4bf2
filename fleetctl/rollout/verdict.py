"""What the answers of the hosts that keep leases mean together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from fleetctl.transport.lease import Answer, Tenure


class Verdict(NamedTuple):
    """Of one round of asking for, or renewing, leases."""

    word: Literal["granted", "refused", "unsure"]
    """unsure: nobody refused, but of some tier too few hosts answered to be the majority."""
    tenure: Tenure | None = None
    """Who has it, with `refused`."""
    trouble: str = ""
    """With `unsure`: which hosts said nothing, and why."""


def judge(keepers: Mapping[str, Sequence[str]], answers: Mapping[str, Answer]) -> Verdict:
    """One refusal refuses all; a tier is granted by more than half of its keepers."""
    for answer in answers.values():
        if answer.tenures and not answer.granted:
            return Verdict("refused", answer.tenures[0])
    silent: dict[str, str] = {}
    for hosts in keepers.values():
        granted = sum(host in answers and answers[host].granted for host in hosts)
        if granted * 2 <= len(hosts):
            silent.update(
                (host, answers[host].trouble if host in answers else "no answer")
                for host in hosts
                if host not in answers or not answers[host].granted
            )
    if silent:
        return Verdict("unsure", None, "; ".join(f"{host}: {why}" for host, why in silent.items()))
    return Verdict("granted")


def tiers_of(keepers: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Keeper -> the tiers whose leases it keeps."""
    found: dict[str, list[str]] = {}
    for tier, hosts in keepers.items():
        for host in hosts:
            found.setdefault(host, []).append(tier)
    return found
