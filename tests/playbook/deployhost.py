"""A host for the deploy step's texts: a home, a shell, and only the programs a host must have."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fleetctl.playbook.kinds import Artifact, KindContext, StepDraft
from fleetctl.playbook.operations import Exec, Put
from fleetctl.playbook.releasetree import PROGRAMS
from fleetctl.playbook.steps.deploy import KIND, Deploy
from fleetctl.playbook.substitute import fill_plain, fill_shell
from fleetctl.releases.store import ReleaseStore

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
OF_AUTHORS = ["cat"]
DEADLINE_S = 60


@dataclass
class DeployHost:
    """Runs drafts as a host's step runner does: check first, then act; stops at a failure."""

    home: Path
    shell: list[str]
    programs: Path
    values: dict[str, str]

    @property
    def root(self) -> Path:
        return self.home / "app"

    def link(self, name: str) -> str | None:
        path = self.root / name
        return str(path.readlink()) if path.is_symlink() else None

    def sh(self, text: str) -> subprocess.CompletedProcess[str]:
        """Fill a text in and run it."""
        return self.run(fill_shell(text, self.values.__getitem__))

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a text as it is, in a process group of its own."""
        return subprocess.run(
            [*self.shell, "-c", text],
            cwd=self.home,
            env={"PATH": str(self.programs), "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            start_new_session=True,
            check=False,
        )

    def deploy(self, drafts: tuple[StepDraft, ...]) -> dict[str, str]:
        """Part -> acted, checked or why it failed; parts after a failure are missing."""
        ends: dict[str, str] = {}
        for draft in drafts:
            ends[draft.part] = self.step(draft)
            if ends[draft.part] not in ("acted", "checked"):
                break
        return ends

    def step(self, draft: StepDraft) -> str:
        if isinstance(draft.operation, Put):
            return self.put(draft.operation)
        assert isinstance(draft.operation, Exec)
        if draft.operation.check and self.sh(draft.operation.check).returncode == 0:
            return "checked"
        done = self.sh(draft.operation.act)
        if done.returncode != 0:
            return done.stderr or f"exit {done.returncode}"
        if draft.reads_release:
            said = done.stdout.splitlines()[-1]
            if said != fill_plain(draft.expects, self.values.__getitem__):
                return f"read back {said}"
        return "acted"

    def put(self, put: Put) -> str:
        dest = self.home / fill_plain(put.dest, self.values.__getitem__)
        if dest.is_file() and hashlib.sha256(dest.read_bytes()).hexdigest() == put.sha256:
            return "checked"
        shutil.copy(put.source, dest)
        dest.chmod(put.mode)
        return "acted"

    def undo(self, drafts: tuple[StepDraft, ...]) -> subprocess.CompletedProcess[str]:
        """Undo what has an undo, last first; answers the switch's."""
        switch = part_of(drafts, "switch")
        assert isinstance(switch.operation, Exec)
        return self.sh(switch.operation.undo)


def make_host(folder: Path, shell: str = "dash") -> DeployHost:
    """A fresh host whose PATH holds what a deploy says it needs, and nothing else."""
    home = folder / "it's a $home"
    home.mkdir()
    programs = folder / "bin"
    programs.mkdir()
    for name in [*PROGRAMS.split(), *OF_AUTHORS]:
        found = shutil.which("busybox" if shell == "busybox" else name)
        assert found is not None
        (programs / name).symlink_to(found)
    resolved = shutil.which(SHELLS[shell][0])
    assert resolved is not None
    values = {"var.app": "app", "host.name": "db001"}
    return DeployHost(home, [resolved, *SHELLS[shell][1:]], programs, values)


def make_release(folder: Path, id: str, **files: str) -> Artifact:
    """A release of a few files, one of them named VERSION."""
    source = folder / f"source-{id}"
    source.mkdir()
    for name, text in {"VERSION": f"{id}\n", **files}.items():
        (source / name).write_text(text)
    (source / "bin").mkdir()
    (source / "bin" / "start").write_text("#!/bin/sh\n")
    (source / "bin" / "start").chmod(0o755)
    store = ReleaseStore(folder / "store")
    store.add(source, id)
    return store.artifact(id)


def drafts_of(host: DeployHost, artifact: Artifact, **keys: object) -> tuple[StepDraft, ...]:
    """What the deploy step compiles to; the host's values get the release put in."""
    host.values["release.id"] = artifact.release
    context = KindContext(str(host.home), artifact, lambda path: ("", Path(path).stat().st_size))
    return KIND.compile(Deploy(**{"to": "app", **keys}), context)  # type: ignore[arg-type]


def part_of(drafts: tuple[StepDraft, ...], part: str) -> StepDraft:
    return next(draft for draft in drafts if draft.part == part)
