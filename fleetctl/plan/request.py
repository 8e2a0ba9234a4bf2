"""What a plan is compiled from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from fleetctl.inventory.model import Fleet, Host
from fleetctl.inventory.select import ReadFile
from fleetctl.plan.history import History
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.model import Playbook
from fleetctl.playbook.units import Amount, Ramp

FANOUT = 50


class Overrides(msgspec.Struct, frozen=True):
    """What the command line narrows; it can only make a push gentler, never rougher.

    `batch` is the exception: it replaces the ramps.
    """

    batch: Ramp | None = None
    limit: Amount | None = None
    """Most hosts in flight at once in each phase."""
    max_failures: Amount | None = None
    throttle_per_min: float | None = None
    fanout: int = FANOUT


class PlanRequest(msgspec.Struct, frozen=True):
    """Everything `compile_plan` may know."""

    fleet: Fleet
    playbook: Playbook
    measure: Callable[[str], tuple[str, int]]
    """sha256 and size of a file on this machine; raises OSError."""
    read_file: ReadFile
    """The text of the file an `@FILE` selector names; raises OSError."""
    artifact: Callable[[str], Artifact]
    """The artifact of a release id, asked only for what a phase deploys; raises FleetError."""
    hosts: Collection[str] | None = None
    """Only these hosts; None: all the phases pick."""
    phases: Collection[str] | None = None
    """Only these phases; None: all that have hosts."""
    releases: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Tier -> id of the release it is to run."""
    exact: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Host -> id of the release it is to run, where that is not its tier's."""
    live: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Host -> release last read back."""
    variables: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Given on the command line."""
    overrides: Overrides = msgspec.field(default_factory=Overrides)
    inputs: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Label -> hash of what else went in; see `Plan.inputs`."""
    history: History = msgspec.field(default_factory=History)
    """How long steps took lately."""

    def release_of(self, host: Host) -> str | None:
        """The release the host is to run; None where none is said."""
        return self.exact.get(host.name) or self.releases.get(host.tier)
