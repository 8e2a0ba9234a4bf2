"""Files that are there whole or not at all, also after the power went."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path` by one rename; what it pointed to when it is a link. Keeps its mode."""
    import tempfile  # what it pulls in is a fiftieth of a push's start; few pushes write

    place = path.resolve()
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    handle, half = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        Path(half).rename(place)
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
    sync(place.parent)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
