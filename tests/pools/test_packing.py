"""The one file that is shipped: what is in it, and that it needs nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fleetctl
from fleetctl.pools.packing import pack, unit_text

PACKAGE = Path(fleetctl.__file__).parent / "pools" / "overseer"
OLDEST = (3, 9)
NEWER_THAN_OLDEST = {"tomllib"}
"""Imported where it is there; without it, specs are JSON."""
COSTLY = {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "subprocess", "typing"}
"""Modules whose import is more memory than what they would be used for is worth."""


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules a file imports; what only the type checker sees does not count."""
    pending: list[ast.AST] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.If) and getattr(item.test, "id", "") == "TYPE_CHECKING":
            pending += item.orelse
        elif isinstance(item, ast.Import):
            yield from (alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            yield item.module or ""
        else:
            pending += ast.iter_child_nodes(item)


def test_only_the_standard_library_of_the_oldest_python_is_used() -> None:
    """The syntax is that of 3.9; imports are its own package, or come with Python."""
    for source in PACKAGE.glob("*.py"):
        tree = ast.parse(source.read_text(), feature_version=OLDEST)
        for name in _imported(tree):
            own = name.startswith("fleetctl.pools.overseer")
            top = name.partition(".")[0]
            assert own or top in sys.stdlib_module_names - COSTLY, f"{source.name}: {name}"
            assert top not in NEWER_THAN_OLDEST or source.name == "sheets.py"


def test_it_is_the_same_file_for_the_same_sources(tmp_path: Path) -> None:
    """Two builds have the same bytes, so a digest says which program a host runs."""
    first, second = pack(tmp_path / "a"), pack(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 512 * 1024


def test_it_checks_specs_by_itself(tmp_path: Path) -> None:
    """Run without site-packages it reads specs; a mistake is told with its place, exit code 5."""
    program, specs = pack(tmp_path / "overseer.pyz"), tmp_path / "specs"
    specs.mkdir()
    text = '[kind.k]\ncommand = ["x"]\n[[instances]]\nnames = ["i[1-5000]"]\nkinds = ["k"]\n'
    (specs / "a.toml").write_text(text)
    command = [sys.executable, "-I", "-S", str(program), "--specs", str(specs), "--check"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == "5000 pools, 0 sources of attention\n"
    (specs / "a.toml").write_text(text + "kins = 1\n")
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 5
    assert "a.toml:6: unknown key 'kins'\n  hint: did you mean 'kinds'?" in told.stderr


def test_the_unit_leaves_daemons_alone() -> None:
    """systemd restarts the overseer without ending what it keeps, and watches it."""
    unit = unit_text()
    for word in ("Type=notify", "KillMode=process", "WatchdogSec=", "Restart=always"):
        assert word in unit
