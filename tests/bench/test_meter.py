"""The benchmark's meter sees everything a command starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import meter

BURN = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.3: pass"


def metered(folder: Path, command: list[str], limit_s: float = 120.0) -> dict[str, float | None]:
    """What the meter writes down about `command`."""
    result = folder / "cost.json"
    program = [sys.executable, meter.__file__, str(result), str(limit_s), "--", *command]
    subprocess.run(program, check=True, timeout=300, cwd=folder)
    found: dict[str, float | None] = json.loads(result.read_text())
    return found


@pytest.mark.slow
def test_the_cpu_of_an_orphan_is_counted(tmp_path: Path) -> None:
    """A process whose parent is gone still belongs to the bill."""
    burn = f'("{sys.executable}" -c "{BURN}"; : > over) &'

    cost = metered(
        tmp_path, ["sh", "-c", f"({burn}); until [ -e over ]; do sleep 0.1; done; exit 3"]
    )

    assert cost["status"] == 3
    assert cost["cpu_s"] is not None
    assert cost["cpu_s"] >= 0.3


@pytest.mark.slow
def test_a_command_over_its_time_is_killed(tmp_path: Path) -> None:
    """No benchmark hangs; a killed command has no exit status."""
    cost = metered(tmp_path, ["sleep", "600"], limit_s=0.5)

    assert cost["status"] is None
    assert cost["wall_s"] is not None
    assert cost["wall_s"] < 120
