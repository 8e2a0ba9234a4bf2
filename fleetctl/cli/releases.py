"""`fleetctl releases`: keep releases on this machine, and say which one each tier should run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.selection import inventory_option

if TYPE_CHECKING:
    from fleetctl.releases.sources import Source
    from fleetctl.releases.store import ReleaseInfo, ReleaseStore

Command = TypeVar("Command", bound=Callable[..., Any])

LIST_COLUMNS = ("id", "added", "size", "files", "pinned", "origin")
PIN_COLUMNS = ("tier", "from", "to")


def releases_option(command: Command) -> Command:
    """`--releases DIR`, passed to the command as `releases_dir`."""
    return click.option(
        "--releases",
        "releases_dir",
        envvar="FLEETCTL_RELEASES",
        metavar="DIR",
        help="Where releases are kept; else in the user's data folder.  [env: FLEETCTL_RELEASES]",
    )(command)


def open_store(releases_dir: str | None) -> ReleaseStore:
    """The releases in the folder named, or the user's own."""
    from fleetctl.releases.store import ReleaseStore

    if releases_dir:
        return ReleaseStore(Path(releases_dir).expanduser())
    import platformdirs

    return ReleaseStore(Path(platformdirs.user_data_dir("fleetctl")) / "releases")


@click.group()
@click.help_option("-h", "--help")
def releases() -> None:
    """Keep releases and pin them to tiers."""


@releases.command()
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--git", "repository", metavar="REPO", help="A git repository instead of PATH.")
@click.option("--ref", metavar="REF", help="The tag, branch or commit of it.  [default: HEAD]")
@click.option("--id", "id", metavar="ID", help="Its name; else made from its day and content.")
@click.option("--schema", type=click.IntRange(1), metavar="NUMBER", default=None,
              help="The migration all instances must have before it runs.")  # fmt: skip
@releases_option
@output_option
def add(
    path: str | None,
    repository: str | None,
    ref: str | None,
    id: str | None,
    schema: int | None,
    releases_dir: str | None,
    output: str,
) -> None:
    """Make a release of PATH, a folder or a tar archive, or of a commit of a git repository."""
    source = _source(path, repository, ref)
    added = open_store(releases_dir).add(source, id, by=_who(), schema=schema or 0)
    if not added.new:
        tell(f"already here as {added.id}: the same content")
    elif added.twins:
        tell(f"note: the same content is also here as {', '.join(added.twins)}")
    row = {**_row(added, []), "new": added.new}
    columns = ("id", "size", "files", "origin") if output == "table" else (*_WHOLE, "new")
    emit([_readable(row) if output == "table" else row], columns, output)


@releases.command("list")
@releases_option
@inventory_option
@output_option
def list_releases(releases_dir: str | None, inventory: str | None, output: str) -> None:
    """List all releases, the newest first, with the tiers they are pinned to."""
    found = open_store(releases_dir).all()
    pins = _pins_here(inventory)
    rows = [_row(info, [tier for tier, pin in pins.items() if pin == info.id]) for info in found]
    if output == "table":
        emit([_readable(row) for row in rows], LIST_COLUMNS)
        return
    emit(rows, _WHOLE, output)


@releases.command()
@click.argument("release", metavar="REL")
@releases_option
@inventory_option
@output_option
def show(release: str, releases_dir: str | None, inventory: str | None, output: str) -> None:
    """Show everything known of REL, and verify that its artifact is undamaged."""
    store = open_store(releases_dir)
    info = store.get(release)
    pinned = [tier for tier, pin in _pins_here(inventory).items() if pin == info.id]
    row = {**_row(info, pinned), "artifact": store.artifact(release).path}
    if output == "table":
        emit([{"what": key, "value": value} for key, value in row.items()], ("what", "value"))
        return
    emit([row], tuple(row), output)


@releases.command()
@click.argument("tiers", metavar="TIER[,TIER...]")
@click.argument("release", metavar="REL")
@click.option("--note", default="", help="Why, in a few words; kept beside the pin.")
@releases_option
@inventory_option
@output_option
def pin(
    tiers: str,
    release: str,
    note: str,
    releases_dir: str | None,
    inventory: str | None,
    output: str,
) -> None:
    """Say that TIER should run REL; `all`: every tier. Changes no host: the next deploy does."""
    from fleetctl.inventory.load import find_inventory, load_fleet
    from fleetctl.releases.pins import pins_path, write_pins

    file = find_inventory(Path.cwd(), inventory or None)
    named = _tiers_named(tiers, load_fleet(file).tiers, file)
    # Also verifies it: a damaged release must not become anybody's pin.
    open_store(releases_dir).artifact(release)
    path = pins_path(file)
    earlier = write_pins(path, named, release, by=_who(), note=note)
    was = {tier: pin.release if pin else None for tier, pin in earlier.items()}
    same = all(pinned == release for pinned in was.values())
    tell(f"{path}: {'unchanged' if same else 'written'}")
    rows = [{"tier": tier, "from": was[tier], "to": release} for tier in named]
    emit(rows, PIN_COLUMNS, output)


def _tiers_named(text: str, tiers: Collection[str], file: Path) -> list[str]:
    """What `db`, `db,web` and `all` name; raises UsageError."""
    from fleetctl.base.errors import UsageError
    from fleetctl.base.names import did_you_mean

    if text == "all" and "all" not in tiers:
        return list(tiers)
    named = list(dict.fromkeys(text.split(",")))
    for tier in named:
        if tier not in tiers:
            raise UsageError(f'no tier "{tier}" in {file}', hint=did_you_mean(tier, tiers))
    return named


_WHOLE = ("id", "added", "by", "size", "unpacked", "files", "pinned", "origin", "commit",
          "schema", "content", "sha256")  # fmt: skip


def _row(info: ReleaseInfo, pinned: list[str]) -> dict[str, object]:
    import msgspec

    facts = msgspec.structs.asdict(info)
    return {**{name: facts.get(name) for name in _WHOLE}, "pinned": pinned}


def _readable(row: dict[str, object]) -> dict[str, object]:
    size = row["size"]
    assert isinstance(size, int)
    return {**row, "size": _size(size), "added": str(row["added"])[:16].replace("T", " ")}


def _size(count: int) -> str:
    """Bytes as people say them: `812 B`, `1.4 MB`."""
    if count < 1000:
        return f"{count} B"
    for unit, scale in (("kB", 1e3), ("MB", 1e6)):
        if count < scale * 1000:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def _source(path: str | None, repository: str | None, ref: str | None) -> Source:
    from fleetctl.releases.sources import GitRef

    if (path is None) == (repository is None):
        raise click.UsageError("name either PATH or --git REPO")
    if repository is not None:
        return GitRef(Path(repository).expanduser(), ref or "HEAD")
    if ref is not None:
        raise click.UsageError("--ref belongs to --git REPO")
    assert path is not None
    return Path(path).expanduser()


def _pins_here(inventory: str | None) -> dict[str, str]:
    """Tier -> release of the inventory named or found; without one there are no pins to show."""
    from fleetctl.base.errors import UsageError
    from fleetctl.inventory.load import find_inventory
    from fleetctl.releases.pins import pins_path, read_pins

    try:
        file = find_inventory(Path.cwd(), inventory or None)
    except UsageError:
        if inventory:
            raise
        return {}
    return read_pins(pins_path(file))


def _who() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
