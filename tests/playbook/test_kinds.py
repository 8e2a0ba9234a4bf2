"""Kinds of gates whose scripts a shell must read; and the schema made from all kinds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fleetctl.playbook.gates.disk import KIND as DISK
from fleetctl.playbook.gates.disk import DiskGate
from fleetctl.playbook.kinds import KindContext, gate_kinds, step_kinds
from fleetctl.playbook.operations import HostProbe
from fleetctl.playbook.schema import playbook_schema
from fleetctl.playbook.substitute import fill_shell, fill_url, names_in, parse

CONTEXT = KindContext(folder="/", artifact=None, measure=lambda path: ("", 0))


@pytest.mark.parametrize(
    ("path", "free", "status"),
    [("{{var.path}}", "1K", 0), ("{{var.path}}", "9000T", 1), ("{{var.path}}", "0%", 0),
     ("{{var.path}}", "100%", 1), ("/nowhere", "1K", 1)],
)  # fmt: skip
def test_the_disk_gate_asks_the_real_disk(
    tmp_path: Path, path: str, free: str, status: int
) -> None:
    """Enough space passes, too little or no such path fails, for sizes and shares."""
    (draft,) = DISK.compile(DiskGate(path=path, free=free), CONTEXT)
    assert isinstance(draft.probe, HostProbe)
    assert draft.when == "before"
    odd = tmp_path / "it's a $(folder)"
    odd.mkdir()
    script = fill_shell(draft.probe.script, lambda name: str(odd))
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60)
    assert min(done.returncode, 1) == status, done.stderr


def test_every_kind_is_in_the_schema() -> None:
    """An editor knows each kind of step and gate, its keys and the common options."""
    schema = playbook_schema()
    definitions: dict[str, Any] = schema["$defs"]
    words = {key for shape in definitions.values() for key in shape.get("properties", {})}
    assert {*step_kinds(), *gate_kinds(), "idempotent", "soak", "needs", "title"} <= words
    assert definitions["RunStep"]["additionalProperties"] is False
    assert definitions["RunStep"]["required"] == ["run"]


def test_all_kinds_are_found() -> None:
    """A kind is a file in its folder; these ship."""
    assert set(step_kinds()) >= {"run", "upload", "wait", "deploy"}
    assert set(gate_kinds()) >= {"command", "http", "tcp", "disk", "soak", "approval"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("plain", set()),
        ("{{ host.name }}{{tag.a-b.c}}", {"host.name", "tag.a-b.c"}),
        ("{{{{host.name}}", set()),
        ("{{{{ {{host.name}}", {"host.name"}),
        ("}} {", set()),
    ],
)
def test_names_are_found(text: str, names: set[str]) -> None:
    """Spaces are free inside the braces; four braces write two."""
    assert names_in([text]) == names


def test_two_braces_can_be_written() -> None:
    """`docker ps --format '{{{{.Names}}'` reaches the shell with two braces."""
    assert fill_shell("docker ps --format '{{{{.Names}}'", str) == "docker ps --format '{{.Names}}'"


@pytest.mark.parametrize("text", ["{{", "{{}}", "{{ }}", "{{host}}", "{{host.nam}}", "{{tag.}}",
                                  "{{var.a b}}", "{{x", "a\0b"])  # fmt: skip
def test_unreadable_names_are_errors(text: str) -> None:
    """A half-written or unknown name is never left in the text."""
    with pytest.raises(ValueError, match=r"names nothing|never closed|NUL"):
        parse(text)


def test_a_value_cannot_break_out_of_a_url() -> None:
    """Only `:` and `/` of a value mean something in a URL; an IPv6 address is bracketed."""
    values = {"host.address": "fe80::1", "var.q": "a/b?c&d#e f"}
    assert fill_url("http://{{host.address}}:80/{{var.q}}", values.__getitem__) == (
        "http://[fe80::1]:80/a/b%3Fc%26d%23e%20f"
    )
