"""Writing a fleet as a native inventory: hosts folded into ranges, what all share said once.

Reading what was written gives the same tiers, hosts, logins, tags and variables.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.inventory.names import NAME
from fleetctl.inventory.pools import pools_data

Block = dict[str, Any]
_NUMBERED = re.compile(r"^(.*?)([0-9]+)([^0-9]*)$", re.DOTALL)
_LOGIN_KEYS = {"connect_timeout_s": "connect_timeout"}
_PLAIN = Login()


def inventory_data(fleet: Fleet) -> Block:
    """The fleet as the data of a native inventory; paths in it are absolute."""
    data: Block = {"fleet": fleet.name}
    data |= {key: path for key in ("playbook", "known_hosts") if (path := getattr(fleet, key))}
    if fleet.carry is not None:
        data["carry"] = fleet.carry
    hosts = list(fleet.hosts.values())
    shared = _shared(hosts)
    defaults = {key: value for key, value in shared.items() if key != "variables"}
    if defaults:
        data["defaults"] = defaults
    if "variables" in shared:
        data["variables"] = shared["variables"]
    data["tiers"] = {tier.name: _tier(tier, fleet, shared) for tier in fleet.tiers.values()}
    return data


def _tier(tier: Tier, fleet: Fleet, outer: Block) -> Block:
    hosts = [fleet.hosts[name] for name in tier.hosts]
    shared = _shared(hosts)
    block = _without(shared, outer)
    if tier.limit:
        block["limit"] = tier.limit
    if tier.throttle_per_min:
        block["throttle"] = f"{_short(tier.throttle_per_min)}/min"
    if tier.timeout_s != Tier("", ()).timeout_s:
        block["timeout"] = _short(tier.timeout_s)
    if tier.floor:
        block["floor"] = tier.floor
    if hosts and (pools := hosts[0].pools) is not None:
        block["pools"] = pools_data(pools)
    entries = {_pattern(run): _entry(run, shared) for run in _runs(hosts)}
    if any(entries.values()):
        block["hosts"] = {pattern: entry or None for pattern, entry in entries.items()}
    else:
        block["hosts"] = list(entries) if len(entries) > 1 else next(iter(entries))
    return block


def _short(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _entry(run: Sequence[Host], outer: Block) -> Block:
    entry = _without(_shared(run), outer)
    names = [host.name for host in run]
    found = [host.address for host in run]
    if found != names:
        entry["address"] = _address(names, found)
    tags = {key: _spread([host.tags[key] for host in run]) for key in run[0].tags}
    if tags:
        entry["tags"] = tags
    return entry


def _shared(hosts: Sequence[Host]) -> Block:
    """What all of these hosts have: login fields that are not the usual, and variables."""
    if not hosts:
        return {}
    logins = list({id(host.login): host.login for host in hosts}.values())
    shared: Block = {}
    for key in Login.__struct_fields__:
        values = {getattr(login, key) for login in logins}
        if len(values) == 1 and (value := values.pop()) != getattr(_PLAIN, key):
            shared[_LOGIN_KEYS.get(key, key)] = list(value) if key == "identity" else value
    everywhere = _variables_of_all(hosts)
    if everywhere:
        shared["variables"] = everywhere
    return shared


def _variables_of_all(hosts: Sequence[Host]) -> Block:
    mappings = list({id(host.variables): host.variables for host in hosts}.values())
    found = dict(mappings[0])
    for mapping in mappings[1:]:
        found = {
            key: value
            for key, value in found.items()
            if key in mapping and _same(mapping[key], value)
        }
    return found


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _without(block: Block, outer: Block) -> Block:
    """What `block` says that `outer` does not say already."""
    left = {key: value for key, value in block.items() if key != "variables"
            and outer.get(key) != value}  # fmt: skip
    known = outer.get("variables", {})
    own = {key: value for key, value in block.get("variables", {}).items() if key not in known}
    return {**left, "variables": own} if own else left


def _runs(hosts: Sequence[Host]) -> Iterator[list[Host]]:
    """Hosts in a row that one entry can name: numbers counting up, all but tag values alike."""
    run: list[Host] = []
    for host in hosts:
        if run and not (_follows(run[-1].name, host.name) and _alike(run[-1], host)):
            yield run
            run = []
        run.append(host)
    if run:
        yield run


def _alike(one: Host, other: Host) -> bool:
    if one.login is not other.login and one.login != other.login:
        return False
    if one.tags.keys() != other.tags.keys():
        return False
    if one.variables is other.variables:
        return True
    return one.variables.keys() == other.variables.keys() and all(
        _same(value, other.variables[key]) for key, value in one.variables.items()
    )


def _follows(name: str, after: str) -> bool:
    """Whether `after` is the next name of a range `name` stands in."""
    first, second = _NUMBERED.match(name), _NUMBERED.match(after)
    if first is None or second is None or first[1] != second[1] or first[3] != second[3]:
        return False
    return f"{int(first[2]) + 1:0{len(first[2])}d}" == second[2]


def _pattern(run: Sequence[Host]) -> str:
    if len(run) == 1:
        return run[0].name
    first, last = _NUMBERED.match(run[0].name), _NUMBERED.match(run[-1].name)
    assert first is not None
    assert last is not None
    return f"{first[1]}[{first[2]}-{last[2]}]{first[3]}"


def _address(names: Sequence[str], found: Sequence[str]) -> str:
    """One text that gives these addresses to these names."""
    pattern = found[0].replace(names[0], "{name}", 1)
    if all(pattern.replace("{name}", n) == a for n, a in zip(names, found, strict=True)):
        return pattern
    if len(found) > 1 and all(_follows(a, b) for a, b in itertools.pairwise(found)):
        return _range(found)
    return f"{found[0]}+" if _counts_up(found) else ",".join(found)


def _counts_up(found: Sequence[str]) -> bool:
    try:
        numbers = [int(ipaddress.IPv4Address(text)) for text in found]
    except ValueError:
        return False
    return all(after == number + 1 for number, after in itertools.pairwise(numbers))


def _range(texts: Sequence[str]) -> str:
    first, last = _NUMBERED.match(texts[0]), _NUMBERED.match(texts[-1])
    assert first is not None
    assert last is not None
    return f"{first[1]}[{first[2]}-{last[2]}]{first[3]}"


def _spread(values: Sequence[str]) -> object:
    """The shortest way to write one tag's values over a range."""
    if len(set(values)) == 1:
        return values[0]
    each = next(i for i, value in enumerate(values) if value != values[0])
    rounds = [values[index] for index in range(0, len(values), each)]
    if each > 1 and all(value == rounds[i // each] for i, value in enumerate(values)):
        return {"each": each, "values": _listed(_period(rounds))}
    return _listed(_period(values))


def _period(values: Sequence[str]) -> Sequence[str]:
    """The shortest start of `values` that gives all of them when gone around."""
    again = (index for index in range(1, len(values)) if values[index] == values[0])
    for length in again:
        if all(value == values[i % length] for i, value in enumerate(values)):
            return values[:length]
    return values


def _listed(values: Sequence[str]) -> object:
    counting = (
        len(values) > 2
        and NAME.fullmatch(values[0]) is not None
        and all(_follows(a, b) for a, b in itertools.pairwise(values))
    )
    return _range(values) if counting else list(values)


def to_yaml(data: Mapping[str, object]) -> str:
    """The data of an inventory as YAML that reads back as the same data."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes text that would be read as something else; says everything where it holds."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    # YAML 1.2 takes more for a number than PyYAML's own 1.1 does; such text must be quoted.
    Dumper.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    )
    plain = msgspec.to_builtins(data)
    return yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
