"""A program for hosts packed into one file: the same bytes for the same sources everywhere."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fleetctl.base.errors import UsageError

_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip file can say: when the sources were laid down here does not matter."""
_MAIN = """import sys
from fleetctl_schema.main import run
sys.exit(run(sys.argv[1:]))
"""


class Pack(NamedTuple):
    """A packed program."""

    path: str
    """Absolute, on this machine."""
    sha256: str
    size: int


def pack_schema(
    libraries: tuple[str, ...], cache: Path | None = None, *, must: bool = True
) -> Pack:
    """The schema program with the libraries it needs, as a file in the user's cache.

    Raises UsageError when the file cannot be written or a library is not installed here; without
    `must` it is left out then, and the program says so where it turns out to need it.
    """
    sources = dict(_files(Path(__file__).parent / "schema", "fleetctl_schema"))
    sources["__main__.py"] = _MAIN.encode()
    for library in libraries:
        folder = _folder_of(library)
        if folder is not None:
            sources.update(_files(folder, library))
        elif must:
            raise UsageError(
                f"schema upgrades of MariaDB need the Python library {library}, which is not here",
                hint="install fleetctl with it: pip install 'fleetctl[mariadb]'",
            )
    whole = _zipped(sources)
    sha256 = hashlib.sha256(whole).hexdigest()
    folder = cache or _cache_folder()
    path = folder / f"schema-{sha256[:16]}.zip"
    try:
        if not path.is_file() or path.read_bytes() != whole:
            folder.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(f".{os.getpid()}")
            half.write_bytes(whole)
            half.replace(path)
    except OSError as error:
        raise UsageError(
            "cannot pack the schema program", where=str(path), why=error.strerror or str(error)
        ) from None
    return Pack(str(path), sha256, len(whole))


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("fleetctl")


def _files(folder: Path, under: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py")):
        yield f"{under}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _folder_of(library: str) -> Path | None:
    found = importlib.util.find_spec(library)
    return None if found is None or found.origin is None else Path(found.origin).parent


def _zipped(sources: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, 9)
    return whole.getvalue()
