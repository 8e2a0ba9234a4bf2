"""Logging in to a lab host by hand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from fleetctl.base.errors import Refused
from fleetctl.lab.layout import LabHost, LabState, Layout


def ssh_argv(
    layout: Layout, state: LabState, host: LabHost, command: Sequence[str] = ()
) -> list[str]:
    """An `ssh` command line that trusts the lab's files and nothing of the user's own."""
    program = shutil.which("ssh")
    if program is None:
        raise Refused(
            "there is no ssh program on this machine",
            hint=f"any SSH client will do: {host.user}@{host.address} port {state.port}, "
            f"key {layout.identity}",
        )
    options = {
        "Port": str(state.port),
        "User": host.user,
        "IdentityFile": f'"{layout.identity}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{layout.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
    }
    argv = [program, "-F", "none"]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    return [*argv, host.address, *command]
