"""Whether a resume takes hosts back to what they ran before a newer run."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import Refused
from fleetctl.cli.overtaken import heed, overtaken
from fleetctl.cli.progress import RunView
from fleetctl.journal.rows import LiveRelease
from tests.cli.samples import DB, START_S, WEB, plan


def _live(host: str, release: str, run: str = "02RUN") -> LiveRelease:
    return LiveRelease(host, release, START_S, run)


def test_hosts_with_another_release_by_now_are_named_with_whose_it_is() -> None:
    """What they had when the run was planned, have of this run or of its release is no news."""
    view = RunView(plan())
    view.run = "01RUN"
    ours = {"db003": _live("db003", "r9", "01RUN")}
    same = {"db004": _live("db004", "r1"), "db005": _live("db005", "r2")}
    live = {host: _live(host, "r3") for host in (*DB[:2], *WEB)} | ours | same
    assert overtaken(view, live, (*DB, *WEB)) == [
        "db[001-002] (2) run r3 since run 02RUN; going on takes them to r2"
    ]
    assert overtaken(view, live, DB[2:]) == []


def test_nobody_is_taken_back_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads it before the number of hosts; a script is refused, with the other way out."""
    view = RunView(plan())
    view.run = "01RUN"
    live = {"db001": _live("db001", "r3")}
    with pytest.raises(Refused, match="overtaken") as refused:
        heed(view, live, DB, yes=True)
    assert "fleetctl pools release 01RUN" in str(refused.value.hint)
    heed(view, {}, DB, yes=True)
    assert capsys.readouterr().err == ""
    heed(view, live, DB, yes=False)
    told = "NOTE: db001 (1) run r3 since run 02RUN; going on takes it to r2\n"
    assert capsys.readouterr().err == told
