"""The words of the program.

    schema KEY=VALUE... pending           names of active instances not current, one a line
    schema KEY=VALUE... has NAME          says yes when the list has it, in any state
    schema KEY=VALUE... status            one line of JSON: how many are where
    schema KEY=VALUE... upgrade NAME      apply what is pending there; exit 0: it is current
    schema KEY=VALUE... check NAME        exit 0: it is current
    schema KEY=VALUE... locate NAME       its database, when migrations of it are pending
    schema KEY=VALUE... mark NAME NUMBER  a person's word: it is as after that number

The keys: `kind` (mariadb, mysql, sqlite), `migrations` (a folder), `upto` (a number), one of
`file`, `command`, `query` for the list of instances, `database` (a pattern such as app_{name}), and
for a server `host`, `port`, `user`, `socket`, `defaults_file`.
Exit 1: a person must look; 2: wrong words.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from .engine import Engine, Session
from .facts import SAY_WHERE, Instance, Migration, Standing, Trouble, pending_of
from .listing import read_instances
from .migrations import read_migrations

_WHY_MAX = 300
_NAMED_MAX = 20
"""Names a status tells of each kind."""


class Shard:
    """The instances of one host's shard and the migrations they are to have."""

    def __init__(self, settings: Mapping[str, str], *, to_come: bool = False) -> None:
        """`to_come`: the last migrations may not be here yet, as before a push brings them."""
        self._settings = settings
        folder = Path(settings["migrations"]).expanduser()
        upto = int(settings.get("upto") or 0) or None
        self.migrations: list[Migration] = read_migrations(folder, upto, to_come=to_come)
        self.number = upto or self.migrations[-1].number
        """Which number a current instance is at."""
        self.engine = _engine(settings)

    @property
    def wanted(self) -> int:
        return len(self.migrations)

    def word(self, standing: Standing) -> str:
        """Where an instance stands, counting what is to come."""
        word = standing.word(self.wanted)
        lacking = self.number > self.migrations[-1].number
        return "pending" if lacking and word == "current" else word

    def instances(self, only: str | None = None) -> list[Instance]:
        settings = self._settings
        pattern = settings.get("database") or "{name}"
        return read_instances(settings, pattern, self.engine.ask, only)

    def instance(self, name: str) -> Instance:
        """The one named; raises Trouble when the list has it not, or not as active."""
        found = self.instances(name)
        if not found:
            raise Trouble(f"the list of instances has no {name}")
        return found[0]

    def close(self) -> None:
        self.engine.close()

    def survey(self, instances: Sequence[Instance]) -> dict[str, Standing]:
        return self.engine.survey(instances, self.migrations) if instances else {}


def tell_pending(shard: Shard) -> int:
    """Names of what is not known to be current; each comes to an end of its own."""
    standings = shard.survey([one for one in shard.instances() if one.active])
    for name, standing in standings.items():
        if standing.word(shard.wanted) != "current":
            sys.stdout.write(f"{name}\n")
    return 0


def tell_status(shard: Shard) -> int:
    """Counts, the oldest version, and some names of each kind."""
    instances = shard.instances()
    active = [one for one in instances if one.active]
    standings = shard.survey(active)
    words = {name: shard.word(standing) for name, standing in standings.items()}
    versions = [one.version for name, one in standings.items() if words[name] != "unknown"]
    told = {
        "number": shard.number,
        "instances": len(active),
        "asleep": len(instances) - len(active),
        **dict.fromkeys(("current", "pending", "failed", "unknown"), 0),
        **Counter(words.values()),
        "oldest": min(versions, default=None),
        "named": {
            word: [_named(name, standings[name]) for name in words if words[name] == word][
                :_NAMED_MAX
            ]
            for word in ("pending", "failed", "unknown")
        },
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def _named(name: str, standing: Standing) -> dict[str, object]:
    why = standing.broken.words() if standing.broken is not None else standing.unknown
    return {"name": name, "version": standing.version, "why": " ".join(why.split())[:_WHY_MAX]}


def check(shard: Shard, name: str) -> int:
    """Whether nothing is pending."""
    instance = shard.instance(name)
    standing = shard.survey([instance])[name]
    return 0 if not instance.active or standing.word(shard.wanted) == "current" else 1


def locate(shard: Shard, name: str) -> int:
    """The database that is about to be upgraded; for who makes a backup of it before.

    Not one that broke: it is left as it is, and the backup from before it broke must stay.
    """
    instance = shard.instance(name)
    if instance.active and shard.survey([instance])[name].word(shard.wanted) == "pending":
        sys.stdout.write(f"{instance.database}\n")
    return 0


def upgrade(shard: Shard, name: str) -> int:
    """Apply what is pending, under the database's lock."""
    instance = shard.instance(name)
    if not instance.active:
        sys.stdout.write(f"{name} is {instance.state}: it is upgraded when it comes back\n")
        return 0
    with shard.engine.open(instance) as session:
        ended = session.ended()
        before = at = max(ended, default=0)
        try:
            for migration in _todo(shard, name, session, ended):
                count = session.apply(migration)
                at = max(at, migration.number)
                sys.stdout.write(f"{migration.file}: {count} statements\n")
                sys.stdout.flush()
        except Trouble:
            sys.stdout.write(f"{name} is at {at}\n")
            sys.stdout.flush()
            raise
    sys.stdout.write(f"{name} {before} -> {at}\n" if at > before else f"{name} is at {at}\n")
    return 0


def _todo(shard: Shard, name: str, session: Session, ended: set[int]) -> list[Migration]:
    """What is to be applied; raises Trouble where an earlier one broke."""
    broken = session.broken()
    if broken is None:
        return pending_of(shard.migrations, ended)
    raise Trouble(f"{name}: {broken.words()}\n  {' '.join(broken.text.split())[:200]}\n{SAY_WHERE}")


def mark(shard: Shard, name: str, number: int) -> int:
    """Take a person's word for where an instance is."""
    if number and number not in {one.number for one in shard.migrations}:
        raise Trouble(f"there is no migration {number}; the newest is {shard.number}")
    with shard.engine.open(shard.instance(name)) as session:
        session.mark(shard.migrations, number)
    sys.stdout.write(f"{name} is at {number}\n")
    return 0


def _engine(settings: Mapping[str, str]) -> Engine:
    kind = settings["kind"]
    if kind == "sqlite":
        from .sqlite import Sqlite

        return Sqlite()
    if kind in ("mariadb", "mysql"):
        from .mariadb import MariaDb

        return MariaDb(settings)
    raise Trouble(f"no engine is called {kind}: mariadb, mysql or sqlite")


def run(words: Sequence[str]) -> int:
    """Do what the words say; returns the exit code."""
    given = [word.partition("=") for word in itertools.takewhile(lambda word: "=" in word, words)]
    try:
        settings = {key: value for key, _, value in given}
        verb = list(words[len(given) :])
        with closing(Shard(settings, to_come=verb == ["status"])) as shard:
            return _do(shard, verb)
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    except (KeyError, ValueError) as error:
        sys.stderr.write(f"wrong words: {error!r}\n")
        return 2


def _do(shard: Shard, words: list[str]) -> int:
    match words:
        case ["pending"]:
            return tell_pending(shard)
        case ["status"]:
            return tell_status(shard)
        case ["has", name]:
            sys.stdout.write("yes\n" if shard.instances(name) else "")
            return 0
        case ["check", name]:
            return check(shard, name)
        case ["locate", name]:
            return locate(shard, name)
        case ["upgrade", name]:
            return upgrade(shard, name)
        case ["mark", name, number] if number.isdecimal():
            return mark(shard, name, int(number))
    raise ValueError(" ".join(words))
