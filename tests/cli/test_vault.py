"""Fetching secrets, and the veil over what the program says."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
import pytest

from fleetctl.base.errors import ExitCode, Refused
from fleetctl.base.redaction import Redactor
from fleetctl.cli.endings import tell_ending
from fleetctl.cli.planview import plan_lines
from fleetctl.cli.vault import open_vault
from fleetctl.cli.veil import VeiledText, veil
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.playbook.load import read_playbook
from tests.plan.fleets import plan_of as compiled
from tests.plan.fleets import request_of

PLAYBOOK = """\
title: t
secrets: {pw: {env: SOME_PASSWORD}, other: {command: printf 'oth%%s\\n\\n' er99}}
phases:
  - {name: web, hosts: tier=web, steps: [%s]}
"""
BOTH = "{run: cat, secrets: {stdin: pw, files: {F: other}}}"


def plan_of(step: str) -> Plan:
    return compiled(PLAYBOOK % step)


def test_the_plan_is_shown_with_sources() -> None:
    """A person sees which secrets a push uses, and from where, before saying yes."""
    shown = " ".join(" ".join(plan_lines(plan_of(BOTH))).split())
    assert "secrets pw: environment variable SOME_PASSWORD other: command sh -c printf" in shown
    assert "[secret pw on stdin, other in $F]" in shown


def test_a_command_gives_its_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command's value is what it prints but for the last line end; a variable's is all of it."""
    monkeypatch.setenv("SOME_PASSWORD", " hunter22\n")
    playbook = read_playbook(PLAYBOOK % BOTH, "p.yaml", str(tmp_path))
    request = msgspec.structs.replace(request_of(PLAYBOOK % BOTH), playbook=playbook)
    vault = open_vault(compile_plan(request))
    assert vault.value("pw") == b" hunter22\n"
    assert vault.value("other") == b"other99\n"


def test_a_value_in_clear_in_the_plan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that holds the value of a secret is not run, for it would be shown and kept."""
    monkeypatch.setenv("SOME_PASSWORD", 'hun"ter22')
    with pytest.raises(Refused, match="secret pw in clear"):
        open_vault(plan_of("""{run: 'echo hun"ter22', secrets: {stdin: pw}}"""))


def test_fetching_takes_it_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fleetctl starts later does not inherit the variable a secret came from."""
    monkeypatch.setenv("SOME_PASSWORD", "hunter22")
    vault = open_vault(plan_of("{run: cat, secrets: {stdin: pw}}"))
    assert vault.value("pw") == b"hunter22"
    assert "hunter22" not in repr(vault)
    with pytest.raises(Refused, match="no variable SOME_PASSWORD"):
        open_vault(plan_of("{run: cat, secrets: {stdin: pw}}"))


def test_two_writes_hide_nothing() -> None:
    """A secret written in two goes is blotted out; other text goes out at once."""
    below = io.StringIO()
    text = VeiledText(below, Redactor([b"hunter22"]))
    text.write("it is hun")
    assert below.getvalue() == "it is "
    text.write("ter22, ")
    text.write("or hunger")
    assert below.getvalue() == "it is ***, or hunger"
    text.write("hunt")
    text.lift()
    assert below.getvalue() == "it is ***, or hungerhunt"
    assert not hasattr(text, "buffer")


def test_a_traceback_holds_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What ends the program is told and kept without secrets, also after the run is over."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    secret = "it's-a-s3cret"
    with veil(Redactor([secret.encode()])):
        print(f"out {secret}")
        print(f"err {secret!r}", file=sys.stderr)
    with pytest.raises(ValueError, match="bad") as caught:
        raise ValueError(f"bad {secret!r}", secret.encode())
    assert tell_ending(caught.value) == ExitCode.BUG
    said = capsys.readouterr()
    kept = next(tmp_path.rglob("*.txt")).read_text()
    for text in (said.out, said.err, kept):
        assert "***" in text
        assert "s3cret" not in text
