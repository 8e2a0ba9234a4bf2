"""`fleetctl --help` is quick because it imports next to nothing."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    *("paramiko", "fabric", "invoke", "rich", "tabulate", "tenacity", "asyncssh", "sqlite3"),
    *("msgspec", "yaml", "platformdirs", "asyncio", "ssl", "socket", "json"),
    *("importlib.metadata", "fleetctl.inventory", "fleetctl.plan", "fleetctl.rollout"),
}

PROGRAM = """
import sys
from fleetctl.cli.main import main
sys.argv = ["fleetctl", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted(sys.modules), file=sys.stderr)
"""


def _loaded(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=90,
        check=True,
    )  # fmt: skip
    return set(done.stderr.split("loaded:")[1].split())


def test_help_imports_nothing_heavy() -> None:
    """The start stays near that of a bare click program: no library, room or command is loaded."""
    loaded = _loaded("--help")
    assert loaded.isdisjoint(HEAVY)
    assert {name for name in loaded if name.startswith("fleetctl.cli.")} == {
        "fleetctl.cli.main",
        "fleetctl.cli.lazy",
    }
