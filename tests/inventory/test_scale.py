"""A very large inventory stays affordable: the whole program, loading, selecting and printing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NATIVE = """
fleet: large
tiers:
  repo: {hosts: "repo[1-200000]", address: 10.0.0.0+, tags: {zone: [a, b], shard: "s[1-1000]"}}
"""
INI = "[repo]\n" + "".join(f"repo{i} ansible_user=u{i % 7} zone=a\n" for i in range(1, 200_001))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), [("i.yaml", NATIVE), ("i.ini", INI)])
def test_200_000_hosts_cost_little(name: str, text: str, tmp_path: Path) -> None:
    """Under 500 MB, and CPU time far from what comparing hosts with each other would cost.

    The bound on time is wide, for busy machines; bench/inventory_scale.py measures the real one.
    """
    (tmp_path / name).write_text(text)
    command = [sys.executable, "-c", "from fleetctl.cli.main import main; main()"]
    flags = ["inventory", "list", "-i", str(tmp_path / name), "--limit", "repo* and not zone=b"]
    if name == "i.ini":
        flags[-1] = "tier=repo and zone=a"
    process = subprocess.Popen([*command, *flags, "--folded"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as stream:
        printed = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert printed.startswith(b"repo[1")
    assert used.ru_maxrss / 1024 < 500
    assert used.ru_utime < 60
