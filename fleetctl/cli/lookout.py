"""Looking at what a fleet's hosts carry and lease, from a machine that drives nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fleetctl.cli.picture import wall_text

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.rollout.fetching import Library
    from fleetctl.rollout.ground import Ground
    from fleetctl.transport.lease import Tenure

_WITHIN_S = 15.0


class Lookout(NamedTuple):
    """One look at a fleet, as long as its connections are open."""

    fleet: Fleet
    ground: Ground
    hosts: tuple[str, ...]
    """Where leases are kept, and journals carried."""

    @property
    def library(self) -> Library:
        """What is carried there."""
        from fleetctl.rollout.fetching import Library

        return Library(self.ground.look, self.fleet.name, self.hosts)

    def tenure(self, run: str) -> Tenure | None:
        """The live lease of the run that was renewed last; None when it has none.

        Raises Unreachable when no host says.
        """
        from fleetctl.base.errors import Unreachable
        from fleetctl.transport.lease import read_answer, show_text
        from fleetctl.transport.protocol import Looked

        texts = dict.fromkeys(self.hosts, show_text(self.fleet.name))
        replies = self.ground.look(texts, _WITHIN_S).values()
        answers = [read_answer(r.stdout.head) for r in replies if isinstance(r, Looked)]
        if not any(answer.granted for answer in answers):
            raise Unreachable("the hosts that keep the leases do not answer")
        found = [
            tenure
            for answer in answers
            for tenure in answer.tenures
            if tenure.word == "held" and tenure.run == run
        ]
        return max(found, key=lambda tenure: tenure.left_s, default=None)


@contextmanager
def open_lookout(fleet: Fleet) -> Iterator[Lookout]:
    """Connects when it is asked something; every connection is closed at the end."""
    from fleetctl.plan.compile import keepers_of
    from fleetctl.rollout.ground import Ground
    from fleetctl.transport.lease import Claimant
    from fleetctl.transport.open import open_transport

    kept_on = keepers_of(fleet, fleet.tiers).values()
    hosts = tuple(dict.fromkeys(host for hosts in kept_on for host in hosts))
    way = partial(open_transport, fleet.hosts, known_hosts=fleet.known_hosts)
    ground = Ground(lambda sink: way(sink), fleet.name, {}, Claimant("", 0, ""))
    try:
        yield Lookout(fleet, ground, hosts)
    finally:
        ground.close()


def age_words(age_s: float | None) -> str:
    """`last heard 3 s ago`."""
    if age_s is None:
        return "not heard of since its bastion booted"
    return f"last heard {age_s:.0f} s ago"


def tenure_words(tenure: Tenure) -> str:
    """Who holds the lease, since when, and when that was seen."""
    from fleetctl.transport.lease import TTL_S

    seen_s = max(0.0, TTL_S - tenure.left_s)
    return f"{tenure.by}, since {wall_text(tenure.since_s)}, seen {seen_s:.0f} s ago"
