"""A deploy killed before any of the programs it runs, and run again, ends as if nothing had been.

Programs are counted through wrappers; the chosen one kills the whole process group instead of
running, as a reboot would.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.releasetree import PROGRAMS
from fleetctl.playbook.units import Seconds
from tests.playbook.deployhost import DeployHost, drafts_of, make_host, make_release

pytestmark = pytest.mark.slow

KEYS = {
    "restart": 'echo "$FLEETCTL_RELEASE" >> restarts; sync',
    "live": 'while read -r line; do last=$line; done < restarts; echo "$last"',
    "health_timeout": Seconds(0),
    "keep": 1,
}
WRAPPER = """\
#!/bin/sh
left=$(/bin/cat {counter} 2>/dev/null) || exec {real} "$@"
[ "$left" -gt 0 ] || kill -9 0
echo $((left - 1)) > {counter}
exec {real} "$@"
"""


def with_killer(host: DeployHost, folder: Path) -> Path:
    """Wrap every program; answers the file that holds how many may still run (none: all)."""
    counter = folder / "counter"
    for name in PROGRAMS.split():
        real = shutil.which(name)
        (host.programs / name).unlink()
        (host.programs / name).write_text(WRAPPER.format(counter=counter, real=real))
        (host.programs / name).chmod(0o755)
    return counter


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def facts(host: DeployHost) -> dict[str, object]:
    """What must be the same however often it was interrupted."""
    return {
        "current": host.link("current"),
        "previous": host.link("previous"),
        "version": (host.root / "current" / "VERSION").read_text(),
        "last restart": (host.home / "restarts").read_text().split()[-1],
        "pending": (host.root / ".fleetctl" / "restart-pending").exists(),
        "book": names(host.root / ".fleetctl"),
        "root": names(host.root),
        **{
            name: names(host.root / name) for name in ("releases", "archives", ".fleetctl/contents")
        },
    }


def settled(ends: dict[str, str], drafts: tuple[StepDraft, ...]) -> bool:
    return len(ends) == len(drafts) and set(ends.values()) <= {"acted", "checked"}


def deployed(host: DeployHost, folder: Path, ids: list[str], **more: object) -> Path:
    """Deploy these in turn; answers a copy of the home to begin again from."""
    for id in ids:
        drafts = drafts_of(host, make_release(folder, id), **{**KEYS, **more})
        assert settled(host.deploy(drafts), drafts)
    saved = folder / "saved"
    shutil.copytree(host.home, saved, symlinks=True)
    return saved


def begin_again(host: DeployHost, saved: Path) -> None:
    shutil.rmtree(host.home)
    shutil.copytree(saved, host.home, symlinks=True)


@pytest.mark.parametrize("before", [[], ["v1", "v2"]], ids=["first", "third"])
def test_a_deploy_killed_anywhere_goes_on_when_run_again(tmp_path: Path, before: list[str]) -> None:
    """Killed before its Nth program, for every N: the live release stays whole, and a second
    deploy ends where an undisturbed one does."""
    host = make_host(tmp_path)
    saved = deployed(host, tmp_path, before)
    drafts = drafts_of(host, make_release(tmp_path, "v3"), **KEYS)
    counter = with_killer(host, tmp_path)
    assert settled(host.deploy(drafts), drafts)
    wanted = facts(host)
    switched = 0
    for allowed in itertools.count():
        begin_again(host, saved)
        counter.write_text(f"{allowed}\n")
        survived = settled(host.deploy(drafts), drafts)
        counter.unlink()
        if before:
            assert (host.root / "current" / "VERSION").read_text() in ("v2\n", "v3\n")
        again = host.deploy(drafts)
        assert settled(again, drafts), (allowed, again)
        assert facts(host) == wanted, allowed
        # Only a switch that acted can be undone: a half-done one must not end as checked.
        switched += again["switch"] == "acted"
        if survived:
            break
    assert allowed > 30
    assert (wanted["version"], wanted["last restart"], wanted["pending"]) == ("v3\n", "v3", False)
    assert switched >= 20
    assert wanted["releases"] == [*before[1:], "v3"]


def test_going_back_killed_anywhere_goes_on_when_run_again(tmp_path: Path) -> None:
    """The undo of v3, killed before its Nth program, for every N: v2 runs, v1 is behind it."""
    host = make_host(tmp_path)
    saved = deployed(host, tmp_path, ["v1", "v2", "v3"], keep=3)
    (tmp_path / "again").mkdir()
    drafts = drafts_of(host, make_release(tmp_path / "again", "v3"), **KEYS)
    counter = with_killer(host, tmp_path)
    for allowed in itertools.count():
        begin_again(host, saved)
        counter.write_text(f"{allowed}\n")
        survived = host.undo(drafts).returncode == 0
        counter.unlink()
        assert host.undo(drafts).returncode == 0
        found = facts(host)
        assert (found["current"], found["previous"]) == ("releases/v2", "releases/v1"), allowed
        assert (found["last restart"], found["pending"]) == ("v2", False), allowed
        if survived:
            break
    assert allowed > 10
