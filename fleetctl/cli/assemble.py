"""From the words of a command line to a plan: what `plan`, `push` and `deploy` share.

Everything a person can get wrong in inventory, playbook, pins and flags is told here, before
anything is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from fleetctl.base.errors import UsageError
from fleetctl.base.names import sounds_secret
from fleetctl.cli.journal import journal_option
from fleetctl.cli.output import tell
from fleetctl.cli.releases import releases_option
from fleetctl.cli.selection import Choice

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.plan.model import Plan
    from fleetctl.plan.request import Overrides

Command = TypeVar("Command", bound=Callable[..., Any])


class Wish(msgspec.Struct, frozen=True):
    """What a plan is asked for, in the words of the command line."""

    choice: Choice = msgspec.field(default_factory=Choice)
    """Which inventory, and which hosts of the playbook's."""
    playbook: str | None = None
    """None: the fleet's default playbook."""
    release: tuple[str, ...] = ()
    """`RELEASE` for every tier, or `TIER=RELEASE`; else the pins."""
    var: tuple[str, ...] = ()
    phase: tuple[str, ...] = ()
    batch: str | None = None
    fanout: int | None = None
    throttle: str | None = None
    max_failures: str | None = None
    journal: str | None = None
    releases_dir: str | None = None


class Assembled(msgspec.Struct, frozen=True):
    """The plan, and the fleet it is for."""

    plan: Plan
    fleet: Fleet


def wish_options(command: Command) -> Command:
    """The flags of a Wish but for the selection and the playbook; see `wish_of`."""
    for option in (
        pace_options,
        click.option("--phase", multiple=True, metavar="NAME", help="Only this phase."),
        click.option("--release", multiple=True, metavar="[TIER=]REL",
                     help="The release to deploy instead of the pinned one."),
    ):  # fmt: skip
        command = option(command)
    return command


def pace_options(command: Command) -> Command:
    """Those that do not say what is done: how fast, with which variables, kept where."""
    for option in (
        releases_option,
        journal_option,
        click.option("--max-failures", metavar="N|N%", help="Hosts that may be lost in all."),
        click.option("--throttle", metavar="N/min", help="Most host starts in a time."),
        click.option("--fanout", "-f", type=click.IntRange(1), help="Most connections at once."),
        click.option("--batch", metavar="N|N%", help="Batch sizes instead of the playbook's, "
                     "e.g. 1 or 1,25%,100%."),
        click.option("--var", "-e", multiple=True, metavar="NAME=VALUE", help="Set a variable."),
    ):  # fmt: skip
        command = option(command)
    return command


def wish_of(choice: Choice, playbook: str | None, words: dict[str, Any]) -> Wish:
    """The Wish of a command's parameters; takes out of `words` what belongs to it."""
    names = ("release", "var", "phase", "batch", "fanout", "throttle", "max_failures", "journal",
             "releases_dir")  # fmt: skip
    return Wish(choice, playbook, **{name: words.pop(name) for name in names if name in words})


def assemble(wish: Wish) -> Assembled:
    """Load, check and compile everything; raises UsageError, InputError(s), Refused."""
    import msgspec

    from fleetctl.cli.inputs import Sources, inputs_of, read_knowledge
    from fleetctl.inventory.select import pick_all
    from fleetctl.plan.compile import compile_plan
    from fleetctl.plan.request import PlanRequest
    from fleetctl.playbook.load import load_playbook

    fleet = wish.choice.fleet()
    hosts = pick_all(fleet, wish.choice.selection) if wish.choice.given else None
    path = playbook_path(wish, fleet)
    playbook = load_playbook(path)
    knowledge = read_knowledge(wish.journal, fleet.name)
    sources = Sources(fleet, path, playbook.sha256, wish.releases_dir)
    plan = compile_plan(
        PlanRequest(
            fleet=fleet,
            playbook=playbook,
            measure=sources.measure,
            read_file=sources.read_file,
            artifact=sources.artifact,
            hosts=hosts,
            phases=wish.phase or None,
            releases=sources.releases(wish.release),
            live=knowledge.live,
            variables=variables_of(wish.var),
            overrides=overrides_of(wish),
            history=knowledge.history,
        )
    )
    plan = msgspec.structs.replace(plan, inputs=inputs_of(plan, sources))
    return Assembled(plan, fleet)


def playbook_path(wish: Wish, fleet: Fleet) -> Path:
    """The playbook meant, relative to where we are if it can be; raises UsageError."""
    if wish.playbook:
        return Path(wish.playbook).expanduser()
    if not fleet.playbook:
        raise UsageError(
            f"fleet {fleet.name} has no default playbook",
            where=fleet.source,
            hint="name a playbook, or add `playbook: FILE` to the inventory",
        )
    path = Path(fleet.playbook)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def variables_of(words: Sequence[str]) -> dict[str, str]:
    """Name -> value of `NAME=VALUE` words; raises UsageError."""
    variables: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f'--var "{word}" is no NAME=VALUE')
        variables[name] = value
        if sounds_secret(name):
            tell(
                f"warning: --var {name}=... is kept in clear in plan and journal"
                "\n  hint: declare it under `secrets:` in the playbook (docs/secrets.md)"
            )
    return variables


def overrides_of(wish: Wish) -> Overrides:
    """What the wish says of batches, pace and losses; raises UsageError."""
    from fleetctl.plan.request import FANOUT, Overrides
    from fleetctl.playbook.units import Amount, Ramp, Rate

    def read(flag: str, kind: Any, text: Any) -> Any:
        try:
            return None if text is None else kind.read(text)
        except ValueError as error:
            raise UsageError(f"--{flag}: {error}") from None

    batch = [size.strip() for size in wish.batch.split(",")] if wish.batch else None
    return Overrides(
        batch=read("batch", Ramp, batch),
        max_failures=read("max-failures", Amount, wish.max_failures),
        throttle_per_min=read("throttle", Rate, wish.throttle),
        fanout=wish.fanout or FANOUT,
    )


def load_plan(path: Path, wish: Wish) -> Assembled:
    """A saved plan, unless something it was made from has changed; raises Refused.

    Of `wish` only the places of journal and releases are used: a saved plan is run as it is.
    """
    from fleetctl.cli.inputs import inputs_now
    from fleetctl.plan.save import decode_plan
    from fleetctl.plan.stale import refuse_stale

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}", why=error.strerror or str(error)) from None
    plan = decode_plan(data, str(path))
    now, fleet = inputs_now(plan, wish.journal)
    refuse_stale(plan, now, str(path))
    return Assembled(plan, fleet)
