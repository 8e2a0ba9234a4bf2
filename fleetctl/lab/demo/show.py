"""The demonstration: a fleet, two releases, two pushes, the proof; every command is shown.

It runs the very commands a person would type, in processes of their own, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path
from urllib.request import urlopen

from fleetctl.base.errors import Refused
from fleetctl.lab.demo.daemons import install_overseers, show_pools
from fleetctl.lab.demo.stage import Say, Show
from fleetctl.lab.layout import Layout, read_state

_FIRST, _SECOND = "demo-1", "demo-2"
INSTANCES = 25
"""On each repo host, unless another number is asked for."""
_PORTS = (8080, 8081, 18080, 28080, 38080)
_ANSWER_TIMEOUT_S = 5.0


def show_demo(layout: Layout, say: Say, keep: bool, instances: int = INSTANCES) -> None:
    """The whole demonstration; raises Ended. Takes the lab down in any case but `keep`.

    `instances`: those of each repo host.
    """
    began = time.monotonic()
    show = Show(layout, say, _environment(layout))
    _clear_stage(show)
    try:
        port = _free_port()
        with as_file(files("fleetctl.lab.demo")) as folder:
            _raise_fleet(show, folder, port)
            _add_releases(show, folder)
            _push_first(show)
            install_overseers(show, instances)
            _push_second(show)
        _prove(show, port)
        show_pools(show)
        say(f"The whole took {time.monotonic() - began:.0f} s.")
    finally:
        if not keep:
            _leave(show)
    _say_next(show, keep)


OURS = ("FLEETCTL_INVENTORY", "FLEETCTL_RELEASES", "FLEETCTL_JOURNAL")


def _environment(layout: Layout) -> dict[str, str]:
    """Releases, journal and inventory of the demonstration, away from the user's own."""
    own = {
        "FLEETCTL_INVENTORY": os.path.relpath(layout.inventory),
        "FLEETCTL_RELEASES": os.path.relpath(layout.folder / "releases"),
        "FLEETCTL_JOURNAL": os.path.relpath(layout.folder / "journal.db"),
    }
    return {**os.environ, **own}


def _clear_stage(show: Show) -> None:
    """Remove what an earlier demonstration left; refuse a folder that is something else."""
    folder = show.layout.folder
    if read_state(show.layout) is not None:
        show.say("An earlier demonstration is still here:")
        show.run("lab", "down", "--wipe", *_dir(show))
    elif folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty", hint="name another folder with --dir")


def _dir(show: Show) -> list[str]:
    return ["--dir", os.path.relpath(show.layout.folder)]


def _raise_fleet(show: Show, folder: Path, port: int) -> None:
    show.say(
        "1. A fleet: 44 SSH servers on this machine, each with its own address, key and home\n"
    )
    stage = show.layout.folder
    stage.mkdir(parents=True, exist_ok=True)
    inventory = shutil.copy(_inventory(folder), stage)
    shutil.copytree(_inventory(folder).parent / "pools", stage / "pools")
    playbook = shutil.copy(folder / "playbook.yaml", stage)
    show.run(
        *("lab", "up", "--inventory", os.path.relpath(inventory), *_dir(show)),
        *("--playbook", os.path.relpath(playbook), "--no-throttle"),
        *("--var", f"http_port={port}", "--var", f"python={sys.executable}"),
        *("--var", "root=app"),
    )
    for name in OURS:
        show.say(f"$ export {name}={show.environment[name]}")
    show.say("")


def _inventory(folder: Path) -> Path:
    """The 44 hosts: beside us in an installed package, in `inventory` of the source tree."""
    shipped = folder / "phacility.yaml"
    return shipped if shipped.exists() else folder.parents[2] / "inventory" / "phacility.yaml"


def _free_port() -> int:
    """A port the web hosts can listen on; raises Refused when all we know are taken."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.254.254.254", port))
            except OSError:
                continue
            return port
    raise Refused(f"the ports {', '.join(map(str, _PORTS))} are all taken on this machine")


def _add_releases(show: Show, folder: Path) -> None:
    show.say("2. Two releases of a small application; the second brings a schema upgrade\n")
    sources = show.layout.folder / "sources"
    for release, layers in ((_FIRST, ("application",)), (_SECOND, ("application", "second"))):
        source = sources / release
        for layer in layers:
            shutil.copytree(folder / layer, source, dirs_exist_ok=True)
        show.run("releases", "add", os.path.relpath(source), "--id", release)


def _push_first(show: Show) -> None:
    show.say("3. The first push; its plan and its progress are left out here\n")
    show.run("push", "--release", _FIRST, "--batch", "100%", "--yes", quiet=True)


def _push_second(show: Show) -> None:
    show.say(
        "5. The second push. The plan comes first: without --yes the number of hosts would have"
    )
    show.say("   to be typed now. `fleetctl plan` shows it without pushing\n")
    show.run("push", "--release", _SECOND, "--yes")


def _prove(show: Show, port: int) -> None:
    show.say("6. The proof: every host asked, and the web hosts answering\n")
    rows = show.hear("status", only="web").splitlines()[1:]
    state = read_state(show.layout)
    assert state is not None
    for host in (host for host in state.hosts if host.tier == "web"):
        url = f"http://{host.address}:{port}/"
        show.say(f"GET {url} -> {_get(url)}")
    live = sum(_SECOND in row.split() for row in rows)
    show.say(f"\n{live} of {len(rows)} hosts run {_SECOND}.")


def _get(url: str) -> str:
    try:
        with urlopen(url, timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310  # http, made here
            return str(answer.read().decode().strip())
    except OSError as error:
        return f"no answer: {error}"


def _leave(show: Show) -> None:
    """Take the lab down and leave no file; the folder was ours from the beginning."""
    if read_state(show.layout) is not None:
        show.say("")
        show.run("lab", "down", "--wipe", *_dir(show))
    shutil.rmtree(show.layout.folder, ignore_errors=True)


def _say_next(show: Show, keep: bool) -> None:
    for line in next_lines(show, keep):
        show.say(line)


def next_lines(show: Show, keep: bool) -> list[str]:
    """What to type next, in a shell that knows nothing of the demonstration's environment."""
    lines: tuple[str, ...]
    if keep:
        lines = (
            *(f"export {name}={show.environment[name]}" for name in OURS),
            "fleetctl runs list",
            "fleetctl pools wake taskmaster --host repo001",
            "fleetctl run 'tier=repo' -- uptime",
            f"fleetctl lab down --wipe {' '.join(_dir(show))}",
        )
    else:
        lines = (
            "fleetctl lab demo --keep          # the same, and the fleet stays up for you",
            "fleetctl lab up --inventory FILE  # your own fleet, rehearsed on this machine",
            "fleetctl lab fault --help         # what can go wrong, and how to make it",
        )
    activate = Path(sys.prefix, "bin", "activate")
    if shutil.which("fleetctl") is None and activate.exists():  # we were called by our path
        lines = (f". {activate}", *lines)
    return ["Try next:", *(f"  {line}" for line in lines)]
