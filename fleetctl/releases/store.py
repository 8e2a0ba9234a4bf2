"""The releases on this machine: a folder of folders, each an artifact with what is known about it.

    DIR/ID/artifact.tar.gz
    DIR/ID/release.json

A release appears by one rename and never changes after it.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fleetctl.base.errors import InputError, Location, LockHeld, Refused, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.playbook.kinds import Artifact
from fleetctl.releases.artifact import hash_file, write_artifact
from fleetctl.releases.durable import sync, write_whole
from fleetctl.releases.sources import Contents, Source, read_source

ARTIFACT = "artifact.tar.gz"
FACTS = "release.json"
_HALF_DONE = ".adding-"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", re.ASCII)
_RESERVED = frozenset({"current", "previous", "latest", "none"})


class ReleaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a release; written once, beside its artifact."""

    id: str
    content: str
    """sha256 of what is in it, the same on every machine."""
    sha256: str
    """sha256 of the artifact's file."""
    size: int
    """Bytes of the artifact's file."""
    unpacked: int
    files: int
    origin: str
    commit: str = ""
    schema: int = 0
    """The number of the newest migration it needs; 0: not said."""
    added: str
    """When, UTC, ISO 8601."""
    by: str = ""


class Added(ReleaseInfo, frozen=True, kw_only=True):
    """What adding came to."""

    new: bool
    """False: this release was there already, nothing was written."""
    twins: tuple[str, ...] = ()
    """Other releases with the same content."""


class ReleaseStore:
    """The releases in one folder; safe against other processes that use it too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def add(
        self,
        source: Source,
        id: str | None = None,
        *,
        at_s: float | None = None,
        by: str = "",
        schema: int = 0,
    ) -> Added:
        """Make `source` a release, durably; `at_s` is Unix time, None means now.

        Without an `id`, content that is here already keeps the id it has. Raises UsageError,
        InputError (see `read_source`), Refused when the id has another content or the disk fails.
        """
        if id is not None:
            check_id(id)
        moment = datetime.fromtimestamp(time.time() if at_s is None else at_s, UTC)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked(), self._half_done() as half:
                info = _build(source, half, id, moment, by)
                info = msgspec.structs.replace(info, schema=schema)
                return self._keep(info, half, named=id is not None)
        except OSError as error:
            raise Refused(f"cannot make a release of {source}", why=str(error)) from error

    def get(self, id: str) -> ReleaseInfo:
        """The release of this very id; raises UsageError with the nearest one."""
        path = self.folder / id / FACTS
        if not _ID.fullmatch(id) or not path.is_file():
            known = [info.id for info in self.all()]
            hint = did_you_mean(id, known) or "add one with `fleetctl releases add`"
            raise UsageError(f'no release "{id}" in {self.folder}', hint=hint)
        return _read_facts(path)

    def all(self) -> list[ReleaseInfo]:
        """Every release, the newest first."""
        found = [_read_facts(path) for path in self.folder.glob(f"[!.]*/{FACTS}")]
        return sorted(found, key=lambda info: (info.added, info.id), reverse=True)

    def artifact(self, id: str) -> Artifact:
        """The release's file, its hash verified now; raises UsageError, Refused when damaged."""
        info = self.get(id)
        path = self.folder / id / ARTIFACT
        try:
            found = hash_file(path)
        except OSError as error:
            raise _damaged(info, path, str(error)) from error
        if found != (info.sha256, info.size):
            why = f"sha256 is {found[0][:12]}..., was {info.sha256[:12]}... when it was added"
            raise _damaged(info, path, why)
        return Artifact(info.id, str(path), info.sha256, info.size, info.content, info.schema)

    def _keep(self, info: ReleaseInfo, half: Path, *, named: bool) -> Added:
        """Give the built release its place, unless it is there already."""
        same = [known for known in self.all() if known.content == info.content]
        place = self.folder / info.id
        earlier = next((one for one in same if one.id == info.id or not named), None)
        if earlier is not None:
            self.artifact(earlier.id)
            if info.schema and info.schema != earlier.schema:
                raise Refused(
                    f'this content is here as "{earlier.id}", which needs schema {earlier.schema}',
                    hint="a release never changes: give it another --id",
                )
            twins = tuple(one.id for one in same if one.id != earlier.id)
            return Added(**msgspec.structs.asdict(earlier), new=False, twins=twins)
        if place.exists():
            raise Refused(
                f'release "{info.id}" is already here with another content',
                hint="a release never changes: give the new content another --id",
            )
        write_whole(half / FACTS, msgspec.json.format(msgspec.json.encode(info)) + b"\n")
        half.rename(place)
        sync(self.folder)
        return Added(**msgspec.structs.asdict(info), new=True, twins=tuple(one.id for one in same))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One adding at a time; what an earlier one left half done is swept away."""
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockHeld(
                    f"another `fleetctl releases add` is at work in {self.folder}",
                    hint="try again when it is done",
                ) from None
            for leftover in self.folder.glob(f"{_HALF_DONE}*"):
                shutil.rmtree(leftover)
            yield

    @contextlib.contextmanager
    def _half_done(self) -> Iterator[Path]:
        """A folder for the release being built; gone afterwards unless it was renamed."""
        half = Path(tempfile.mkdtemp(prefix=_HALF_DONE, dir=self.folder))
        try:
            yield half
        finally:
            shutil.rmtree(half, ignore_errors=True)


def check_id(id: str) -> None:
    """Raise UsageError unless `id` can name a release here and a folder on every host."""
    if id in _RESERVED or not _ID.fullmatch(id):
        raise UsageError(
            f"{id!r} cannot name a release",
            why="it is a word with a meaning of its own" if id in _RESERVED else "",
            hint="letters, digits and . _ + - (first a letter or digit, at most 100)",
        )


def _build(source: Source, half: Path, id: str | None, moment: datetime, by: str) -> ReleaseInfo:
    with tempfile.TemporaryDirectory(prefix="files-", dir=half) as staging:
        contents = read_source(source, Path(staging))
        if not contents.entries:
            raise UsageError(f"{source} is empty; a release needs at least one file")
        written = write_artifact(contents.entries, half / ARTIFACT)
    return ReleaseInfo(
        id=id if id is not None else _derived_id(contents, written.content, moment),
        content=written.content,
        sha256=written.sha256,
        size=written.size,
        unpacked=written.unpacked,
        files=written.files,
        origin=contents.origin,
        commit=contents.commit,
        added=moment.isoformat(timespec="seconds"),
        by=by,
    )


def _derived_id(contents: Contents, content: str, moment: datetime) -> str:
    """Day and content: a commit gets the same id on every machine."""
    return f"{contents.day or moment.date().isoformat()}-{content[:7]}"


def _read_facts(path: Path) -> ReleaseInfo:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReleaseInfo)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            "this release cannot be read",
            Location(str(path)),
            why=str(error),
            hint="remove its folder and add the release again",
        ) from error


def _damaged(info: ReleaseInfo, path: Path, why: str) -> Refused:
    return Refused(
        f'release "{info.id}" is damaged: {path}',
        why=why,
        hint=f"remove {path.parent} and add it again from {info.origin}",
    )
