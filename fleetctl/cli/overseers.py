"""Asking the overseers of many hosts one read-only thing at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from fleetctl.base.errors import UsageError
from fleetctl.base.names import nearest
from fleetctl.base.outcome import Outcome
from fleetctl.cli.asking import Answer, Line
from fleetctl.cli.output import printable
from fleetctl.inventory.model import Fleet

ASK_TIMEOUT_S = 30.0
WITHIN_S = 30.0
"""Who has not answered by then, connecting included, is unknown: one host that hangs does not keep
a person from what the others say."""
UNPACKED_MOST = 16 << 20
WHAT_THERE_IS = "fleetctl pools status --by instance --all tells what there is"
_MEANT = re.compile(r"'([^']+)'; did you mean '([^']+)'")


class Silent(msgspec.Struct, frozen=True):
    """A host whose overseer told nothing: what it keeps is unknown, never zero."""

    state: str
    """unreachable, unknown, absent (none is installed), stopped (it does not answer), refused."""
    detail: str

    @property
    def outcome(self) -> Outcome:
        """How it counts in an exit code."""
        if self.state == "unreachable":
            return Outcome.UNREACHABLE
        return Outcome.FAILED if self.state in ("absent", "refused") else Outcome.UNKNOWN


Told = dict[str, Any] | Silent


def ask_overseers(
    fleet: Fleet, hosts: Sequence[str], do: str, timeout_s: float = ASK_TIMEOUT_S, **request: Any
) -> dict[str, Told]:
    """Host -> what its overseer answered to `do`, or why nothing is known.

    Raises InputError for a host whose tier keeps no pools.
    """
    with Overseers(fleet, hosts) as overseers:
        return overseers.ask(do, timeout_s, last=True, **request)


class Overseers:
    """The overseers of some hosts, asked over connections that are kept in between."""

    def __init__(self, fleet: Fleet, hosts: Sequence[str]) -> None:
        self._fleet = fleet
        self._hosts = hosts
        self._line: Line | None = None

    def __enter__(self) -> Overseers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.close()

    def ask(
        self,
        do: str,
        timeout_s: float = ASK_TIMEOUT_S,
        *,
        within_s: float | None = None,
        last: bool = False,
        **request: Any,
    ) -> dict[str, Told]:
        """As `ask_overseers`; `within_s` (if not said, WITHIN_S), `last`: see `Line.ask`."""
        from fleetctl.cli.reach import reach
        from fleetctl.plan.adhoc import adhoc_plan
        from fleetctl.plan.render import render_step
        from fleetctl.playbook.operations import Exec
        from fleetctl.playbook.overseers import asking

        plan = adhoc_plan(self._fleet, self._hosts, asking(do, pack=True, **request))
        phase = plan.phases[0]
        scripts: dict[str, str] = {}
        for host in self._hosts:
            operation = render_step(plan, phase, phase.steps[0], host)
            assert isinstance(operation, Exec)
            scripts[host] = operation.act
        self._line = self._line or Line(reach(plan))
        within_s = WITHIN_S if within_s is None else within_s
        answers = self._line.ask(scripts, timeout_s, within_s=within_s, last=last)
        return {host: told_by(answer) for host, answer in answers.items()}


def told_by(answer: Answer | None) -> Told:
    """What an answer amounts to."""
    from fleetctl.playbook.overseers import EXIT_ABSENT, EXIT_NOBODY
    from fleetctl.transport.protocol import Lost

    if isinstance(answer, Lost):
        state = "unknown" if answer.sent else "unreachable"
        return Silent(state, printable(f"{answer.cause}: {answer.detail}"))
    if answer is None or answer.exit_status is None:
        return Silent("unknown", "no answer within its deadline")
    if answer.exit_status != 0:
        said = (answer.stderr.head + answer.stderr.tail).decode("utf-8", "replace").strip()
        last = printable(said.splitlines()[-1]) if said else f"exit {answer.exit_status}"
        states = {EXIT_ABSENT: "absent", EXIT_NOBODY: "stopped", 1: "refused"}
        return Silent(states.get(answer.exit_status, "unknown"), last)
    held = answer.stdout.head + answer.stdout.tail
    if answer.stdout.size > len(held):
        return Silent("unknown", "its answer is too long to be known whole")
    try:
        told = _unpacked(msgspec.json.decode(held))  # refuses NaN and what is nested without end
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else Silent("unknown", "its answer makes no sense")


def _unpacked(told: Any) -> Any:
    """A long answer, which `--ask` packs; raises ValueError when it cannot be unpacked."""
    import zlib
    from base64 import b64decode

    if not isinstance(told, dict) or set(told) != {"packed"}:
        return told
    unpacker = zlib.decompressobj()
    try:
        held = unpacker.decompress(b64decode(told["packed"]), UNPACKED_MOST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return msgspec.json.decode(held)


def keeping(fleet: Fleet, hosts: Sequence[str]) -> list[str]:
    """Those of `hosts` whose tier keeps pools."""
    return [name for name in hosts if fleet.hosts[name].pools is not None]


def none_keeps(fleet: Fleet, hosts: Sequence[str]) -> UsageError:
    """For hosts of which none keeps pools: which tiers they are of, and which tiers have some."""
    tiers = sorted({fleet.hosts[name].tier for name in hosts})
    having = sorted({host.tier for host in fleet.hosts.values() if host.pools is not None})
    if not having:
        hint = "say `pools:` in a tier of the inventory; docs/pools.md"
    else:
        hint = f"{'these tiers have' if len(having) > 1 else 'this tier has'}: {', '.join(having)}"
    why = f"no `pools:` in {'tiers' if len(tiers) > 1 else 'tier'} {', '.join(tiers)}"
    return UsageError(
        "no host of these keeps daemon pools",
        where=fleet.source,
        why=why if tiers else "",
        hint=hint,
    )


def guess(fleet: Fleet, hosts: Sequence[str], patterns: Sequence[str]) -> str:
    """A hint at what was meant by names no overseer knows: each says which is nearest there."""
    asked = ask_overseers(fleet, hosts, "explain", pools=list(patterns))
    refusals = [told.detail for told in asked.values() if isinstance(told, Silent)]
    meant = [(found[1], found[2]) for said in refusals if (found := _MEANT.search(said))]
    for pattern in patterns:
        near = nearest(pattern, sorted({name for word, name in meant if word == pattern}))
        if near:
            return f"did you mean {near.removeprefix('*/').removesuffix('/*')!r}?"
    return WHAT_THERE_IS
