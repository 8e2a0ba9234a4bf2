"""The plan: all the rollout needs, and nothing it would have to look up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from fleetctl.inventory.model import Host
from fleetctl.playbook.channels import Channel
from fleetctl.playbook.operations import NamedLimit, Once, Operation, Probe, Retry


class PlanStep(msgspec.Struct, frozen=True):
    """One step as it will be ordered; texts are still templates, `render` fills them per host."""

    key: str
    """Unique in the plan, stable over resume, safe as a file name: `p1-s03-deploy.switch`."""
    title: str
    operation: Operation
    timeout_s: float
    retry: Retry | None = None
    """Present exactly on idempotent steps; one attempt when no retry was asked for."""
    once: Once = ""
    """Run on one host for the whole of this; all others of it wait for its success."""
    barrier: bool = False
    """Every host of the batch ends this step before any starts the next."""
    reads_release: bool = False
    """Its last line of standard output is the host's live release, read back."""
    expects: str = ""
    """With `reads_release`: what must be read (a template), else the step failed."""
    secret: bool = False
    """Its output is never kept."""
    uses: Mapping[str, int] | msgspec.UnsetType = msgspec.UNSET
    """Named limit -> how much of it the step takes on one host; left out where it takes none, so
    that plans without named limits keep their digest."""
    restored_by: str = ""
    """Key of a later step of the phase: its success ends the need of this one's restore."""
    undo_reads_release: bool = False
    """The last line of what its undo says is the release the host went back to."""
    undo_last: bool = False
    """Its undo takes up what the undos of other steps put back: it comes after them all, and when
    the step failed as well."""
    leaves: str = ""
    """How a host is that was not put back: `daemons are still stopped`."""


class Gate(msgspec.Struct, frozen=True):
    """What must hold before the next batch (or, before the phase's first batch, `before`)."""

    key: str
    title: str
    probe: Probe
    when: Literal["before", "after"] = "after"
    """`before`: once, before the phase touches a host. `after`: after each batch."""
    timeout_s: float = 60.0
    """Asked again every `interval_s` until it holds or this has passed."""
    interval_s: float = 2.0
    soak_s: float = 0.0
    """It must go on holding this long, on all hosts of the phase done so far."""


class Budget(msgspec.Struct, frozen=True):
    """Hosts that may be lost before everything stops; counts, already worked out."""

    per_phase: int = 0
    per_batch: int | None = None
    items: int | msgspec.UnsetType = msgspec.UNSET
    """Items of foreach steps that may be lost in the phase, on all its hosts together; left out
    where none may, so that plans without such steps keep their digest."""


class SchemaGuard(msgspec.Struct, frozen=True):
    """What a phase has to do with the schemas of instances; numbers are those of migrations."""

    needs: int = 0
    """Its release runs on this and later; 0: it does not say."""
    upgrades: bool = False
    to: int = 0
    """Where it brings instances; 0: to the newest there is."""


class PlanPhase(msgspec.Struct, frozen=True):
    """One phase: its hosts in batches, each host worked through all steps."""

    name: str
    needs: tuple[str, ...]
    """Phases that must have ended well before this one starts."""
    batches: tuple[tuple[str, ...], ...]
    """Host names. Never both of a pair in one batch."""
    steps: tuple[PlanStep, ...]
    gates: tuple[Gate, ...]
    budget: Budget
    limit: int
    """Most hosts in flight at once; at least 1."""
    throttle_per_min: float = 0.0
    on_failure: Literal["continue", "rollback", "stop", "ask", "leave", "undo"] = "continue"
    """What becomes of a lost host. continue (leave): left as it is. rollback (undo): its done steps
    undone, last first. stop: left as it is, and the run stops. ask: a person says which."""
    release: str = ""
    """The release this phase deploys; empty when it deploys none."""
    already: tuple[str, ...] = ()
    """Hosts last known to run `release`: shown as no-ops; they are checked all the same."""
    schema: SchemaGuard | msgspec.UnsetType = msgspec.UNSET
    """Left out where the phase says nothing of schemas, so that other plans keep their digest."""
    batch_failure: Literal["continue", "rollback"] = "continue"
    """rollback: when the batch spends its budget or its gate refuses, all of it goes back."""
    ask_within_s: float = 1800.0
    ask_default: Literal["stop", "rollback", "continue"] = "stop"

    @property
    def policy(self) -> str:
        """`on_failure` in the words of today."""
        return {"leave": "continue", "undo": "rollback"}.get(self.on_failure, self.on_failure)


class TierGuard(msgspec.Struct, frozen=True):
    """How many hosts of a tier may be down or in flight at once, over all phases."""

    tier: str
    size: int
    floor: int
    """Hosts that must stay up and untouched; `size - floor` is what may be out at once."""
    limit: int
    """Most in flight at once."""
    hosts: tuple[str, ...]
    """Every host of the tier, the unselected ones too: those found down count."""


class Plan(msgspec.Struct, frozen=True):
    """playbook x fleet x releases, compiled."""

    fleet: str
    title: str
    hosts: Mapping[str, Host]
    """Every host some phase works on, the others of tiers with a floor (they are looked at), and
    the bastions all of these are reached through."""
    phases: tuple[PlanPhase, ...]
    guards: tuple[TierGuard, ...]
    budget: Budget
    """Over the whole run: `per_phase` here means per run."""
    releases: Mapping[str, str]
    """Tier -> release id it is to run."""
    live: Mapping[str, str]
    """Host -> release it was last known to run; a host never read back is missing."""
    inputs: Mapping[str, str]
    """What it was made from: label (`playbook saturday-push.yaml`) -> hash; for naming what
    changed when the plan is stale."""
    fanout: int = 50
    """Most connections at once."""
    known_hosts: str = ""
    keepers: Mapping[str, tuple[str, ...]] = {}
    """Tier -> the hosts its lease is kept on; who may change the tier is asked there."""
    carried_on: tuple[str, ...] = ()
    """Hosts the run's journal is carried to while it is driven, for who goes on elsewhere."""
    variables: Mapping[str, str] = {}
    """The playbook's, the command line's laid over them; they win over a host's own."""
    channels: tuple[Channel, ...] = ()
    """Whom the run tells of itself."""
    estimate_s: float | None = None
    estimate_basis: str = ""
    """How sure that is, or what there is no history of."""
    limits: Mapping[str, NamedLimit] | msgspec.UnsetType = msgspec.UNSET
    """What steps that use it share over all phases, by name."""
    exact: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Host -> release it is to run, where that is not its tier's; left out where there is none, so
    that other plans keep their digest."""

    def release_of(self, host: Host) -> str | None:
        """The release the host is to run; None where none is said."""
        own = self.exact.get(host.name) if self.exact is not msgspec.UNSET else None
        return own or self.releases.get(host.tier)
