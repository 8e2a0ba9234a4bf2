"""`fleetctl console`: a web page over the journal, for this machine and whoever has the token."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, FleetError, UsageError
from fleetctl.cli.journal import journal_option, journal_path
from fleetctl.cli.output import tell
from fleetctl.cli.selection import inventory_option, open_fleet

if TYPE_CHECKING:
    import socket

    from fleetctl.console.app import Console
    from fleetctl.console.bell import Bell
    from fleetctl.console.guard import Names
    from fleetctl.console.pooldesk import PoolDesk
    from fleetctl.console.serving import Address, Server
    from fleetctl.console.shelf import Shelf
    from fleetctl.console.sources import Sources
    from fleetctl.inventory.model import Fleet

TOKEN_MIN = 16
"""Characters of a token of one's own."""
PROGRAM = (sys.executable, "-c", "from fleetctl.cli.main import main; main()")
"""This very program, as another process."""


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8420",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen. Any but a loopback address asks for a token.",
)
@click.option("--allow-actions", is_flag=True, help="Let pages change things; asks for a token.")
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The token is its first line; else one is made and told here.",
)
@click.option(
    "--refresh",
    metavar="TIME",
    help="Ask the overseers of all hosts so often, as 10s; else pages tell what others asked.",
)
@inventory_option
@journal_option
def console(
    listen: str, allow_actions: bool, token_file: Path | None, refresh: str | None,
    inventory: str | None, journal: str | None,
) -> ExitCode:  # fmt: skip
    """A web page with the fleet, the running push, daemon pools and runs; until Ctrl-C.

    It reads the journal and, without --refresh, connects to no host. What hosts and daemons said
    is not shown. Pages work without JavaScript, and follow what happens where there is some.
    """
    _see_installed()
    from fleetctl.cli.poolnews import PoolNews, parse_every
    from fleetctl.console.bell import Bell
    from fleetctl.console.guard import is_loopback
    from fleetctl.console.pooldesk import PoolDesk
    from fleetctl.console.serving import Server, parse_address
    from fleetctl.console.serving import listen as open_socket
    from fleetctl.console.shelf import Shelf

    fleet, address = open_fleet(inventory), parse_address(listen)
    needs_token = allow_actions or token_file is not None or not is_loopback(address.host)
    token = _token(token_file) if needs_token else ""
    shelf = Shelf(journal_path(journal).absolute())
    news = PoolNews(fleet, shelf.path.parent)
    every_s = parse_every(refresh)
    desk = PoolDesk(
        shelf.path.parent, fleet, news.ask if every_s else None, every_s,
        count=news.count, on_bug=_tell_bug,
    )  # fmt: skip
    sources = _sources(fleet, shelf, desk, allow_actions)
    bell = Bell(sources.stamp)
    with open_socket(address) as listening, closing(news), closing(desk), closing(shelf):
        address = address._replace(port=listening.getsockname()[1])
        made = _made(sources, address, bell, token)
        desk.start()
        _welcome(address, token if token_file is None else "")
        return _serve(Server(made.program(), bell), listening)


def _see_installed() -> None:
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the console needs {' and '.join(missing)}",
            why="it is an extra of the program",
            hint="install it: pip install 'fleetctl[console]'",
        )


def _tell_bug(error: Exception) -> str:
    """Keep it where its owner reads it; what pages say."""
    from fleetctl.cli.endings import keep_traceback

    name, kept = type(error).__name__, keep_traceback(error)
    tell(
        f"error: a look at the pools broke: {name}, a bug of fleetctl; please report it with {kept}"
    )
    return f"a bug of fleetctl ({name}); the terminal of the console says where it is written down"


def _sources(fleet: Fleet, shelf: Shelf, desk: PoolDesk, allow_actions: bool) -> Sources:
    from fleetctl.console.actions import Launcher
    from fleetctl.console.sources import Sources
    from fleetctl.releases.pins import pins_path, read_pins

    path = pins_path(Path(fleet.source))

    def pins() -> tuple[Mapping[str, str], str]:
        try:
            return read_pins(path, tiers=fleet.tiers), ""
        except FleetError as error:
            return {}, error.what

    def stamp() -> int:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0

    return Sources(fleet, shelf, pins, stamp, desk, Launcher(PROGRAM) if allow_actions else None)


def _made(sources: Sources, address: Address, bell: Bell, token: str) -> Console:
    import time

    from fleetctl.console.app import Console
    from fleetctl.console.guard import Sessions

    return Console(
        sources, _names(address), bell,
        sessions=Sessions(token, time.monotonic) if token else None,
        cookie=f"fleetctl-console-{address.port}",
    )  # fmt: skip


def _names(address: Address) -> Names:
    import socket

    from fleetctl.console.guard import Names, is_loopback

    own = {socket.gethostname().lower(), socket.getfqdn().lower(), address.host.lower()}
    return Names(is_loopback(address.host), frozenset(own))


def _token(file: Path | None) -> str:
    """The token of the file, or a fresh one."""
    if file is None:
        import secrets

        return secrets.token_urlsafe(24)
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the token cannot be read", where=str(file), why=str(error)) from None
    token = text.partition("\n")[0].strip()
    if mode & 0o077:
        raise UsageError("others may read the token", where=str(file), hint=f"chmod 600 {file}")
    if len(token) < TOKEN_MIN:
        raise UsageError(
            "the token is too short", where=str(file), why=f"{len(token)} characters",
            hint=f"{TOKEN_MIN} at least, as `openssl rand -hex 24` makes them",
        )  # fmt: skip
    return token


def _welcome(address: Address, token: str) -> None:
    from fleetctl.console.guard import is_loopback

    tell(f"the console is at {address.url} until Ctrl-C")
    if token:
        tell(f"its token, told this once: {token}")
    if not is_loopback(address.host):
        tell("note: what is sent can be read on the way; put it behind TLS, or use `ssh -L`")


def _serve(server: Server, listening: socket.socket) -> ExitCode:
    """Until Ctrl-C or SIGTERM, which the server hands on when it is closed."""
    import signal

    signal.signal(signal.SIGTERM, _leave)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        tell("the console is closed")
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _leave(number: int, frame: object) -> None:
    """Who is told to end has ended well."""
    raise SystemExit(int(ExitCode.OK))
