"""Processes that the overseer starts: what they inherit of it, and what not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fleetctl.pools.overseer import processes


@pytest.mark.parametrize(("own", "its"), [("-500\n", "0"), ("0\n", "0\n"), ("200\n", "200\n")])
def test_the_protection_from_want_of_memory_is_the_overseers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, its: str
) -> None:
    """At the moment a program is started the score is that of others; before and after, its own."""
    score, seen, spawn = tmp_path / "score", [], os.posix_spawnp
    score.write_text(own)

    def watched(*args: Any, **more: Any) -> int:
        seen.append(score.read_text())
        return spawn(*args, **more)

    def begin(program: str) -> int:
        return processes.spawn([program], os.environ, str(tmp_path / "log"), "")

    monkeypatch.setattr(processes, "OOM_SCORE", str(score))
    monkeypatch.setattr(os, "posix_spawnp", watched)
    os.waitpid(begin("true"), 0)
    with pytest.raises(FileNotFoundError):
        begin("/no/such/program")
    assert [value[: len(its)] for value in seen] == [its, its]
    assert score.read_text() == own
