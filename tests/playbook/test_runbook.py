"""A runbook as people keep it, read line by line; nothing is lost, nothing is made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetctl.playbook.importing import chunk_up, write_playbook
from fleetctl.playbook.load import read_playbook
from fleetctl.playbook.runbook import read_runbook

HOSTS = {name: name for name in ("web001", "web002", "web003", "db001")}
HOSTS["10.0.0.7"] = "db001"
TIERS = {name: name.rstrip("0123456789") for name in HOSTS.values()}


@pytest.mark.parametrize(("line", "host", "command", "text"), [
    ("systemctl restart nginx", "", "systemctl restart nginx", ""),
    ("$ systemctl restart nginx", "", "systemctl restart nginx", ""),
    ("  12. $ sudo reboot", "", "sudo reboot", ""),
    ("- [ ] `sudo reboot`", "", "sudo reboot", ""),
    ("make install  # takes long", "", "make install", "takes long"),
    ("echo 'a # b'", "", "echo 'a # b'", ""),
    ("FOO=1 ./deploy.sh", "", "FOO=1 ./deploy.sh", ""),
    ("ssh web001 sudo reboot", "web001", "sudo reboot", ""),
    ("ssh -t -p 22 -o X=y ann@web001 'cd /srv && ls $HOME'", "web001", "cd /srv && ls $HOME", ""),
    ("ssh 10.0.0.7 uptime", "db001", "uptime", ""),
    ("root@web002:~# uptime", "web002", "uptime", ""),
    ("[ann@web002 srv]$ uptime", "web002", "uptime", ""),
    ("ann@laptop:~$ uptime", "", "uptime", ""),
    ("ssh web001 uptime && echo here", "", "ssh web001 uptime && echo here", ""),
    ("ssh web001 echo $HOME", "", "ssh web001 echo $HOME", ""),
    ("ssh $h uptime", "", "ssh $h uptime", ""),
    ("ssh web001 'unclosed", "", "ssh web001 'unclosed", ""),
    ("Put up the page", "", "", "Put up the page"),
    ("3) Check that db001 replicates.", "db001", "", "Check that db001 replicates."),
    ("Compare web001 with web002", "", "", "Compare web001 with web002"),
    ("then wait five minutes", "", "", "then wait five minutes"),
])  # fmt: skip
def test_a_line_is_a_command_or_a_sentence(line: str, host: str, command: str, text: str) -> None:
    """Where it is typed, what is typed, and what is only said."""
    [entry] = read_runbook(line, HOSTS).entries
    assert (entry.host, entry.command, entry.text) == (host, command, text)


def test_headings_remarks_and_sessions() -> None:
    """A comment behind a blank line begins a phase, one above a command is said with it."""
    text = "# One\n\nTwo:\nls\n# why\nls -l\n\n## Three\nssh web001\nuptime\nexit\nls\n```\nX\n```"
    found = [(e.heading, e.host, e.command, e.text) for e in read_runbook(text, HOSTS).entries]
    assert found == [
        ("Two", "", "ls", ""), ("Two", "", "ls -l", "why"), ("Three", "web001", "uptime", ""),
        ("Three", "", "ls", ""), ("Three", "", "X", ""),
    ]  # fmt: skip


def test_commands_of_several_lines_stay_one() -> None:
    """Continued lines and here-documents are one step, character for character."""
    text = "ls \\\n  -l\ncat <<'END' > x\na\n# no comment\nEND\npwd\n"
    commands = [entry.command for entry in read_runbook(text, HOSTS).entries]
    assert commands == ["ls \\\n  -l", "cat <<'END' > x\na\n# no comment\nEND", "pwd"]


def test_a_host_nobody_knows_is_told() -> None:
    """The line is kept whole, as a command typed here."""
    runbook = read_runbook("ssh web0001 ls", HOSTS)
    assert runbook.strange == {1: "web0001"}
    assert [(e.host, e.command) for e in runbook.entries] == [("", "ssh web0001 ls")]


def test_the_same_on_host_after_host_is_one_phase() -> None:
    """One host at a time, asked for each; other commands, or another heading, are another phase."""
    text = "".join(f"ssh web00{n} stop\nssh web00{n} start\n" for n in (1, 2, 3)) + "ssh db001 ls\n"
    runbook = read_runbook(text, HOSTS)
    assert [(c.hosts, len(c.entries)) for c in chunk_up(runbook.entries)] == [
        (("web001", "web002", "web003"), 2), (("db001",), 1),
    ]  # fmt: skip
    book = read_playbook(write_playbook("t", "r.txt", runbook, TIERS), "r.yaml", "/")
    first = book.phases[0]
    assert (first.text.hosts, first.text.batches) == ("tier=web", ("1",))
    assert [(s.value.text, s.value.command) for s in first.steps] == [
        ("On {{host.name}}", "stop"), ("On {{host.name}}", "start"),
    ]  # fmt: skip


LINES = st.one_of(
    st.sampled_from([
        "# a", "## b: {c}", "ssh web001 x", "ssh web001", "exit", "$ ls", "", "```", "---", "x \\",
        "cat <<E", "E", "| a |", "1. Do", "- `x`", "root@web002:/# y", "echo '{{item}}' \"\\",
    ]),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_whatever_a_runbook_holds_the_playbook_loads(lines: list[str]) -> None:
    """It is valid, and every word of a command stands in it."""
    runbook = read_runbook("\n".join(lines), HOSTS)
    if not runbook.entries:
        return
    book = read_playbook(write_playbook("t", "r.txt", runbook, TIERS), "r.yaml", "/")
    steps = [step.value for phase in book.phases for step in phase.steps]
    said = [value if isinstance(value, str) else value.command for value in steps]
    for entry in runbook.entries:
        wanted = entry.command or entry.text.replace(entry.host or "\0", "{{host.name}}")
        written = wanted.replace("{{", "{{{{") if entry.command else None
        assert written is None or written in said
