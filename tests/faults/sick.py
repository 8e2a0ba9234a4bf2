"""Five hosts of which one falls ill during a push, and what is asked of every such push."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.faults import hasty
from tests.labfixture import RunningLab

HOSTS = ("h1", "h2", "h3", "h4", "h5")
SOUND, SICK, LATER = ("h1", "h2", "h3"), "h4", "h5"
"""All but the last one are the first batch; nobody may be lost. The sound hosts keep the lease."""
PLAYBOOK = """\
title: Saturday push
budget: 0
phases:
  - name: db
    hosts: tier=db
    batches: [4, 100%]
    steps:
      - run: echo one >> marks; while [ -e hold ]; do sleep 0.05; done; echo two >> marks
        name: upgrade
      - run: echo three >> marks
        name: restart
"""
ONCE = ["one", "two", "three"]
BEGUN: dict[str, list[str]] = {**dict.fromkeys(SOUND, ONCE), LATER: []}


class Ward:
    """A push by the real program, with little patience, over a lab with a sick host."""

    def __init__(
        self, folder: Path, lab: RunningLab, playbook: str = PLAYBOOK, held: tuple[str, ...] = ()
    ) -> None:
        self.lab = lab
        self._written = ""
        self.program = Program(folder, lab)
        self.program.write("push.yaml", playbook)
        self._holds = [lab.home(host) / "hold" for host in held or (SICK,)]
        for hold in self._holds:
            hold.touch()

    def give_up_soon(self) -> None:
        """The sick host alone is connected to with little patience, until it is mended."""
        text = self._written = self.lab.inventory.read_text()
        document = yaml.safe_load(text)
        document["tiers"]["db"]["hosts"][SICK]["connect_timeout"] = "1s"
        self.lab.inventory.write_text(yaml.safe_dump(document))

    def let_go(self) -> None:
        """The held steps end."""
        for hold in self._holds:
            hold.unlink(missing_ok=True)

    @property
    def hold(self) -> Path:
        """While it is there the sick host's first step goes on."""
        return self.lab.home(SICK) / "hold"

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin it."""
        return subprocess.Popen([sys.executable, hasty.__file__, *words, "--yes"],
                                cwd=self.program.folder, env=self.program.environ,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True,
                                start_new_session=True)  # fmt: skip

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Its exit code, and all it said."""
        try:
            stdout, stderr = process.communicate(timeout=2 * PATIENCE_S)
        finally:
            end(process)
        return process.returncode, stdout + stderr

    def call(self, *words: str) -> tuple[int, str]:
        """Begin it, and wait for its end."""
        return self.finish(self.start(*words))

    def at_work(self) -> None:
        """Until the sick host is in its first step."""
        wait_until(lambda: bool(self.program.lines(SICK, "marks")), "the sick host at work")

    def marks(self) -> dict[str, list[str]]:
        """What was done on each host."""
        return {host: self.program.lines(host, "marks") for host in HOSTS}

    def rows(self) -> dict[str, dict[str, Any]]:
        """What the run says of each host."""
        told = self.program.call("runs", "show", "last", "-o", "json").stdout
        return {row["host"]: row for row in json.loads(told)}

    def outcomes(self) -> dict[str, str]:
        """The outcome of each host."""
        return {host: row["outcome"] for host, row in self.rows().items()}

    def sound_is_done(self) -> None:
        """The hosts beside the sick one are not held up by what it does now."""
        wait_until(lambda: all(self.marks()[host] == ONCE for host in SOUND), "the sound hosts")

    def mend(self) -> None:
        """The host is well again: `--failed` brings it to its end, a plain resume the others."""
        self.lab.clear("*")
        if self._written:
            self.lab.inventory.write_text(self._written)
        self.hold.unlink(missing_ok=True)
        code, told = self.call("runs", "resume", "last", "--failed")
        assert code == 6, told  # the budget that was spent stops what comes after
        assert {**self.outcomes(), SICK: ""} == {
            SICK: "",
            LATER: "skipped",
            **dict.fromkeys(SOUND, "changed"),
        }
        code, told = self.call("runs", "resume", "last")
        assert code == 0, told
