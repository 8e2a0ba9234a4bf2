"""`fleetctl hosts trust`: one review, then known; a changed key is shown and refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl
from fleetctl.transport.known_hosts import read_known_hosts
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow


def trust(lab: RunningLab, file: Path, *words: str) -> Result:
    command: Sequence[str] = (
        "hosts", "trust", *words, "--file", str(file), "-i", str(lab.inventory),
        "--journal", str(file.parent / "journal.db"),
    )  # fmt: skip
    return CliRunner().invoke(fleetctl, command)


@pytest.fixture
def lab(lab_fleet: StartLab) -> RunningLab:
    return lab_fleet({"t": ["h1", "h2", "h3"]})


def test_reviewed_keys_become_known(lab: RunningLab, tmp_path: Path) -> None:
    """New keys are shown, kept once confirmed, and known the next time."""
    file = tmp_path / "deep" / "known"
    first = trust(lab, file, "all", "--yes", "--output", "json")
    assert first.exit_code == ExitCode.OK, first.output
    assert {row["state"] for row in json.loads(first.stdout)} == {"new"}
    known = read_known_hosts([file])
    theirs = read_known_hosts([lab.known_hosts])
    for host in lab.fleet.hosts.values():
        keys = known.keys_for(host.address, lab.port)
        assert len(keys) == 1
        assert keys[0] in theirs.keys_for(host.address, lab.port)
    again = trust(lab, file, "all", "--output", "json")
    assert {row["state"] for row in json.loads(again.stdout)} == {"known"}


def test_nothing_is_kept_unconfirmed(lab: RunningLab, tmp_path: Path) -> None:
    """Without a person or --yes the file is not touched."""
    file = tmp_path / "known"
    assert trust(lab, file, "all").exit_code == ExitCode.REFUSED
    assert not file.exists()


def test_changed_key_is_shown_and_never_taken_over(lab: RunningLab, tmp_path: Path) -> None:
    """The old key stays; both fingerprints are told; the end is a refusal."""
    file = tmp_path / "known"
    trust(lab, file, "h1", "--yes")
    before = file.read_text()
    lab.fault("h1", "wrong-host-key")
    result = trust(lab, file, "h1", "--yes", "--output", "json")
    assert result.exit_code == ExitCode.REFUSED
    assert file.read_text() == before
    (row,) = json.loads(result.stdout)
    assert row["state"] == "changed"
    assert row["fingerprint"] not in row["detail"]
    assert "SHA256:" in row["detail"]


def test_unreachable_host_is_accounted_for(lab: RunningLab, tmp_path: Path) -> None:
    """The others' keys are kept, and the exit code says that one is missing."""
    lab.fault("h2", "refuse")
    file = tmp_path / "known"
    result = trust(lab, file, "h1,h2", "--yes", "--output", "json")
    assert [row["state"] for row in json.loads(result.stdout)] == ["new", "unreachable"]
    assert result.exit_code == ExitCode.UNREACHABLE
    assert len(file.read_text().splitlines()) == 1


def test_hosts_must_be_named(lab: RunningLab, tmp_path: Path) -> None:
    """Trusting everybody is said, not implied."""
    assert trust(lab, tmp_path / "known").exit_code == ExitCode.USAGE
