"""`schema-upgrade`: every instance of a host's shard whose migrations are pending, and no other.

- schema-upgrade:
    engine: mariadb
    migrations: /srv/app/current/migrations
    to: 42
    instances: { query: "SELECT name, state FROM hosting.instances WHERE shard = '{{tag.shard}}'" }
    databases: app_{name}
    backup: mysqldump "$FLEETCTL_DATABASE" > /var/backups/{{item}}.sql
    concurrency: 4

Or the application's own commands:

- schema-upgrade:
    pending: [bin/storage, pending]
    upgrade: [bin/storage, upgrade, --instance, "{{item}}"]
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from fleetctl.base.names import did_you_mean
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.foreach import CONCURRENCY_MAX, LIST_PART
from fleetctl.playbook.kinds import (
    RELEASE,
    Artifact,
    KindContext,
    SchemaNumber,
    SchemaWords,
    StepDraft,
    StepKind,
)
from fleetctl.playbook.operations import Exec, Foreach, Listing, Put, Retry
from fleetctl.playbook.schemaprogram import Program
from fleetctl.playbook.source import Command
from fleetctl.playbook.substitute import check_shell, names_in

NOUN = "instance"
ENGINES = ("mariadb", "mysql", "sqlite")
AGAIN = Retry(attempts=1)
"""May be sent again when nobody knows how it ended: what was applied is on record in the database,
and what broke is refused there. What failed stays failed."""


class Instances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the list of instances comes from, on the host; exactly one of these.

    Lines are `NAME [DATABASE [STATE]]`; a query's columns are called name, database, state.
    """

    query: str = ""
    """SQL on the shard's server."""
    file: str = ""
    command: str = ""
    """sh text."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the program reaches the server, on the host."""

    socket: str = ""
    host: str = ""
    port: int | None = None
    user: str = ""
    defaults_file: str = ""
    """A file such as ~/.my.cnf with user and password; the one place for a password."""


class SchemaUpgrade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the author wrote: an engine and its migrations, or the application's own commands."""

    engine: str = ""
    """mariadb, mysql or sqlite; or a name for it, such as `{{var.engine}}`."""
    migrations: str = ""
    """The folder of numbered SQL files on the host."""
    to: SchemaNumber | None = None
    """The number the instances are at afterwards, or `release`: the one the release of the phase
    says it needs; left out: the newest in the folder."""
    instances: Instances = Instances()
    databases: str = "{name}"
    """An instance's database where the list does not say: `app_{name}`, `/srv/data/{name}.db`."""
    server: Server = Server()
    python: str = "python3"
    """The host's Python, 3.10 or later."""
    pending: Command = ""
    """Prints the names of instances with pending migrations, one a line."""
    upgrade: Command = ""
    """Upgrades the instance {{item}}."""
    backup: Command = ""
    """Before each instance's upgrade; when it fails, the instance is not upgraded."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=CONCURRENCY_MAX)] = 1
    """Most instances at once on one host."""


def compile_upgrade(value: SchemaUpgrade, context: KindContext) -> tuple[StepDraft, ...]:
    """The program laid down and unpacked, the list, the upgrades; raises ValueError."""
    _check_whole(value)
    value = _with_number(value, context.artifact)
    if not value.engine:
        return (_listing(shell_of(value.pending)), _foreach(value, _own_upgrade(value), None))
    program = program_of(value)
    put = Put(program.source, program.sha256, program.size, program.zipped)
    unpack = Exec(program.unpacking(), program.unpacked())
    return (
        StepDraft(put, "lay down the schema program", part="program"),
        StepDraft(unpack, "unpack the schema program", part="unpack", retry=AGAIN),
        _listing(program.call("pending")),
        _foreach(value, _upgrade(value, program), AGAIN),
    )


KIND = StepKind(
    word="schema-upgrade",
    model=SchemaUpgrade,
    compile=compile_upgrade,
    fans_out=True,
    schema=lambda value: SchemaWords(upgrades=True, to=value.to),
)


def program_of(value: SchemaUpgrade) -> Program:
    """The program that serves this step's engine, with its settings."""
    from fleetctl.adapters.pack import pack_schema

    settings = {
        "kind": value.engine,
        "migrations": value.migrations,
        "upto": "" if value.to is None else str(value.to),
        "database": value.databases,
        **msgspec.structs.asdict(value.instances),
        **{key: str(word or "") for key, word in msgspec.structs.asdict(value.server).items()},
    }
    libraries = () if value.engine == "sqlite" else ("pymysql", "sqlparse")
    # An engine that is only known host by host may turn out to need none.
    pack = pack_schema(libraries, must=value.engine in ENGINES)
    return Program(value.python, pack, {key: word for key, word in settings.items() if word})


def _listing(text: str) -> StepDraft:
    title = f"list {NOUN}s with pending migrations"
    return StepDraft(Listing(text), title, part=LIST_PART, retry=AGAIN)


def _foreach(value: SchemaUpgrade, act: str, retry: Retry | None) -> StepDraft:
    check_shell(act)
    to = "" if value.to is None else f" to {value.to}"
    each = Foreach(act, concurrency=value.concurrency, noun=NOUN)
    return StepDraft(each, f"upgrade the schema{to}", retry=retry)


def _upgrade(value: SchemaUpgrade, program: Program) -> str:
    upgrade = program.call("upgrade", "{{item}}")
    if not value.backup:
        return upgrade
    return "\n".join([
        f"FLEETCTL_DATABASE=$({program.call('locate', '{{item}}')}) || exit 1",
        'if [ -n "$FLEETCTL_DATABASE" ]; then',
        "export FLEETCTL_DATABASE",
        _backup(value),
        "fi",
        upgrade,
    ])  # fmt: skip


def _own_upgrade(value: SchemaUpgrade) -> str:
    upgrade = shell_of(value.upgrade)
    return f"{_backup(value)}\n{upgrade}" if value.backup else upgrade


def _backup(value: SchemaUpgrade) -> str:
    return (
        f"(\n{shell_of(value.backup)}\n) || "
        "{ echo 'the backup failed, so the instance was not upgraded' >&2; exit 1; }"
    )


def _with_number(value: SchemaUpgrade, artifact: Artifact | None) -> SchemaUpgrade:
    if value.to != RELEASE:
        return value
    if artifact is None:
        raise ValueError("to: release, but this phase deploys none; name a number")
    if not artifact.schema:
        raise ValueError(
            f"to: release, but {artifact.release} does not say which schema it needs; "
            "add it with `fleetctl releases add ... --schema NUMBER`"
        )
    return msgspec.structs.replace(value, to=artifact.schema)


def _check_engine(engine: str) -> None:
    if not names_in([engine]) and engine not in ENGINES:
        hint = did_you_mean(engine, ENGINES) or f"known: {', '.join(ENGINES)}"
        raise ValueError(f"engine: {engine!r} is none we know; {hint}")


def _check_whole(value: SchemaUpgrade) -> None:
    own = [name for name in ("pending", "upgrade") if getattr(value, name)]
    if value.engine and own:
        raise ValueError(f"{own[0]}: with an engine, the shipped program does that; take one away")
    if not value.engine and len(own) < 2:
        raise ValueError(
            "give it an engine (mariadb, mysql, sqlite) with migrations and instances, "
            "or the application's commands: pending and upgrade"
        )
    if not value.engine:
        for name in ("migrations", "instances", "server"):
            if getattr(value, name) != getattr(SchemaUpgrade(), name):
                raise ValueError(f"{name}: only with an engine; commands know it themselves")
        return
    _check_engine(value.engine)
    if not value.migrations:
        raise ValueError("migrations: the folder of numbered SQL files on the host is missing")
    sources = [word for word in msgspec.structs.astuple(value.instances) if word]
    if len(sources) != 1:
        raise ValueError("instances: exactly one of query, file and command says which there are")
    if value.engine == "sqlite" and (value.instances.query or value.server != Server()):
        raise ValueError("sqlite has no server to query: list its instances by file or command")
