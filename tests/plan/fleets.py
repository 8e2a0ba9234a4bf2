"""Small fleets and requests for the plan's tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.load import read_playbook

LOGIN = Login(user="deploy", via="bastion001")


def host(name: str, tier: str, tags: Mapping[str, str] | None = None, **more: Any) -> Host:
    """A host behind the bastion, with an address made from its name."""
    return Host(name=name, tier=tier, address=f"{name}.example", login=LOGIN, tags=tags or {},
                **more)  # fmt: skip


def fleet_of(hosts: Sequence[Host], **tiers: dict[str, Any]) -> Fleet:
    """The hosts and a bastion as a fleet; `tiers` says limits and floors by tier."""
    everyone = [*hosts, Host("bastion001", "bastion", "192.0.2.1", Login(user="deploy"))]
    by_tier: dict[str, list[str]] = {}
    for each in everyone:
        by_tier.setdefault(each.tier, []).append(each.name)
    return Fleet(
        name="test",
        hosts={each.name: each for each in everyone},
        tiers={
            name: Tier(name=name, hosts=tuple(names), **tiers.get(name, {}))
            for name, names in by_tier.items()
        },
        source="inventory.yaml",
        bastions=("bastion001",),
    )


def small_fleet(**tiers: dict[str, Any]) -> Fleet:
    """Eight db hosts in pairs over two zones and four shards, four web hosts."""
    db = [
        host(
            f"db{n:03d}",
            "db",
            {"zone": "ab"[n % 2], "shard": str((n + 1) // 2), "pair": f"p{(n + 1) // 2}"},
            variables={"port": 3306},
        )
        for n in range(1, 9)
    ]
    web = [host(f"web{n:03d}", "web", {"zone": "ab"[n % 2]}) for n in range(1, 5)]
    return fleet_of([*db, *web], **tiers)


def measure(path: str) -> tuple[str, int]:
    """Every file but one named `missing` is there, its content being its own path."""
    if "missing" in path:
        raise FileNotFoundError(2, "No such file or directory")
    return hashlib.sha256(path.encode()).hexdigest(), len(path)


def no_text(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory")


def artifact(release: str) -> Artifact:
    path = f"/releases/{release}.tgz"
    return Artifact(release=release, path=path, sha256="0" * 64, size=10, schema=2)


def request_of(text: str, fleet: Fleet | None = None, **more: Any) -> PlanRequest:
    """A request for a playbook's text."""
    playbook = read_playbook(text, "p.yaml", "/books")
    fleet = fleet or small_fleet()
    return PlanRequest(fleet=fleet, playbook=playbook, measure=measure, read_file=no_text,
                       artifact=artifact, **more)  # fmt: skip


def plan_of(text: str, fleet: Fleet | None = None, **more: Any) -> Plan:
    """The plan of a playbook's text."""
    return compile_plan(request_of(text, fleet, **more))


def phase(body: str, head: str = "title: t\n") -> str:
    """A playbook of one phase, its keys given as lines."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return f"{head}phases:\n  -" + lines[3:]
