"""A deploy as one order to the real step runner of a host."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.operations import Exec, Put
from fleetctl.playbook.substitute import fill_plain, fill_shell
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Event, RunSegment, SegmentEnded, StepEnded, StepOrder
from tests.playbook.deployhost import drafts_of, make_host, make_release

pytestmark = pytest.mark.slow
DEADLINE_S = 60.0
KEYS = {
    "to": "{{var.app}}",
    "restart": 'echo "$FLEETCTL_RELEASE" >> "$HOME/restarts"',
    "live": 'tail -n 1 "$HOME/restarts"',
}


class Ordered:
    """Orders drafts on this machine and answers how each part ended."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.transport = LocalTransport(self._events.put)
        self._ticket = 0

    def __call__(
        self, drafts: tuple[StepDraft, ...], values: dict[str, str], *, undo: bool = False
    ) -> dict[str, str]:
        self._ticket += 1
        steps = tuple(
            StepOrder(f"deploy.{draft.part}", _filled(draft, values), DEADLINE_S, undo=undo)
            for draft in drafts
        )
        run, fence = f"run{self._ticket - undo}", self._ticket
        self.transport.submit(RunSegment(self._ticket, "here", run, fence, steps))
        ends = {}
        while not isinstance(event := self._events.get(timeout=DEADLINE_S), SegmentEnded):
            if isinstance(event, StepEnded):
                told = event.result.stderr.head.decode()
                ends[event.result.key] = f"{event.result.end} {told}".strip()
        return ends


def _filled(draft: StepDraft, values: dict[str, str]) -> Exec | Put:
    operation = draft.operation
    if isinstance(operation, Put):
        return Put(operation.source, operation.sha256, operation.size,
                   fill_plain(operation.dest, values.__getitem__), operation.mode)  # fmt: skip
    assert isinstance(operation, Exec)
    texts = (operation.act, operation.check, operation.undo)
    return Exec(*(fill_shell(text, values.__getitem__) for text in texts))


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ordered]:
    """Orders to this machine with a home of its own."""
    home = tmp_path / "a home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FLEETCTL_HOME", str(home / ".fleetctl"))
    ordered = Ordered()
    yield ordered
    ordered.transport.close()


def test_a_deploy_goes_through_the_real_runner(order: Ordered, tmp_path: Path) -> None:
    """Two releases, a redeploy that does nothing, and the way back, each as one order."""
    host = make_host(tmp_path)
    host.values["var.app"] = "it's/the app"
    root = tmp_path / "a home" / "it's" / "the app"
    drafts: tuple[StepDraft, ...] = ()
    for id in ("v1", "v2"):
        drafts = drafts_of(host, make_release(tmp_path, id), **KEYS)
        ends = order(drafts, host.values)
        assert len(ends) == len(drafts)
        assert set(ends.values()) == {"acted", "checked"}
        assert ends["deploy.switch"] == ends["deploy.restart"] == "acted"
        assert (root / "current" / "VERSION").read_text() == f"{id}\n"
    again = order(drafts, host.values)
    assert again.pop("deploy.verify") == "acted"
    assert set(again.values()) == {"checked"}
    assert (root / "archives" / "v2.tar.gz").stat().st_mode & 0o777 == 0o600
    switch = tuple(draft for draft in drafts if draft.part == "switch")
    assert order(switch, host.values, undo=True) == {"deploy.switch.undo": "acted"}
    assert (root / "current" / "VERSION").read_text() == "v1\n"
    assert (tmp_path / "a home" / "restarts").read_text().split() == ["v1", "v2", "v1"]
