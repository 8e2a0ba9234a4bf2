"""OpenSSH's known_hosts format."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fleetctl.transport.known_hosts import HostKey, line_of, read_known_hosts

KEY = HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
OTHER = HostKey(
    "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)


def known(tmp_path: Path, text: str, address: str, port: int = 22) -> list[HostKey]:
    path = tmp_path / "known"
    path.write_text(text)
    return read_known_hosts([path, tmp_path / "missing"]).keys_for(address, port)


@pytest.mark.parametrize(
    ("names", "address", "port", "found"),
    [
        ("web001", "web001", 22, True),
        ("web001,10.0.0.1", "10.0.0.1", 22, True),
        ("web001", "web001", 2222, False),
        ("[web001]:2222", "web001", 2222, True),
        ("[web001]:2222", "web001", 22, False),
        ("web*", "web007", 22, True),
        ("web*,!web007", "web007", 22, False),
        ("[web*]:2222", "web007", 2222, True),
        ("web00?", "web0077", 22, False),
    ],
)
def test_names_match_as_ssh_matches_them(
    tmp_path: Path, names: str, address: str, port: int, found: bool
) -> None:
    """Lists, ports, globs and negation mean what ssh takes them for."""
    keys = known(tmp_path, f"{names} {KEY.kind} {KEY.blob} a comment\n", address, port)
    assert keys == ([KEY] if found else [])


def test_line_written_is_line_read(tmp_path: Path) -> None:
    """What trust writes, the next run knows."""
    text = line_of("a", 22, KEY) + line_of("b", 2200, OTHER)
    assert known(tmp_path, text, "a") == [KEY]
    assert known(tmp_path, text, "b", 2200) == [OTHER]


def test_revoked_key_is_not_known(tmp_path: Path) -> None:
    """@revoked takes a key out wherever it is named."""
    text = f"a {KEY.kind} {KEY.blob}\n@revoked * {KEY.kind} {KEY.blob}\n"
    assert known(tmp_path, text, "a") == []


def test_unreadable_lines_are_passed_over(tmp_path: Path) -> None:
    """One bad line does not hide the good ones."""
    text = f"# note\nbroken\n|1|x|y ssh-rsa AAAA\na ssh-rsa not!base64\na {KEY.kind} {KEY.blob}\n"
    assert known(tmp_path, text, "a") == [KEY]


@pytest.mark.openssh
def test_hashed_names_and_fingerprints_agree_with_ssh_keygen(tmp_path: Path) -> None:
    """A file ssh-keygen hashed is still understood, and shown with the same fingerprint."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen here")
    path = tmp_path / "k"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    kind, blob = (tmp_path / "k.pub").read_text().split()[:2]
    key = HostKey(kind, blob)
    hashed = tmp_path / "known"
    hashed.write_text(line_of("db001", 2222, key))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True)
    assert hashed.read_text().startswith("|1|")
    assert read_known_hosts([hashed]).keys_for("db001", 2222) == [key]
    shown = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True)
    assert key.fingerprint() in shown.stdout
