"""Importing the SSH library without what it rarely needs, and giving it that when it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_IMPORT = """
import sys
from fleetctl.transport.lean import leanly
with leanly():
    from fleetctl.transport import sshlogin
print("asyncio" in sys.modules or "importlib.metadata" in sys.modules)
import importlib.metadata, paramiko
assert paramiko.__version__ == importlib.metadata.version("paramiko"), paramiko.__version__
from pathlib import Path
config = sshlogin.read_ssh_config(Path(sys.argv[1]))
print(config.lookup("db001")["hostname"])
import invoke, fabric
"""


def _run(config: Path) -> list[str]:
    command = [sys.executable, "-c", _IMPORT, str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_rarely_needed_modules_are_spared_and_can_be_had_later(tmp_path: Path) -> None:
    """A push imports neither asyncio nor ssl; Fabric's shell still finds all it wants."""
    config = tmp_path / "config"
    config.write_text("Host db*\n  HostName 127.9.9.9\n")
    assert _run(config) == ["False", "127.9.9.9"]


def test_config_that_asks_a_command_is_obeyed(tmp_path: Path) -> None:
    """`Match exec` runs its command, whether or not the library was imported lean."""
    config = tmp_path / "config"
    config.write_text('Match host db* exec "true"\n  HostName 127.8.8.8\n')
    assert _run(config)[1] == "127.8.8.8"
    config.write_text('Match host db* exec "false"\n  HostName 127.8.8.8\n')
    assert _run(config)[1] == "db001"
