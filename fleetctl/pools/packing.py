"""The overseer as one file: a zipapp of its package, the same bytes for the same sources."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import marshal
import stat
import zipfile
from pathlib import Path

import fleetctl

SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\nfrom fleetctl.pools.overseer.entry import main\nsys.exit(main())\n"
_UNCHECKED = (1).to_bytes(4, "little")
_PLAIN = 2
"""A version of marshal."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PACKAGE = "pools/overseer"
_VERSION = "fleetctl/pools/overseer/version.py"


def version() -> str:
    """The hash of what would be packed now; the program tells it in its status."""
    told = hashlib.sha256()
    for name, source in _members().items():
        told.update(f"{name} {len(source)}\n".encode() + source)
    return told.hexdigest()[:16]


def pack(target: Path) -> Path:
    """Write the program to `target`, executable; it needs Python 3.9 and nothing else."""
    members = _members()
    members[_VERSION] = members[_VERSION].replace(
        b'VERSION = ""', f'VERSION = "{version()}"'.encode()
    )
    target.write_bytes(_packed(tuple(members.items())))
    target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return target


@functools.lru_cache(maxsize=1)
def _packed(members: tuple[tuple[str, bytes], ...]) -> bytes:
    """The file: each member as its source, and as what Python makes of it."""
    whole = io.BytesIO()
    whole.write(SHEBANG)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as packed:
        for name, source in members:
            packed.writestr(_entry(name), source)
            packed.writestr(_entry(f"{name}c"), _compiled(name, source))
    return whole.getvalue()


def _compiled(name: str, source: bytes) -> bytes:
    """What a host whose Python is like ours need not compile with each start; others pass it over.

    It says that it needs no comparing with its source, and in the old format, which does not depend
    on who else holds on to an object, so that two builds are the same.
    """
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(compile(source, name, "exec", dont_inherit=True), _PLAIN)


def _members() -> dict[str, bytes]:
    """Name in the archive -> source."""
    root = Path(fleetctl.__file__).parent
    inits = [root / "__init__.py", root / "pools" / "__init__.py"]
    sources = [*inits, *sorted((root / _PACKAGE).glob("*.py"))]
    named = {f"fleetctl/{path.relative_to(root).as_posix()}": path.read_bytes() for path in sources}
    return {"__main__.py": _MAIN.encode(), **named}


def _entry(name: str) -> zipfile.ZipInfo:
    """A member without a time, or two builds would differ."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def unit_text() -> str:
    """The unit that runs the program under systemd."""
    return (Path(__file__).parent / "fleetctl-overseer.service").read_text(encoding="utf-8")


def unit_template() -> str:
    """As `unit_text`, for whoever installs it: the host puts in @USER@, @FOLDER@ and @COMMAND@."""
    lines = []
    for line in unit_text().splitlines():
        key = line.partition("=")[0]
        if key == "User":
            lines += ["User=@USER@", "WorkingDirectory=@FOLDER@"]
        elif key == "ExecStart":
            lines.append("ExecStart=@COMMAND@")
        elif not key.startswith("StateDirectory"):
            lines.append(line)
    return "\n".join(lines) + "\n"
