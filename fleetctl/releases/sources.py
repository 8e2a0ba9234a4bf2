"""What a release can be made from: a folder, a tar archive, a commit of a git repository.

Reading one yields the entries of a release. Archives are laid down in `staging` under numbers, so
that no name inside an archive ever becomes a path here.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from fleetctl.base.errors import InputError, Location, UsageError
from fleetctl.releases.tree import Entry, Unfit, clean_name, settle, settled_mode

CHUNK_BYTES = 1 << 20
GIT_DEADLINE_S = 60.0


class GitRef(msgspec.Struct, frozen=True):
    """A commit by any name git knows: a tag, a branch, a hash."""

    repository: Path
    ref: str

    def __str__(self) -> str:
        return f"git {self.repository} {self.ref}"


Source = Path | GitRef


class Contents(msgspec.Struct, frozen=True):
    """The entries of a release, and what is known about where they come from."""

    entries: list[Entry]
    origin: str
    commit: str = ""
    day: str = ""
    """The commit's date (UTC), empty for what is no commit."""


def read_source(source: Source, staging: Path) -> Contents:
    """Read `source`; `staging` is an empty folder that must stay until the entries are written.

    Raises UsageError when there is no such source, InputError when it cannot be a release.
    """
    if isinstance(source, GitRef):
        return _read_git(source, staging)
    path = source.absolute()
    if path.is_dir():
        return Contents(_settled(_walk(path), path), str(path))
    if not path.is_file():
        raise UsageError(f'"{source}" is no folder and no tar archive', hint="or is it --git?")
    with path.open("rb") as file:
        return Contents(_settled(_unpack(file, path, staging), path), str(path))


def _settled(entries: Iterator[Entry], where: Path) -> list[Entry]:
    try:
        return settle(entries)
    except Unfit as unfit:
        raise InputError(
            f"this cannot be a release: {unfit}",
            Location(str(where)),
            hint="a release holds files, folders, and links that stay inside it",
        ) from None


def _walk(root: Path) -> Iterator[Entry]:
    """Everything below `root` but git's own folders, which change without the content changing."""
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as found:
            for item in found:
                if item.name == ".git":
                    continue
                path = Path(item.path)
                yield _entry_of(item, path.relative_to(root).as_posix(), path)
                if item.is_dir(follow_symlinks=False):
                    folders.append(path)


def _entry_of(item: os.DirEntry[str], name: str, path: Path) -> Entry:
    status = item.stat(follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, "link", target=str(path.readlink()))
    mode = settled_mode(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, "folder", mode)
    if not stat.S_ISREG(status.st_mode):
        raise Unfit(f"{name!r} is no file, folder or link (a device, pipe or socket)")
    return Entry(name, "file", mode, status.st_size, path)


def _unpack(file: IO[bytes], path: Path, staging: Path) -> Iterator[Entry]:
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            yield from _members(archive, staging)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(
            "this is no tar archive, or a damaged one",
            Location(str(path)),
            why=str(error),
            hint="give a folder, or an archive made by tar (plain, gzip, bzip2 or xz)",
        ) from None


def _members(archive: tarfile.TarFile, staging: Path) -> Iterator[Entry]:
    laid: dict[str, Entry] = {}
    for number, member in enumerate(archive):
        archive.members.clear()  # type: ignore[attr-defined]
        name = clean_name(member.name)
        if not name:
            continue
        entry = _staged(archive, member, name, laid, staging / str(number))
        if entry.kind == "file":
            laid[name] = entry
        yield entry


def _staged(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    name: str,
    laid: dict[str, Entry],
    path: Path,
) -> Entry:
    mode = settled_mode(member.mode)
    if member.isdir():
        return Entry(name, "folder", mode)
    if member.issym():
        return Entry(name, "link", target=member.linkname)
    if member.islnk():
        first = laid.get(clean_name(member.linkname))
        if first is None:
            raise Unfit(f"{name!r} is a hard link to {member.linkname!r}, which is no earlier file")
        return Entry(name, "file", first.mode, first.size, first.path)
    bytes_of = archive.extractfile(member) if member.isreg() else None
    if bytes_of is None:
        raise Unfit(f"{name!r} is no file, folder or link (a device or pipe)")
    with bytes_of, path.open("xb") as staged:
        while chunk := bytes_of.read(CHUNK_BYTES):
            staged.write(chunk)
    return Entry(name, "file", mode, member.size, path)


def _read_git(source: GitRef, staging: Path) -> Contents:
    repository = source.repository.absolute()
    commit = _git_says(source, "rev-parse", "--verify", "--quiet", "--end-of-options",
                       f"{source.ref}^{{commit}}")  # fmt: skip
    committed_s = int(_git_says(source, "show", "--no-patch", "--format=%ct", commit))
    entries = _settled(_archived(repository, commit, staging), repository)
    day = datetime.fromtimestamp(committed_s, UTC).date().isoformat()
    return Contents(entries, f"git {repository} {source.ref}", commit, day)


def _git_says(source: GitRef, *words: str) -> str:
    """One line of git's answer."""
    try:
        done = subprocess.run(
            _git(source.repository, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_DEADLINE_S,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed here", hint="install it, or add a folder") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git gave no answer about {source.repository}") from None
    if done.returncode != 0:
        raise UsageError(
            f'no commit "{source.ref}" in {source.repository}',
            why=done.stderr.strip().removeprefix("fatal: "),
            hint="name a tag, branch or commit of a repository on this machine",
        )
    return done.stdout.strip()


def _git(repository: Path, *words: str) -> list[str]:
    # Nothing is fetched and nobody is asked: what is not on this machine is an error.
    return ["git", "-C", str(repository), "-c", "protocol.allow=never", "--no-pager", *words]


def _archived(repository: Path, commit: str, staging: Path) -> Iterator[Entry]:
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(
            _git(repository, "archive", "--format=tar", commit),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as git:
            assert git.stdout is not None
            try:
                yield from _unpack(git.stdout, repository, staging)
                while git.stdout.read(CHUNK_BYTES):
                    pass
            finally:
                # Also when an entry was refused half-way; after the end it does nothing.
                git.stdout.close()
        if git.returncode != 0:
            complaints.seek(0)
            why = complaints.read(2000).decode(errors="replace").strip()
            raise InputError(f"git could not archive {commit}", Location(str(repository)), why=why)
