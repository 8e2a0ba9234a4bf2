"""Host keys on file: OpenSSH's known_hosts format, read once, looked up by name."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec


class HostKey(msgspec.Struct, frozen=True):
    """A public key as it stands in a file."""

    kind: str
    """`ssh-ed25519` and the like."""
    blob: str
    """base64"""

    def fingerprint(self) -> str:
        """As ssh-keygen shows it: SHA256 and base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def name_of(address: str, port: int) -> str:
    """How known_hosts writes a host that is not on port 22."""
    return address if port == 22 else f"[{address}]:{port}"


class KnownHosts(msgspec.Struct):
    """Every entry of some files; a name is looked up in constant time unless entries are hashed."""

    plain: dict[str, list[HostKey]] = msgspec.field(default_factory=dict)
    globs: list[tuple[list[str], HostKey]] = msgspec.field(default_factory=list)
    hashed: list[tuple[bytes, bytes, HostKey]] = msgspec.field(default_factory=list)
    """Salt, HMAC-SHA1 of the name."""
    revoked: set[HostKey] = msgspec.field(default_factory=set)

    def keys_for(self, address: str, port: int) -> list[HostKey]:
        """The keys this host may show, revoked ones taken out; empty when it is not known."""
        name = name_of(address, port)
        found = list(self.plain.get(name, ()))
        found += [key for patterns, key in self.globs if _matches(name, patterns)]
        if self.hashed:
            raw = name.encode()
            found += [
                key
                for salt, digest, key in self.hashed
                if hmac.compare_digest(hmac.digest(salt, raw, "sha1"), digest)
            ]
        return [key for key in dict.fromkeys(found) if key not in self.revoked]


def read_known_hosts(paths: Iterable[Path]) -> KnownHosts:
    """All entries of `paths`; files that do not exist are passed over, as are unreadable lines."""
    known = KnownHosts()
    for path in paths:
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            _read_line(known, line.strip())
    return known


def _read_line(known: KnownHosts, line: str) -> None:
    if not line or line.startswith("#"):
        return
    words = line.split()
    marker = words.pop(0) if words[0].startswith("@") else ""
    if len(words) < 3 or marker not in ("", "@revoked"):
        return  # @cert-authority: the SSH library does not verify host certificates
    names, key = words[0], HostKey(words[1], words[2])
    if not _is_base64(key.blob):
        return
    if marker:
        known.revoked.add(key)
    elif names.startswith("|1|"):
        _read_hashed(known, names, key)
    elif any(sign in names for sign in "*?!"):
        known.globs.append((names.split(","), key))
    else:
        for name in names.split(","):
            known.plain.setdefault(name, []).append(key)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _read_hashed(known: KnownHosts, names: str, key: HostKey) -> None:
    parts = names.split("|")
    if len(parts) == 4 and _is_base64(parts[2]) and _is_base64(parts[3]):
        known.hashed.append((base64.b64decode(parts[2]), base64.b64decode(parts[3]), key))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """OpenSSH's rule: some pattern matches and no negated one does."""
    escaped = [pattern.replace("[", "[[]") for pattern in patterns]
    if any(p.startswith("!") and fnmatch.fnmatchcase(name, p[1:]) for p in escaped):
        return False
    return any(fnmatch.fnmatchcase(name, p) for p in escaped if not p.startswith("!"))


def line_of(address: str, port: int, key: HostKey) -> str:
    """The line that makes `key` known for a host."""
    return f"{name_of(address, port)} {key.kind} {key.blob}\n"
