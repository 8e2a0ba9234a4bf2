"""A deploy killed before any program that changes something, run again, ends as if undisturbed.

Programs are counted through wrappers; the chosen one kills the whole process group instead of
running, as a reboot would.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.units import Seconds
from tests.playbook.deployhost import DeployHost, drafts_of, make_host, make_release

pytestmark = pytest.mark.slow

CHANGING = ("tar", "ln", "mv", "rm", "mkdir")
"""Between two of these nothing on the disk changes that would outlive a kill."""
KEYS = {
    "restart": 'echo "$FLEETCTL_RELEASE" >> restarts; rm -f nothing',
    "live": 'while read -r line; do last=$line; done < restarts; echo "$last"',
    "health_timeout": Seconds(0),
    "keep": 1,
}
WRAPPER = """\
#!/bin/sh
read -r left < {counter}
[ "$left" -gt 0 ] || kill -9 0
echo $((left - 1)) > {counter}
exec {real} "$@"
"""


class Killer:
    """Lets a host's shell start only so many programs that change something."""

    def __init__(self, host: DeployHost, folder: Path) -> None:
        self._host = host
        self._plain = host.programs
        self._wrapped = folder / "wrapped"
        self._counter = folder / "counter"
        shutil.copytree(self._plain, self._wrapped, symlinks=True)
        for name in CHANGING:
            program = self._wrapped / name
            program.unlink()
            program.write_text(WRAPPER.format(counter=self._counter, real=shutil.which(name)))
            program.chmod(0o755)

    @contextlib.contextmanager
    def allowing(self, count: int) -> Iterator[None]:
        """Within, the program after the first `count` kills everything instead of running."""
        self._counter.write_text(f"{count}\n")
        self._host.programs = self._wrapped
        yield
        self._host.programs = self._plain


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
        "replaced": (host.root / ".fleetctl" / "replaced").read_text(),
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
    killer = Killer(host, tmp_path)
    assert settled(host.deploy(drafts), drafts)
    wanted = facts(host)
    switched = 0
    for allowed in itertools.count():
        begin_again(host, saved)
        with killer.allowing(allowed):
            survived = settled(host.deploy(drafts), drafts)
        if before:
            assert (host.root / "current" / "VERSION").read_text() in ("v2\n", "v3\n")
        again = host.deploy(drafts)
        assert settled(again, drafts), (allowed, again)
        assert facts(host) == wanted, allowed
        # Only a switch that acted can be undone: a half-done one must not end as checked.
        switched += again["switch"] == "acted"
        if survived:
            break
    assert allowed > 20
    assert (wanted["version"], wanted["last restart"], wanted["pending"]) == ("v3\n", "v3", False)
    assert switched >= 10
    assert wanted["releases"] == [*before[1:], "v3"]


def test_going_back_killed_anywhere_goes_on_when_run_again(tmp_path: Path) -> None:
    """The undo of v3, killed before its Nth program, for every N: v2 runs, v1 is behind it."""
    host = make_host(tmp_path)
    saved = deployed(host, tmp_path, ["v1", "v2", "v3"], keep=3)
    (tmp_path / "again").mkdir()
    drafts = drafts_of(host, make_release(tmp_path / "again", "v3"), **KEYS)
    killer = Killer(host, tmp_path)
    for allowed in itertools.count():
        begin_again(host, saved)
        with killer.allowing(allowed):
            survived = host.undo(drafts).returncode == 0
        assert host.undo(drafts).returncode == 0
        found = facts(host)
        assert (found["current"], found["previous"]) == ("releases/v2", "releases/v1"), allowed
        assert (found["last restart"], found["pending"]) == ("v2", False), allowed
        if survived:
            break
    assert allowed > 5
