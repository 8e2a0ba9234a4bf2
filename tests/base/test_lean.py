"""Importing libraries without what they rarely need, and giving them that when they do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_IMPORT = """
import sys
from fleetctl.base.lean import leanly
with leanly():
    from fleetctl.transport import sshlogin
print(any(name in sys.modules for name in ("asyncio", "importlib.metadata", "tempfile")))
import importlib.metadata, paramiko
assert paramiko.__version__ == importlib.metadata.version("paramiko"), paramiko.__version__
from pathlib import Path
config = sshlogin.read_ssh_config(Path(sys.argv[1]))
print(config.lookup("db001")["hostname"])
import invoke, fabric
"""


_LATE = """
import re
compiled = []
compile_now = re._compiler.compile
re._compiler.compile = lambda p, flags=0: compiled.append(ascii(p)) or compile_now(p, flags)
from fleetctl.base import marked
import yaml, sys
assert sys.modules["re"] is re
print(any("ufffd" in p for p in compiled))
print(yaml.load("2026-11-22", yaml.SafeLoader), yaml.load("0x10", yaml.SafeLoader))
print(any("ufffd" in p for p in compiled))
try:
    yaml.load(chr(1), yaml.SafeLoader)
except yaml.reader.ReaderError as error:
    print(error.position)
"""


def test_late_expressions_are_there_when_they_are_used() -> None:
    """Reading YAML spares what only PyYAML's own reader needs, and does not break that reader."""
    command = [sys.executable, "-c", _LATE]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["False", "2026-11-22", "16", "True", "0"]


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
