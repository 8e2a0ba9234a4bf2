"""ed25519 keys in OpenSSH's file formats: one for the client, one a host."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from fleetctl.lab.layout import Layout


def make_key(path: Path) -> str:
    """Write a fresh private key, readable by its owner alone; returns the public key's text."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    return _public_text(key)


def keep_or_make_key(path: Path) -> str:
    """The public key's text of the key in `path`, made if it is not there."""
    if not path.exists():
        return make_key(path)
    key = load_ssh_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return _public_text(key)


def host_key_shown(layout: Layout, host: str, *, wrong: bool) -> Path:
    """The file of the host key to show; the wrong one is made when it is first wanted."""
    if not wrong:
        return layout.host_key(host)
    path = layout.wrong_key(host)
    keep_or_make_key(path)
    return path


def _public_text(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return public.decode()
