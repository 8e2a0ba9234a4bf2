"""Writing a release as one gzipped tar archive: the same content gives the same bytes.

Entries are sorted, owners, times and names of machines left out. The content hash is over the
unzipped archive, so that machines with another zlib agree on it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

import msgspec

from fleetctl.releases.tree import Entry

CHUNK_BYTES = 1 << 20
GZIP_LEVEL = 6


class Written(msgspec.Struct, frozen=True):
    """What was written; sizes in bytes."""

    content: str
    """sha256 of the archive before it was zipped."""
    sha256: str
    """sha256 of the file."""
    size: int
    unpacked: int
    files: int


class _Hashing(io.RawIOBase):
    """Passes bytes on and hashes them."""

    def __init__(self, below: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self.size = 0
        self._below = below

    def writable(self) -> bool:
        return True

    def write(self, chunk: object) -> int:
        data = cast(bytes, chunk)
        self.sha256.update(data)
        self.size += len(data)
        self._below.write(data)
        return len(data)


def write_artifact(entries: Iterable[Entry], target: Path) -> Written:
    """Write settled entries to the new file `target`, durably; memory does not grow with sizes."""
    files = unpacked = 0
    with target.open("xb") as file:
        zipped = _Hashing(file)
        with gzip.GzipFile("", "wb", GZIP_LEVEL, cast(IO[bytes], zipped), mtime=0) as zipper:
            plain = _Hashing(cast(IO[bytes], zipper))
            with _open_tar(plain) as archive:
                for entry in entries:
                    _add(archive, entry)
                    files += entry.kind == "file"
                    unpacked += entry.size
        file.flush()
        os.fsync(file.fileno())
    content, sha256 = plain.sha256.hexdigest(), zipped.sha256.hexdigest()
    return Written(content, sha256, zipped.size, unpacked, files)


def hash_file(path: Path) -> tuple[str, int]:
    """sha256 and size of a file; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def _open_tar(sink: _Hashing) -> tarfile.TarFile:
    # The GNU format: every tar a host may have reads its long names; raw bytes pass through it.
    return tarfile.open(
        mode="w|",
        bufsize=CHUNK_BYTES,
        fileobj=cast(IO[bytes], sink),
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    )


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    header = tarfile.TarInfo(entry.name)
    header.mode = entry.mode
    if entry.kind == "folder":
        header.type = tarfile.DIRTYPE
        archive.addfile(header)
    elif entry.kind == "link":
        header.type = tarfile.SYMTYPE
        header.mode = 0o777
        header.linkname = entry.target
        archive.addfile(header)
    else:
        assert entry.path is not None
        header.size = entry.size
        _add_file(archive, header, entry.path)
    # The archive would keep every header for a listing nobody asks for.
    archive.members.clear()  # type: ignore[attr-defined]


def _add_file(archive: tarfile.TarFile, header: tarfile.TarInfo, path: Path) -> None:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        if before.st_size == header.size:
            archive.addfile(header, file)
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
                return
    raise OSError(f"{path} changed while it was read")
