"""What there is of overseers on hosts, what there should be, and the difference in words."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fleetctl.base.errors import InputError, InternalError, Location, Refused
from fleetctl.base.hostrange import fold
from fleetctl.cli.asking import Answer, ask_hosts
from fleetctl.cli.poolturnover import Turnover, turnover, turnover_lines
from fleetctl.inventory.model import Fleet, Host, Pools
from fleetctl.plan.adhoc import adhoc_plan
from fleetctl.plan.render import render_step, values_of
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.poolsinstall import LOOK, WISHED_INSTANCES, sections
from fleetctl.playbook.substitute import fill_plain, fill_shell
from fleetctl.pools.overseer.amounts import counted
from fleetctl.pools.packing import unit_template, version
from fleetctl.pools.specfiles import INSTANCES, SpecFiles, in_lines, safe
from fleetctl.transport.protocol import Looked, Lost

LOOK_TIMEOUT_S = 30.0
CONNECT_MORE_S = 10.0
NAMED_MOST = 3
"""Instances that are new or gone are named up to this many."""
LINES_MOST = 40
Values = Callable[[str], str]


class Found(msgspec.Struct, frozen=True):
    """What there is on a host."""

    laid: Mapping[str, Any]
    """What was laid down last; empty: nothing was."""
    files: Mapping[str, str]
    listed: tuple[str, ...] | None
    """The instances the host lists now; None: the inventory has no command for that."""
    told: Mapping[str, Any] | None
    """The overseer's status; None: none answers."""

    @property
    def own(self) -> Mapping[str, Any]:
        """The overseer's figures."""
        own: Mapping[str, Any] = (self.told or {}).get("overseer", {})
        return own


class Wished(msgspec.Struct, frozen=True):
    """What there should be on a host."""

    files: Mapping[str, str]
    python: str
    reserve: float
    unit: str
    unit_text: str

    @property
    def generation(self) -> str:
        """The hash of the files; what the folder of specs is called by."""
        spoken = json.dumps(dict(self.files), sort_keys=True)
        return hashlib.sha256(spoken.encode()).hexdigest()[:16]

    def order(self) -> str:
        """As the program that lays itself down reads it."""
        return json.dumps({**msgspec.structs.asdict(self), "specs": self.generation}, indent=1)


class Looker:
    """Asks hosts what there is, and makes what there should be of it."""

    def __init__(self, fleet: Fleet, hosts: Sequence[str]) -> None:
        self.fleet = fleet
        self.hosts = hosts
        self._plan = adhoc_plan(fleet, hosts, "{{pools.home}}")
        self._specs: dict[str, SpecFiles] = {}
        self._lists: dict[str, list[str]] = {}

    def check_here(self) -> None:
        """Raises the mistakes of spec files that can be known without asking a host."""
        for host in self.hosts:
            pools = self._pools(host)
            if not pools.specs:
                raise InputError(
                    f"tier {self.fleet.hosts[host].tier} keeps pools, but names no specs",
                    Location(self.fleet.source),
                    hint="say `specs: FOLDER` under its `pools:`",
                )
            self._specs_of(pools).made_for(self._fill(host), self._from_file(pools))

    def look(self) -> dict[str, Found]:
        """What each host has; raises Refused when one does not tell all of it."""
        fleet = with_variables(
            self.fleet, {h: {WISHED_INSTANCES: self._list(h)} for h in self.hosts}
        )
        plan = adhoc_plan(fleet, self.hosts, LOOK)
        phase = plan.phases[0]
        scripts: dict[str, str] = {}
        for host in self.hosts:
            operation = render_step(plan, phase, phase.steps[0], host)
            assert isinstance(operation, Exec)
            scripts[host] = operation.act
        from fleetctl.cli.reach import reach

        within_s = LOOK_TIMEOUT_S + CONNECT_MORE_S
        answers = ask_hosts(scripts, reach(plan), LOOK_TIMEOUT_S, within_s=within_s)
        return self._whole({host: _read(answer) for host, answer in answers.items()})

    def _whole(self, found: Mapping[str, Found | str]) -> dict[str, Found]:
        silent: dict[str, list[str]] = {}
        for host, one in found.items():
            if isinstance(one, str):
                silent.setdefault(one, []).append(host)
        if silent:
            left_out = fold(host for hosts in silent.values() for host in hosts)
            raise Refused(
                "not every host tells what there is of an overseer",
                why="; ".join(f"{fold(hosts)}: {why}" for why, hosts in silent.items()),
                hint=f"leave them out: --exclude {shlex.quote(left_out)}; nothing was touched",
            )
        return {host: one for host, one in found.items() if isinstance(one, Found)}

    def wished(self, host: str, found: Found) -> Wished:
        """What there should be; raises InputErrors for specs that do not fit its instances."""
        pools, values = self._pools(host), self._values(host)
        listed = self._from_file(pools) if found.listed is None else list(found.listed)
        files = self._specs_of(pools).made_for(self._fill(host), listed or [])
        python = fill_plain(pools.python, values)
        unit = pools.unit if "." in pools.unit or not pools.unit else f"{pools.unit}.service"
        return Wished(files, python, pools.reserve, unit, unit_template() if unit else "")

    def _pools(self, host: str) -> Pools:
        pools = self.fleet.hosts[host].pools
        assert pools is not None  # only hosts that keep pools are asked
        return pools

    def _specs_of(self, pools: Pools) -> SpecFiles:
        if pools.specs not in self._specs:
            self._specs[pools.specs] = SpecFiles(Path(pools.specs))
        return self._specs[pools.specs]

    def _from_file(self, pools: Pools) -> list[str] | None:
        """The instances a file here names; None where a host lists them."""
        file = pools.instances_file
        if not file:
            return None if pools.instances_command else []
        if file not in self._lists:
            try:
                self._lists[file] = Path(file).read_text(encoding="utf-8").split()
            except OSError as error:
                why = error.strerror or str(error)
                raise InputError("cannot read the instances", Location(file), why=why) from None
        return self._lists[file]

    def _list(self, host: str) -> str:
        command = self._pools(host).instances_command
        return fill_shell(command, self._values(host)) if command else ""

    def _fill(self, host: str) -> Callable[[str], str]:
        values = self._values(host)
        return lambda text: fill_plain(text, lambda name: safe(values(name)))

    def _values(self, host: str) -> Values:
        known = values_of(self._plan, self._plan.hosts[host])

        def value(name: str) -> str:
            try:
                return known(name)
            except InternalError:
                raise ValueError(f"{{{{{name}}}}} has no value on {host}") from None

        return value


def with_variables(fleet: Fleet, given: Mapping[str, Mapping[str, str]]) -> Fleet:
    """The fleet with more variables on some hosts."""
    hosts: dict[str, Host] = {
        name: msgspec.structs.replace(host, variables={**host.variables, **given[name]})
        if name in given
        else host
        for name, host in fleet.hosts.items()
    }
    return msgspec.structs.replace(fleet, hosts=hosts)


def _read(answer: Answer | None) -> Found | str:
    """What a host told; a text says why that is not known."""
    if isinstance(answer, Lost):
        return f"{answer.cause}: {answer.detail}"
    if not isinstance(answer, Looked) or answer.exit_status is None:
        return "no answer within its deadline"
    held = answer.stdout.head + answer.stdout.tail
    if answer.stdout.size > len(held):
        return "its answer is too long to be known whole"
    try:
        found = sections(gzip.decompress(base64.b64decode(held)).decode("utf-8", "replace"))
        return _found(found)
    except (ValueError, OSError, EOFError, zlib.error):
        said = (answer.stderr.head + answer.stderr.tail).decode("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else "its answer makes no sense"


def _found(told: Mapping[str, str]) -> Found | str:
    if "lacks python" in told:
        return "it has no such Python as the inventory names"
    failed = next((heading for heading in told if heading.startswith("unlisted ")), None)
    if failed is not None:
        said = told.get("listing", "").strip().splitlines()
        why = f": {said[-1]}" if said else ""
        return f"the command that lists its instances ended with {failed.split()[1]}{why}"
    files = {
        heading.removeprefix("file "): text
        for heading, text in told.items()
        if heading.startswith("file ")
    }
    listed = told.get("instances")
    status = told.get("status 0")
    return Found(
        laid=json.loads(told["laid"]) if "laid" in told else {},
        files=files,
        listed=None if listed is None else tuple(listed.split()),
        told=json.loads(status) if status else None,
    )


class Change(msgspec.Struct, frozen=True):
    """What would become different on a host."""

    host: str
    lines: tuple[str, ...]
    gone: frozenset[str] = frozenset()
    """Instances that are on the host and should not be."""
    new: frozenset[str] = frozenset()
    pools: Turnover | None = None
    """None: the pools are the same ones."""

    @property
    def any(self) -> bool:
        """Whether something would."""
        return bool(self.lines or self.gone or self.new)


def change_of(host: str, found: Found, wished: Wished) -> Change:
    """The plain difference between what there is and what there should be."""
    was, now = found.laid.get("version"), version()
    lines = []
    if was != now or (found.told is not None and found.own.get("version") != now):
        lines.append(f"program {found.own.get('version') or was or '(none)'} -> {now}")
    lines += _differing(in_lines(found.files), in_lines(wished.files))
    before, after = (
        frozenset(each.get(INSTANCES, "").split()) for each in (found.files, wished.files)
    )
    ways = [wished.python, wished.reserve, wished.unit]
    if found.laid and found.laid.get("ways") != ways:
        lines.append(f"runs as {_ways(found.laid.get('ways'))} -> {_ways(ways)}")
    laid = f"specs.{wished.generation}"
    if found.told is None:
        by = (
            f" by {wished.unit}"
            if wished.unit
            else "; after a reboot by nobody: no `unit` is named"
        )
        lines.append(f"the overseer is started{by}")
    elif (
        not lines and before == after and {found.laid.get("specs"), found.own.get("laid")} != {laid}
    ):
        lines.append("the overseer reads the same specs anew")
    pools = turnover(found.files, wished.files, found.told)
    return Change(host, tuple(lines), before - after, after - before, pools)


def _ways(ways: object) -> str:
    if not isinstance(ways, list) or len(ways) != 3:
        return "(unknown)"
    return f"{ways[0]}, reserve {ways[1]:g} %{', ' + str(ways[2]) if ways[2] else ''}"


def _differing(before: Sequence[str], after: Sequence[str]) -> list[str]:
    gone, new = set(before) - set(after), set(after) - set(before)
    marked = [(line, "-") for line in gone] + [(line, "+") for line in new]
    return [f"{mark} {line}" for line, mark in sorted(marked)]


def change_lines(changes: Iterable[Change]) -> list[str]:
    """For people: hosts with the same difference together, those without one last."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.lines, bool(change.gone), bool(change.new)), []).append(change)
    told = []
    for same in sorted(groups.values(), key=lambda each: not each[0].any):
        lines, hosts = same[0].lines, fold(change.host for change in same)
        told.append(f"{hosts} ({len(same)})" + ("" if same[0].any else ": nothing changes"))
        shown = lines if len(lines) <= LINES_MOST else lines[: LINES_MOST - 1]
        told += [f"  {line}" for line in shown]
        if len(shown) < len(lines):
            told.append(f"  ... and {len(lines) - len(shown)} lines more")
        told += [f"  {line}" for line in _instances("-", [change.gone for change in same])]
        told += [f"  {line}" for line in _instances("+", [change.new for change in same])]
        told += [f"  {line}" for line in turnover_lines([change.pools for change in same])]
    return told


def _instances(mark: str, on_hosts: Sequence[frozenset[str]]) -> list[str]:
    """Instances that come or go: named while they are few and the same everywhere."""
    first, count = on_hosts[0], sum(map(len, on_hosts))
    if all(names == first for names in on_hosts) and len(first) <= NAMED_MOST:
        return [f"{mark} instance {name}" for name in sorted(first)]
    return [f"{mark} {count} instances, such as {min(min(names) for names in on_hosts if names)}"]


def dying_line(host: str, found: Found) -> str:
    """What an uninstall ends on a host."""
    if found.told is None:
        return f"{host}: no overseer answers; what daemons it left are ended"
    rows: Sequence[Mapping[str, Any]] = found.told.get("pools", ())
    busy = sum(int(row.get("busy", 0)) for row in rows)
    ending = found.own.get("processes", 0)
    return (
        f"{host}: {counted(found.own.get('pools', 0), 'pool')},"
        f" {counted(ending, 'process')} {'ends' if ending == 1 else 'end'}, {busy} of them busy"
    )
