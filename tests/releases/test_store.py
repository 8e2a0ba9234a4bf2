"""Releases are immutable, reproducible, and appear whole or not at all."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from fleetctl.base.errors import InputError, LockHeld, Refused, UsageError
from fleetctl.releases.sources import GitRef
from fleetctl.releases.store import ARTIFACT, ReleaseStore

NOON_S = 1_795_348_800.0  # 2026-11-22 12:00 UTC


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a file, a program, a link and a subfolder."""
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "start").write_text("#!/bin/sh\n")
    (folder / "bin" / "start").chmod(0o755)
    (folder / "readme").write_text("hello\n")
    (folder / "run").symlink_to("bin/start")
    return folder


def archive(path: Path, *members: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(data))
    return path


def member(name: str, type: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, target
    return info


def commit_all(repository: Path) -> None:
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    environ = {**os.environ, "GIT_COMMITTER_DATE": "2026-03-01T23:30:00+0000"}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=environ, timeout=300)


def test_the_same_content_is_the_same_release_whatever_it_comes_from(
    store: ReleaseStore, app: Path, tmp_path: Path
) -> None:
    """Folder, archive with other times and owners, git commit: one content, one id."""
    first = store.add(app, at_s=NOON_S)
    os.utime(app / "readme", (1, 1))
    (app / "readme").chmod(0o664)
    with tarfile.open(tmp_path / "app.tar.bz2", "w:bz2") as tar:
        for path in sorted(app.rglob("*"), reverse=True):
            tar.add(path, str(path.relative_to(app)), recursive=False)
    commit_all(app)
    again = [store.add(app), store.add(tmp_path / "app.tar.bz2"), store.add(GitRef(app, "HEAD"))]
    assert first.new
    assert first.id == f"2026-11-22-{first.content[:7]}"
    assert [(one.new, one.id, one.sha256) for one in again] == [(False, first.id, first.sha256)] * 3
    assert [info.id for info in store.all()] == [first.id]


def test_an_artifact_holds_no_trace_of_its_making(store: ReleaseStore, app: Path) -> None:
    """Times, owners and file names of this machine are left out; contents and modes are kept."""
    artifact = store.artifact(store.add(app, "v1").id)
    assert gzip.decompress(Path(artifact.path).read_bytes())
    assert Path(artifact.path).read_bytes()[4:8] == bytes(4)
    with tarfile.open(artifact.path) as tar:
        members = {info.name: info for info in tar.getmembers()}
        assert tar.extractfile("readme").read() == b"hello\n"  # type: ignore[union-attr]
    assert list(members) == ["bin", "bin/start", "readme", "run"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members.values()} == {
        (0, 0, 0, "", "")
    }
    assert members["bin/start"].mode == 0o755
    assert members["run"].linkname == "bin/start"


def test_a_commit_names_its_release_by_its_own_day(store: ReleaseStore, app: Path) -> None:
    """Everybody who adds the same commit gets the same id, on any day."""
    commit_all(app)
    added = store.add(GitRef(app, "HEAD"), at_s=NOON_S)
    assert added.id.startswith("2026-03-01-")
    assert len(added.commit) == 40


def test_an_id_never_changes_its_content(store: ReleaseStore, app: Path) -> None:
    """The same id with another content is refused, with the same content it says so."""
    store.add(app, "v1")
    assert not store.add(app, "v1").new
    assert store.add(app, "v1-final").twins == ("v1",)
    (app / "readme").write_text("changed\n")
    before = sorted(store.folder.rglob("*"))
    with pytest.raises(Refused, match="another content"):
        store.add(app, "v1")
    assert sorted(store.folder.rglob("*")) == before


@pytest.mark.parametrize("id", ["", ".x", "-rf", "a/b", "a b", "a\n", "ä", "latest", "x" * 101])
def test_an_id_that_could_not_be_a_folder_everywhere_is_refused(
    store: ReleaseStore, app: Path, id: str
) -> None:
    """An id becomes a folder name and a word on hosts; nothing else may get that far."""
    with pytest.raises(UsageError, match="cannot name a release"):
        store.add(app, id)


@pytest.mark.parametrize(
    "bad",
    [
        member("../escape"),
        member("/etc/passwd"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.SYMTYPE, "../x"),
        member("hard", tarfile.LNKTYPE, "../../etc/passwd"),
        member("hard", tarfile.LNKTYPE, "nothing"),
        member("null", tarfile.CHRTYPE),
        member("disk", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_a_hostile_archive_leaves_nothing(
    store: ReleaseStore, tmp_path: Path, bad: tarfile.TarInfo
) -> None:
    """Paths and links that lead outside, and devices, are refused and nothing is kept."""
    path = archive(tmp_path / "bad.tar.gz", member("good"), bad)
    with pytest.raises(InputError, match=r"bad\.tar\.gz: this cannot be a release"):
        store.add(path, "v1")
    assert store.all() == []
    assert [p.name for p in store.folder.iterdir()] == [".lock"]


def test_a_hard_link_becomes_a_file_of_its_own(store: ReleaseStore, tmp_path: Path) -> None:
    """Archives of trees with hard links work; the release has the bytes twice."""
    one = member("a")
    one.size = 3
    path = archive(tmp_path / "x.tar.gz", one, member("b", tarfile.LNKTYPE, "a"), data=b"abc")
    assert store.add(path, "v1").unpacked == 6


def test_a_cut_archive_is_no_release(store: ReleaseStore, tmp_path: Path, app: Path) -> None:
    """Half a download is told as such, and leaves nothing behind."""
    path = tmp_path / "cut.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(app, ".")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged"):
        store.add(path, "v1")
    assert store.all() == []


def test_a_damaged_artifact_is_never_handed_out(store: ReleaseStore, app: Path) -> None:
    """One flipped bit, or a missing file, is found before anything is sent to a host."""
    store.add(app, "v1")
    path = store.folder / "v1" / ARTIFACT
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match="damaged"):
        store.artifact("v1")
    path.unlink()
    with pytest.raises(Refused, match="damaged"):
        store.artifact("v1")


def test_an_unknown_release_names_the_nearest(store: ReleaseStore, app: Path) -> None:
    """A typo in an id is answered with what was probably meant; paths are no ids."""
    store.add(app, "web-1.4")
    with pytest.raises(UsageError, match=r'did you mean "web-1\.4"'):
        store.get("web-1.5")
    with pytest.raises(UsageError):
        store.get("../releases/web-1.4")


def test_what_a_killed_adding_left_is_swept_and_never_listed(
    store: ReleaseStore, app: Path
) -> None:
    """Half-built folders are no releases, and the next adding takes them away."""
    store.folder.mkdir()
    left = store.folder / ".adding-dead"
    left.mkdir()
    (left / "release.json").write_text("{}")
    assert store.all() == []
    store.add(app, "v1")
    assert not left.exists()


def test_two_addings_at_once_exclude_each_other(store: ReleaseStore, app: Path) -> None:
    """The second is told that somebody is at work, instead of sweeping the first one's files."""
    store.add(app, "v1")
    with (store.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LockHeld):
            store.add(app, "v2")


def test_an_empty_folder_and_a_device_are_no_releases(store: ReleaseStore, tmp_path: Path) -> None:
    """What cannot be deployed is refused when it is added, not on a host."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="empty"):
        store.add(empty, "v1")
    os.mkfifo(empty / "pipe")
    with pytest.raises(InputError, match="pipe"):
        store.add(empty, "v1")


@pytest.mark.parametrize("ref", ["nothing", "--output=/x", "HEAD:readme", ""])
def test_a_ref_that_is_no_commit_is_refused(store: ReleaseStore, app: Path, ref: str) -> None:
    """A wrong ref, or one that looks like an option of git, adds nothing."""
    commit_all(app)
    with pytest.raises(UsageError, match="no commit"):
        store.add(GitRef(app, ref))


@pytest.mark.slow
def test_memory_stays_flat_however_large_a_release_is(store: ReleaseStore, tmp_path: Path) -> None:
    """200 MB stream from the folder to the artifact through a few small buffers."""
    big = tmp_path / "big"
    big.mkdir()
    with (big / "zeros").open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        info = store.add(big, "v1")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert info.unpacked == 200_000_000
    assert peak < 12_000_000
