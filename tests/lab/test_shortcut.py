"""Overseers of a lab work on a path that is short enough for sockets, however deep the lab lies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.base.errors import Refused
from fleetctl.inventory.model import Pools
from fleetctl.lab.layout import Layout
from fleetctl.lab.shortcut import (
    HOME_MOST,
    make_shortcut,
    overseer_folder,
    overseer_home,
    remove_shortcut,
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of our own, its path as short as that of the usual one."""
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setattr("tempfile.tempdir", made)
        yield Path(made)


def _deep(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / ("deep" * 20))
    layout.home("repo001").mkdir(parents=True)
    return layout


def test_a_deep_lab_gets_a_link_that_is_removed_with_it(tmp_path: Path, short: Path) -> None:
    """The folder meant is that below the host's home; nothing stays of the link."""
    layout = _deep(tmp_path)
    home = overseer_home(layout, "lab1", ["repo001"])
    assert len(home.replace("{{host.name}}", "repo001")) <= HOME_MOST
    make_shortcut(layout, "lab1", ["repo001"])
    folder = overseer_folder(layout, "lab1", "repo001")
    assert folder.parent.parent.resolve() == layout.home("repo001").resolve()
    remove_shortcut(layout, "lab1")
    assert list(short.iterdir()) == []


def test_a_shallow_lab_needs_none(short: Path) -> None:
    """Its overseers are where those of any host are."""
    layout = Layout(Path("/srv/lab"))
    make_shortcut(layout, "lab1", ["repo001"])
    assert overseer_home(layout, "lab1", ["repo001"]) == Pools().home
    assert list(short.iterdir()) == []


def test_what_is_somebody_elses_is_left_alone(tmp_path: Path, short: Path) -> None:
    """A name that leads elsewhere is refused, and never removed."""
    (short / "fleetctl-lab1").symlink_to("/elsewhere")
    layout = _deep(tmp_path)
    with pytest.raises(Refused, match="taken"):
        make_shortcut(layout, "lab1", ["repo001"])
    remove_shortcut(layout, "lab1")
    assert (short / "fleetctl-lab1").is_symlink()
