"""A short path to the folders of a lab's hosts: the name of a socket may have only 107 bytes.

It is a link in the folder for temporary files; `down` removes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from fleetctl.base.errors import Refused
from fleetctl.inventory.model import Pools
from fleetctl.lab.layout import Layout

HOME_MOST = 90
"""Bytes an overseer's folder may have (see `pools.overseer.program`)."""


def overseer_home(layout: Layout, lab_id: str, hosts: Iterable[str]) -> str:
    """Where the overseers of a lab's hosts work: below their homes, on a path that is short enough.

    Never what the original says: all hosts of a lab share one file system.
    """
    usual = Pools().home
    longest = max((str(layout.home(host)) for host in hosts), key=len, default="")
    if len(usual.replace("~", longest).encode()) <= HOME_MOST:
        return usual
    return usual.replace("~", f"{_link(lab_id)}/{{{{host.name}}}}/home")


def overseer_folder(layout: Layout, lab_id: str, host: str) -> Path:
    """The folder of a host's overseer, as seen from this machine."""
    home = overseer_home(layout, lab_id, [host])
    return Path(home.replace("{{host.name}}", host).replace("~", str(layout.home(host))))


def make_shortcut(layout: Layout, lab_id: str, hosts: Iterable[str]) -> None:
    """Have the link, where it is needed; raises Refused when its name is somebody else's."""
    link = _link(lab_id)
    remove_shortcut(layout, lab_id)
    if overseer_home(layout, lab_id, hosts) == Pools().home:
        return
    try:
        link.symlink_to(layout.host(""))
    except FileExistsError:
        raise Refused("the lab needs a name that is taken", where=str(link)) from None


def remove_shortcut(layout: Layout, lab_id: str) -> None:
    """Remove the link, if it is ours."""
    link = _link(lab_id)
    if link.is_symlink() and str(link.readlink()) == str(layout.host("")):
        link.unlink()


def _link(lab_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"fleetctl-{lab_id}"
