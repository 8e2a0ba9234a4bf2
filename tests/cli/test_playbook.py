"""`fleetctl playbook import`: what is told, what is written, what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl

INVENTORY = """\
fleet: acme
tiers:
  web: { hosts: "web[001-003]", address: 127.0.0.1+ }
"""
RUNBOOK = """\
## Web tier
Put up the maintenance page
$ ssh web001 sudo systemctl stop nginx
$ ssh web001 sudo /srv/deploy.sh latest
$ ssh web002 sudo systemctl stop nginx
$ ssh web002 sudo /srv/deploy.sh latest
$ ssh web0003 uptime
$ deploy --password=hunter2
| a | table |
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETCTL_INVENTORY", str(tmp_path / "inventory.yaml"))
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "saturday.txt").write_text(RUNBOOK)
    return tmp_path


def _call(*words: str) -> Result:
    return CliRunner().invoke(fleetctl, words)


def test_a_runbook_becomes_a_playbook_that_plans(folder: Path) -> None:
    """What was read is counted, what is doubtful is told with its line, and the plan compiles."""
    (folder / "playbooks").mkdir()
    result = _call("playbook", "import", "saturday.txt")
    assert result.exit_code == 0, result.stderr
    assert "imported 7 steps in 3 phases: 6 commands, 1 texts; 4 on 2 hosts" in result.stderr
    assert "taken for text:\n  2: Put up the maintenance page" in result.stderr
    assert 'line 7: no host web0003 in the inventory; did you mean "web003"' in result.stderr
    assert "warning: line 8 may hold a secret" in result.stderr
    assert "9: | a | table |" in result.stderr
    written = (folder / "playbooks" / "saturday.yaml").read_text()
    assert 'hosts: "web[001-002]"' in written
    planned = _call("plan", "playbooks/saturday.yaml")
    assert planned.exit_code == 0, planned.stderr
    assert "2 hosts of fleet acme, 3 phases" in planned.stdout + planned.stderr


def test_nothing_is_overwritten(folder: Path) -> None:
    """Not the default's file, nor one that is named; a name that is not there is told."""
    assert _call("playbook", "import", "saturday.txt").exit_code == 0
    (folder / "saturday.yaml").write_text("mine")
    again = _call("playbook", "import", "saturday.txt")
    assert again.exit_code == ExitCode.REFUSED
    assert (folder / "saturday.yaml").read_text() == "mine"
    missing = _call("playbook", "import", "satruday.txt")
    assert missing.exit_code == ExitCode.USAGE
    assert 'did you mean "saturday.txt"' in missing.stderr


def test_the_page_shows_what_import_writes(folder: Path) -> None:
    """The example in docs/importing.md is the real thing."""
    (folder / "short.txt").write_text("\n".join(RUNBOOK.splitlines()[:6]) + "\n")
    written = _call("playbook", "import", "short.txt", "-o", "-").stdout
    page = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    steps = [line for line in written.splitlines() if line.startswith("      - manual: {")]
    assert len(steps) == 2
    assert all(step in page for step in steps)
