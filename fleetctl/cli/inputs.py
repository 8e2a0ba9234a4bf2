"""What a plan is made from besides the command line: files, pins, artifacts, what runs taught.

Each input of a plan has a label that says how to look at it again: `inventory PATH`,
`playbook PATH`, `file PATH`, `pin TIER`, `live releases`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fleetctl.base.errors import FleetError, Refused, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.cli.journal import journal_path, open_journal
from fleetctl.cli.planview import hosts_of
from fleetctl.cli.releases import open_store
from fleetctl.inventory.load import find_inventory, read_inventory
from fleetctl.inventory.model import Fleet
from fleetctl.plan.digest import hash_of
from fleetctl.plan.history import History
from fleetctl.plan.model import Plan
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.operations import Put
from fleetctl.releases.pins import pins_path, read_pins

LIVE = "live releases"


class Knowledge(msgspec.Struct, frozen=True):
    """What earlier runs taught."""

    live: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Host -> release last read back."""
    history: History = msgspec.field(default_factory=History)


def read_knowledge(journal: str | None, fleet: str) -> Knowledge:
    """From the journal, if there is one yet; looking makes none."""
    if not journal_path(journal).exists():
        return Knowledge()
    with open_journal(journal) as opened:
        live = {host: known.release for host, known in opened.live(fleet).items()}
        history = History(opened.times(fleet))
    return Knowledge(live, history)


class Sources:
    """The files a plan is made from; remembers which were read."""

    def __init__(self, fleet: Fleet, playbook: Path, sha256: str, releases: str | None) -> None:
        self.fleet = fleet
        self.playbook = playbook.resolve()
        self.playbook_sha256 = sha256
        self.read: set[str] = set()
        self.pinned: dict[str, str] = {}
        """Tier -> release, where the pin decided."""
        self._releases = releases
        self._artifacts: dict[str, Artifact] = {}

    def measure(self, path: str) -> tuple[str, int]:
        """sha256 and size of a file; raises OSError."""
        return _measure(path)

    def read_file(self, path: str) -> str:
        """The text of an `@FILE` term, relative to the playbook; raises OSError."""
        place = (self.playbook.parent / Path(path).expanduser()).resolve()
        self.read.add(str(place))
        return place.read_text(encoding="utf-8")

    def artifact(self, release: str) -> Artifact:
        """The release's file, verified once; raises UsageError, Refused."""
        if release not in self._artifacts:
            self._artifacts[release] = open_store(self._releases).artifact(release)
        return self._artifacts[release]

    def releases(self, words: Sequence[str]) -> dict[str, str]:
        """Tier -> release: what the command line says, else the pins."""
        tiers = self.fleet.tiers
        self.pinned = read_pins(pins_path(Path(self.fleet.source)), tiers=tiers)
        named: dict[str, str] = {}
        everywhere = [word for word in words if "=" not in word]
        if len(everywhere) > 1:
            raise UsageError(f"--release names two for every tier: {', '.join(everywhere)}")
        for word in everywhere:
            named.update(dict.fromkeys(tiers, word))
        for word in words:
            tier, equals, release = word.partition("=")
            if equals:
                if tier not in tiers:
                    raise UsageError(f'no tier is named "{tier}"', hint=did_you_mean(tier, tiers))
                named[tier] = release
        for release in dict.fromkeys(named.values()):
            open_store(self._releases).get(release)
        self.pinned = {tier: pin for tier, pin in self.pinned.items() if tier not in named}
        return {**self.pinned, **named}


def inputs_of(plan: Plan, sources: Sources) -> dict[str, str]:
    """Label -> hash of everything that went into `plan`."""
    inputs = {
        f"inventory {Path(sources.fleet.source).resolve()}": hash_of(sources.fleet),
        f"playbook {sources.playbook}": sources.playbook_sha256,
        LIVE: hash_of(plan.live),
    }
    for tier in plan.releases:
        if tier in sources.pinned:
            inputs[f"pin {tier}"] = sources.pinned[tier]
    for path in sources.read:
        inputs[f"file {path}"] = _measure(path)[0]
    for phase in plan.phases:
        for step in phase.steps:
            if isinstance(step.operation, Put):
                inputs[f"file {step.operation.source}"] = step.operation.sha256
    return dict(sorted(inputs.items()))


def inputs_now(plan: Plan, journal: str | None) -> tuple[dict[str, str], Fleet]:
    """The same labels looked at again; what is gone or unreadable is left out."""
    labels = [label.partition(" ") for label in plan.inputs]
    inventory = next((rest for kind, _, rest in labels if kind == "inventory"), None)
    if inventory is None:
        raise Refused("this plan does not say which inventory it was made from")
    fleet = read_inventory(find_inventory(Path.cwd(), inventory)).fleet
    live = read_knowledge(journal, fleet.name).live
    pins = read_pins(pins_path(Path(fleet.source)))
    now: dict[str, str] = {}
    for kind, _, rest in labels:
        found: str | None = None
        if kind == "inventory":
            found = hash_of(fleet)
        elif kind in ("playbook", "file"):
            found = _hash_now(rest)
        elif kind == "pin":
            found = pins.get(rest)
        elif f"{kind} {rest}" == LIVE:
            found = hash_of({name: live[name] for name in hosts_of(plan) if name in live})
        if found is not None:
            now[f"{kind} {rest}"] = found
    return now, fleet


def _hash_now(path: str) -> str | None:
    try:
        return _measure(path)[0]
    except (OSError, FleetError):
        return None


def _measure(path: str) -> tuple[str, int]:
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()
