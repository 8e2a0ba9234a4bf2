"""Inventories that are wrong, each with exactly what must be told: one table, read by a test."""

from __future__ import annotations

HEAD = "fleet: f\ntiers:\n  db:\n"

NATIVE: dict[str, tuple[str, str]] = {
    "unknown key at the top": (
        "flet: f\ntiers: {db: {hosts: a}}\n",
        'i.yaml:1:1: unknown key "flet"\n  hint: did you mean "fleet"?',
    ),
    "unknown key of a tier": (
        HEAD + "    hosts: a\n    trottle: 3/s\n",
        'i.yaml:5:5: unknown key "trottle" in tiers.db\n  hint: did you mean "throttle"?',
    ),
    "unknown key of a host": (
        HEAD + "    hosts:\n      a: {}\n      db[1-3]:\n        prot: 22\n",
        'i.yaml:7:9: unknown key "prot" in tiers.db.hosts.db[1-3]\n  hint: did you mean "port"?',
    ),
    "wrong type": (
        HEAD + "    hosts: a\n    port: ssh\n",
        'i.yaml:5:11: expected a whole number, found "ssh" in tiers.db.port',
    ),
    "key twice": (
        HEAD + "    hosts: a\n    limit: 1\n    limit: 2\n",
        'i.yaml:6:5: the key "limit" stands twice\n  why: first: line 5',
    ),
    "host twice in one tier": (
        HEAD + "    hosts:\n    - db[1-3]\n    - db2\n",
        'i.yaml:6:7: host "db2" is listed twice\n  why: first: line 5, in tier "db"',
    ),
    "host twice in two tiers": (
        HEAD + "    hosts: a\n  web:\n    hosts:\n      a: {}\n",
        'i.yaml:7:7: host "a" is listed twice\n  why: first: line 4, in tier "db"',
    ),
    "range counts down": (
        HEAD + "    hosts: db[5-1]\n",
        "i.yaml:4:5: the range [5-1] in 'db[5-1]' counts downwards\n"
        "  hint: for example db[001-016] or db[1-3,7]",
    ),
    "range unreadable": (
        HEAD + "    hosts:\n      db[1-: {}\n",
        "i.yaml:5:7: unbalanced or unreadable range in 'db[1-'; write it as db[001-016]\n"
        "  hint: for example db[001-016] or db[1-3,7]",
    ),
    "host named like a flag": (
        HEAD + "    hosts: [-oProxyCommand]\n",
        'i.yaml:4:13: "-oProxyCommand" is no host name\n'
        "  hint: letters, digits, dot, dash and underscore; ranges as db[001-016]",
    ),
    "host named like a word of selectors": (
        HEAD + "    hosts: [all]\n",
        'i.yaml:4:13: a host cannot be named "all"\n  why: selectors use the word',
    ),
    "via unknown": (
        HEAD + "    hosts: a\n    via: bastoin\n  bastion:\n    hosts: bastion\n",
        'i.yaml:5:10: via names no host of this fleet: "bastoin"\n  hint: did you mean "bastion"?',
    ),
    "via in a circle": (
        HEAD + "    hosts:\n      a: {via: b}\n      b: {via: a}\n",
        "i.yaml:6:16: via goes in a circle: b -> a -> b",
    ),
    "via itself": (
        HEAD + "    hosts:\n      a: {via: a}\n",
        'i.yaml:5:16: host "a" goes through itself\n  hint: via: "" means directly',
    ),
    "floor above 100%": (
        HEAD + "    hosts: a\n    floor: 120%\n",
        "i.yaml:5:12: floor: 120% is more than 100%",
    ),
    "floor above the tier": (
        HEAD + "    hosts: db[1-4]\n    floor: 5\n",
        "i.yaml:5:12: the floor 5 is above the 4 hosts of tier db\n"
        "  why: nothing of it could ever be worked on",
    ),
    "limit no amount": (
        HEAD + "    hosts: a\n    limit: few\n",
        'i.yaml:5:12: limit: "few" is neither a count such as 3 nor a percentage such as 25%',
    ),
    "limit of nothing": (
        "fleet: f\ndefaults:\n  limit: 0\ntiers: {db: {hosts: a}}\n",
        "i.yaml:3:10: limit: 0 would let no host start; leave it out for no limit",
    ),
    "throttle no rate": (
        HEAD + "    hosts: a\n    throttle: 3/day\n",
        'i.yaml:5:15: throttle: "3/day" is no rate; write it as 30/min or 2/s',
    ),
    "timeout no duration": (
        HEAD + "    hosts: a\n    timeout: 5 minutes\n",
        "i.yaml:5:14: timeout: '5 minutes' is no duration; write it as 30s, 5m or 1h30m",
    ),
    "port out of range": (
        HEAD + "    hosts: a\n    port: 70000\n",
        "i.yaml:5:11: Expected `int` <= 65535 in tiers.db.port",
    ),
    "transport unknown": (
        HEAD + "    hosts: a\n    transport: telnet\n",
        'i.yaml:5:16: "telnet" is no word known in tiers.db.transport\n  hint: known: local, ssh',
    ),
    "addresses too few": (
        HEAD + "    hosts: db[1-4]\n    address: 10.0.0.[1-3]\n",
        'i.yaml:5:14: the address "10.0.0.[1-3]" does not fit\n'
        "  why: it gives 3 addresses for 4 hosts\n"
        "  hint: {name}.example.com, a range 10.0.0.[11-26], or 10.0.0.11+ to count up",
    ),
    "address placeholder unknown": (
        HEAD + '    hosts: a\n    address: "{nmae}.x"\n',
        'i.yaml:5:14: the address "{nmae}.x" does not fit\n'
        "  why: {nmae} means nothing here; {name} and {tier} do\n"
        "  hint: {name}.example.com, a range 10.0.0.[11-26], or 10.0.0.11+ to count up",
    ),
    "one machine under two names": (
        HEAD + "    hosts:\n      a: {address: 10.0.0.1}\n      b: {address: 10.0.0.1}\n",
        'i.yaml:6:7: host "b" has the address 10.0.0.1 of host "a"\n'
        "  why: one machine under two names would be worked on twice at once; first: line 5",
    ),
    "user named like a flag": (
        HEAD + "    hosts: a\n    user: -l\n",
        'i.yaml:5:11: user: "-l" is no user name',
    ),
    "tag with a reserved name": (
        HEAD + "    hosts: a\n    tags: {tier: x}\n",
        'i.yaml:5:12: "tier" is no name for a tag\n'
        "  hint: zone, shard, pair, or a word of your own",
    ),
    "tag list empty": (
        HEAD + "    hosts: a\n    tags: {zone: []}\n",
        "i.yaml:5:18: an empty list gives no host a value",
    ),
    "tag as a decimal": (
        HEAD + "    hosts: a\n    tags: {version: 1.10}\n",
        "i.yaml:5:21: expected true or false or a whole number or text or a mapping or a list,"
        " found 1.1 in tiers.db.tags.version",
    ),
    "variable with a bad name": (
        "fleet: f\nvariables: {a b: 1}\ntiers: {db: {hosts: a}}\n",
        'i.yaml:2:13: "a b" is no name for a variable\n'
        "  hint: letters, digits and _, not a digit first",
    ),
    "tier without hosts": (
        HEAD + "    hosts: []\n",
        'i.yaml:4:12: tier "db" has no hosts',
    ),
    "no tiers": ("fleet: f\ntiers: {}\n",
        "i.yaml:2:8: there are no tiers\n  hint: a fleet needs one at least"),
    "not YAML": ("fleet: [f\n",
        "i.yaml:2:1: not readable as YAML: did not find expected ',' or ']'"),
    "several at once": (
        HEAD + "    hosts: [a, a, 'b[2-1]']\n    limit: x\n    floor: 101%\n",
        'i.yaml:4:16: host "a" is listed twice\n  why: first: line 4, in tier "db"\n'
        "i.yaml:4:19: the range [2-1] in 'b[2-1]' counts downwards\n"
        "  hint: for example db[001-016] or db[1-3,7]\n"
        'i.yaml:5:12: limit: "x" is neither a count such as 3 nor a percentage such as 25%\n'
        "i.yaml:6:12: floor: 101% is more than 100%",
    ),
}  # fmt: skip
