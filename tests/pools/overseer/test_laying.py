"""An overseer laid down where there is one already, under systemd, and taken away again."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetctl.pools.overseer import host, laying, relay
from fleetctl.pools.overseer.host import Trouble
from fleetctl.pools.packing import unit_template, version
from tests.pools.overseer.live import Host

pytestmark = pytest.mark.slow

SPECS = (
    '{"kind": {"k": {"command": ["sleep", "3002"], "ready": "exec", "min": 1}},'
    ' "instances": [{"names": ["a"], "kinds": ["k"]}]}'
)
SYSTEMCTL = """#!/bin/sh
# Stands in for systemd: one unit, whose program is started, and ended by TERM to it alone.
echo "$*" >> "$0.said"
case $1 in
enable)
    command=$(sed -n 's/^ExecStart=//p' "$UNITS/$3")
    setsid $command > /dev/null 2>&1 < /dev/null &
    echo $! > "$0.pid" ;;
stop|disable) [ ! -e "$0.pid" ] || { kill -TERM "$(cat "$0.pid")"; rm "$0.pid"; } ;;
esac
"""


class Place:
    """Where an overseer is laid down, and by which program."""

    def __init__(self, folder: Path) -> None:
        self.live = Host(folder)
        self.home = str(self.live.home)
        self.units = folder / "units"

    def order(self, **more: Any) -> dict[str, Any]:
        files = {"a.json": SPECS, "instances": ""}
        return {"specs": "1", "files": files, "python": "python3", "reserve": 10.0, **more}

    def lay(self, **more: Any) -> str:
        return laying.lay(self.home, self.order(**more))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of our own as the login's home, and as where units are."""
    place = Place(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(laying, "_OWN", str(place.live.program))
    monkeypatch.setattr(laying, "VERSION", version())
    monkeypatch.setattr(host, "UNITS", str(place.units))
    yield place
    for pid in (*_overseers(place.home), *host.kept(place.home)):
        os.kill(pid, signal.SIGKILL)
    place.live.stop()


def _overseers(home: str) -> Iterator[int]:
    """Those that work there, whatever state a test left them in."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"{home}/overseer.pyz" in (entry / "cmdline").read_text():
                yield int(entry.name)


def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that stand before the real ones; what systemctl was told."""
    (tmp_path / "units").mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("sudo", '#!/bin/sh\nshift\nexec "$@"\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("UNITS", str(tmp_path / "units"))
    return programs / "systemctl.said"


def test_systemd_runs_it_from_a_unit_that_goes_with_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enabled and started; told another reserve it leaves its daemons to a successor; gone."""
    said = _programs(tmp_path, monkeypatch)
    unit = {"unit": "o.service", "unit_text": unit_template()}
    assert place.lay(**unit) == "1 pool: 1 running"
    text = (place.units / "o.service").read_text()
    assert f"ExecStart={sys.executable} -I -S {place.home}/overseer.pyz" in text
    assert f"WorkingDirectory={pwd.getpwuid(os.geteuid()).pw_dir}\n" in text
    assert "@" not in text
    daemons = host.kept(place.home)
    place.lay(**unit)
    assert said.read_text() == "daemon-reload\nenable --now o.service\n"
    place.lay(**unit, reserve=20.0)
    told = said.read_text().splitlines()[2:]
    assert told == ["daemon-reload", "stop o.service", "enable --now o.service"]
    assert host.kept(place.home) == daemons
    assert "--reserve 20" in (place.units / "o.service").read_text()
    assert laying.leave(place.home).startswith("1 process ended")
    assert said.read_text().splitlines()[5:] == ["disable --now o.service", "daemon-reload"]
    assert not host.kept(place.home)
    assert not list(place.units.iterdir())
    assert not Path(place.home).exists()


def test_one_that_was_set_up_by_hand_is_taken_over_with_its_daemons(place: Place) -> None:
    """It hands its daemons to a successor, which has the specs that were laid down."""
    place.live.write(
        kind={"k": {"command": ["sleep", "3002"], "ready": "exec", "min": 1}},
        instances=[{"names": ["a", "b"], "kinds": ["k"]}],
    )
    place.live.start()
    place.live.until(lambda: len(place.live.pids()) == 2)
    before = place.live.pids("a/k")
    place.lay()
    assert place.live.pids("a/k") == before
    place.live.until(lambda: len(host.kept(place.home)) == 1)
    assert place.live.ask("status")["overseer"]["laid"] == "specs.1"
    laying.leave(place.home)


def test_one_that_does_not_answer_is_told_and_nothing_is_put_beside_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second overseer would fight the first over its daemons."""
    place.lay()
    pid = int(place.live.ask("status")["overseer"]["pid"])
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(relay, "DEADLINE_S", 0.1)
    monkeypatch.setattr(laying, "SETTLED_S", 0.2)
    with pytest.raises(Trouble, match="does not answer"):
        place.lay(specs="2")
    assert str(Path(f"{place.home}/specs").readlink()) == "specs.1"
    os.kill(pid, signal.SIGCONT)
    monkeypatch.setattr(relay, "DEADLINE_S", 30.0)
    laying.leave(place.home)


@pytest.mark.parametrize("under", [pytest.param("", marks=pytest.mark.exhaustive), "systemd"])
def test_when_the_new_one_does_not_come_up_the_old_one_works_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under: str
) -> None:
    """With its program, specs and unit as they were, and its daemons; the trouble is told first."""
    _programs(tmp_path, monkeypatch)
    unit = {"unit": "o.service", "unit_text": unit_template()} if under else {}
    place.lay(**unit)
    daemons = host.kept(place.home)
    broken = tmp_path / "broken.pyz"
    broken.write_text("import sys\nsys.exit('it is broken')\n")
    monkeypatch.setattr(laying, "_OWN", str(broken))
    monkeypatch.setattr(laying, "VERSION", "another")
    settled = laying._settled

    def hastily(home: str, specs: str) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(laying, "SETTLED_S", 0.5)
            return settled(home, specs)

    monkeypatch.setattr(laying, "_settled", hastily)
    with pytest.raises(Trouble, match=r"(?s)overseer .*; the overseer that was there works again$"):
        place.lay(**unit, specs="2", reserve=20.0)
    monkeypatch.setattr(laying, "VERSION", version())
    assert laying.well(place.home) == "1 pool: 1 running"
    assert host.kept(place.home) == daemons
    assert not list(Path(place.home).glob(".*.before"))
    (pid,) = _overseers(place.home)
    assert "--reserve\x0010\0" in Path(f"/proc/{pid}/cmdline").read_text()
    assert not under or "--reserve 10" in host.unit_text("o")


def test_what_cannot_be_laid_down_beside_one_that_works_leaves_it_at_work(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is found before the old one is asked to end."""
    place.lay()
    before = list(_overseers(place.home))

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(laying, "_switch", full)
    with pytest.raises(Trouble, match=r"No space left on device; .* works on$"):
        place.lay(specs="2", reserve=20.0)
    assert list(_overseers(place.home)) == before
    assert laying.well(place.home) == "1 pool: 1 running"


def test_what_cannot_be_removed_is_told_and_can_be_tried_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`uninstall` leaves nothing, or says what; then what it needs once more is still there."""
    assert [line.partition(": ")[0] for line in host.remove("/proc/self/attr")]
    place.lay()
    really = host.remove

    def stubborn(*paths: str) -> list[str]:
        logs = [path for path in paths if path.endswith("/logs")]
        really(*(path for path in paths if path not in logs))
        return [f"{path}: Operation not permitted" for path in logs]

    monkeypatch.setattr(host, "remove", stubborn)
    with pytest.raises(
        Trouble, match=r"not all could be removed: .*/logs: Operation not permitted"
    ):
        laying.leave(place.home)
    assert not host.kept(place.home)
    monkeypatch.setattr(host, "remove", really)
    assert laying.leave(place.home).startswith("0 processes ended")
    assert not Path(place.home).exists()


def test_specs_that_do_not_fit_the_host_change_nothing(place: Place) -> None:
    """What was laid down goes on as it was, and the half that was written is gone."""
    place.lay()
    with pytest.raises(Trouble, match=r"nothing was changed: specs/a\.json:1: unknown key 'mox'"):
        place.lay(specs="2", files={"a.json": SPECS.replace('"min"', '"mox"'), "instances": ""})
    left = sorted(path.name for path in Path(place.home).glob("*specs*"))
    assert left == ["specs", "specs.1"]
    assert laying.well(place.home) == "1 pool: 1 running"
    laying.leave(place.home)


def test_daemons_of_an_overseer_that_was_killed_are_ended_too(place: Place) -> None:
    """They are adopted once more, to be ended gently; none is left to nobody."""
    place.lay()
    os.kill(int(place.live.ask("status")["overseer"]["pid"]), signal.SIGKILL)
    place.live.until(lambda: not host.held(place.home))
    assert len(host.kept(place.home)) == 1
    assert laying.leave(place.home).startswith("1 process ended")
    assert not host.kept(place.home)


def test_a_folder_nobody_laid_down_is_never_removed(place: Place) -> None:
    """It may be anything."""
    Path(place.home).mkdir()
    (Path(place.home) / "thesis").touch()
    with pytest.raises(Trouble, match="left alone"):
        laying.leave(place.home)
    assert (Path(place.home) / "thesis").exists()


def test_a_folder_of_somebody_elses_is_not_laid_down_in(place: Place) -> None:
    """Else it would be removed with the overseer one day."""
    Path(place.home).mkdir()
    (Path(place.home) / "thesis").touch()
    with pytest.raises(Trouble, match="name an empty or new"):
        place.lay()
    assert [path.name for path in Path(place.home).iterdir()] == ["thesis"]
