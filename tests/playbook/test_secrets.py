"""Secrets in playbooks: what is written, what is wrong with it, and what the plan keeps."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.playbook.load import read_playbook
from fleetctl.playbook.model import Playbook

TOP = """\
title: t
secrets:
  pw: {env: DB_PASSWORD}
  token: {command: [pass, show, fleet/api]}
  key: {file: keys/key.pem}
  text: {command: pass show x | head -n 1}
  home: {file: ~/.token}
phases:
  - name: web
    hosts: tier=web
    steps:
"""


def load(step: str, top: str = TOP) -> Playbook:
    return read_playbook(top + f"      - {step}\n", "site.yaml", "/play")


def wrong(step: str, top: str = TOP) -> str:
    """What is told about a playbook that has mistakes."""
    with pytest.raises((InputError, InputErrors)) as caught:
        load(step, top)
    return str(caught.value)


def test_where_secrets_come_from() -> None:
    """Each source is kept with its place; relative paths start at the playbook."""
    found = load("{run: cat, secrets: {stdin: pw}}").secrets
    assert {name: (s.kind, s.words) for name, s in found.items()} == {
        "pw": ("env", ("DB_PASSWORD",)),
        "token": ("command", ("pass", "show", "fleet/api")),
        "key": ("file", ("/play/keys/key.pem",)),
        "text": ("command", ("sh", "-c", "pass show x | head -n 1")),
        "home": ("file", ("~/.token",)),
    }
    assert found["pw"].place == "site.yaml:3:7"
    assert found["token"].folder == "/play"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{run: cat, secrets: {stdin: pww}}", ('no secret is named "pww"', "12:37", '"pw"')),
        ("{run: cat, secrets: {files: {F: kye}}}", ('"kye"', "12:41", 'did you mean "key"?')),
        ("{run: cat, secrets: {}}", ("this step names no secret", "12:29")),
        ("{run: cat, secrets: {stdin: pw, fils: {F: key}}}", ('"fils"', 'did you mean "files"?')),
        ("{run: cat, secrets: {files: {2F: key}}}", ('"2F" cannot be the variable',)),
        ("{run: cat, secrets: {files: {PATH: key}}}", ('"PATH" cannot be the variable',)),
        ("run: mysql -p{{secret.pw}}", ("12:14", "secrets: {stdin: pw}", "PW_FILE")),
        ("{run: [mysql, '{{secrets.pw}}']}", ("never stands in a text", "stdin: pw")),
    ],
)
def test_mistakes_of_steps(step: str, told: tuple[str, ...]) -> None:
    """A step that names a secret wrongly is told so, with the place and what was meant."""
    message = wrong(step)
    for words in told:
        assert words in message


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{}", "comes from nowhere"),
        ("{env: A, file: b}", "comes from env and from file"),
        ("{envv: A}", 'did you mean "env"?'),
        ("{env: 3}", "env"),
    ],
)
def test_mistakes_of_sources(source: str, told: str) -> None:
    """A secret has exactly one source, and a typo in it is told with its place."""
    message = wrong("run: true", TOP.replace("{env: DB_PASSWORD}", source))
    assert told in message
    assert "site.yaml:3:" in message


def test_a_name_that_cannot_be() -> None:
    """The name of a secret holds no blanks or quotes."""
    assert '"p w" cannot be a secret' in wrong("run: true", TOP.replace("  pw:", "  p w:"))
