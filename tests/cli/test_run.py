"""Which hosts and which command the words of `fleetctl run` mean; nothing is reached here."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl

INVENTORY = "fleet: acme\ntiers:\n  web: {hosts: 'web[1-3]'}\n  db: {hosts: 'db[1-2]'}\n"


@pytest.fixture(autouse=True)
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet of which nobody answers, and a journal."""
    (tmp_path / "acme.yaml").write_text(INVENTORY)
    monkeypatch.setenv("FLEETCTL_INVENTORY", str(tmp_path / "acme.yaml"))
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "journal.db"))


def _run(*words: str) -> Result:
    """What it would do; it asks first, and gets no for an answer."""
    return CliRunner().invoke(fleetctl, ["run", *words], input="no\n")


@pytest.mark.parametrize(
    ("words", "hosts", "command"),
    [
        (("tier=web", "--", "uptime"), "3 hosts: web[1-3]", "uptime"),
        (("--tier", "web", "--", "uptime", "-p"), "3 hosts: web[1-3]", "uptime -p"),
        (("--tier", "web", "uptime"), "3 hosts: web[1-3]", "uptime"),
        (("web[1-2]", "uptime"), "2 hosts: web[1-2]", "uptime"),
        (("web1 or db1", "-l", "tier=db", "--", "true"), "1 host: db1", "true"),
        (("--tier", "web", "--exclude", "web2", "--", "--tier"), "2 hosts: web[1,3]", "--tier"),
        (("*", "--", "a", "--", "b"), "5 hosts: db[1-2],web[1-3]", "a -- b"),
    ],
)
def test_hosts_are_picked_by_a_selector_or_the_flags_of_every_command(
    words: tuple[str, ...], hosts: str, command: str
) -> None:
    """Both together must hold; behind `--` everything is the command."""
    told = _run(*words).stderr.splitlines()
    assert told[:2] == [hosts, f"will run: {command}"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--", "reboot"), "it is not said which hosts"),
        ((), "it is not said which hosts"),
        (("--tier", "web", "--"), "it is not said what to run"),
        (("tier=web",), "it is not said what to run"),
        (("web1", "web2", "--", "reboot"), "several selectors: web1 web2"),
        (("--tier", "wbe", "--", "reboot"), 'did you mean "web"?'),
    ],
)
def test_what_is_left_out_is_never_filled_in(words: tuple[str, ...], what: str) -> None:
    """No hosts are not all hosts."""
    refused = _run(*words)
    assert (refused.exit_code, what in refused.stderr) == (ExitCode.USAGE, True), refused.stderr
