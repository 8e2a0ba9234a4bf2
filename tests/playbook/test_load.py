"""Reading playbooks: what is accepted, and that no mistake gets through."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.playbook.load import load_playbook, read_playbook
from fleetctl.playbook.units import Amount, Seconds

GOOD = """\
title: Saturday push
variables: {app: phabricator}
budget: 1
phases:
  - name: secure
    hosts: tier=secure
    steps:
      - run: uptime
  - name: db
    hosts: tier=db
    needs: [secure]
    batches: [1, 25%, 100%]
    limit: 8
    throttle: 30/min
    budget: {phase: 2, batch: 1}
    on_failure: leave
    lockstep: true
    gates:
      - http: {url: "http://{{host.address}}:8080/health", status: 200}
        timeout: 30s
        soak: 10s
      - command: {run: "echo {{host.name}}", where: here}
      - tcp: 8080
      - soak: {for: 10s}
      - disk: {path: /srv, free: 5G}
      - approval: Go on to the rest of the db hosts?
    steps:
      - run: [systemctl, restart, "{{var.app}}"]
        name: restart app
        check: test -f /srv/done
        once: batch
        idempotent: true
        retry: 3
        timeout: 2m
      - upload: {from: files/app.conf, to: /etc/app.conf, mode: "0644"}
      - wait: 10s
"""

# what is changed in the good one -> (changed to, line:column of the mistake, words of the message)
MISTAKES = {
    "title: Saturday push": ("titel: Saturday push", "1:1", 'did you mean "title"?'),
    "budget: 1": ("budget: some", "3:9", '"some" is neither a count'),
    "{app: phabricator}": ("{app: [phabricator]}", "2:18", "expected"),
    "variables: {app": ("variables: {ap p", "2:13", "cannot be a variable"),
    "hosts: tier=secure": ("host: tier=secure", "6:5", 'did you mean "hosts"?'),
    "hosts: tier=db": ("hosts: tier=db and", "10:12", "ends early"),
    "needs: [secure]": ("needs: [secur]", "11:13", 'did you mean "secure"?'),
    "name: db": ("name: secure", "9:11", 'two phases are named "secure"'),
    "name: secure": ("name: Secure!", "5:11", "cannot be a phase name"),
    "[1, 25%, 100%]": ("[1, 250%, 100%]", "12:14", "250% is more than 100%"),
    "[1, 25%,": ("[1, 25.5%,", "12:14", '"25.5%"'),
    "limit: 8": ("limit: 0", "13:12", "never start a host"),
    "throttle: 30/min": ("throttle: 30/minute!", "14:15", "is no rate"),
    "{phase: 2, batch: 1}": ("{phase: 2, bach: 1}", "15:24", 'did you mean "batch"?'),
    "batch: 1}": ("batch: 10%}", "15:31", "expected a whole number"),
    "on_failure: leave": ("on_failure: rolback", "16:17", 'did you mean "rollback"?'),
    "lockstep: true": ("lockstep: yes", "17:15", "expected true or false"),
    "- http: {": ("- htpp: {", "19:9", 'did you mean "http"?'),
    "{{host.address}}": ("{{host.adress}}", "19:21", 'did you mean "host.address"?'),
    "status: 200": ("staus: 200", "19:60", 'did you mean "status"?'),
    "timeout: 30s": ("timeout: 30x", "20:18", "is no duration"),
    "soak: 10s\n": ("sok: 10s\n", "21:9", 'did you mean "soak"?'),
    "where: here": ("where: there", "22:53", 'did you mean "here"?'),
    "tcp: 8080": ("tcp: [8080]", "23:14", "expected"),
    "{for: 10s}": ("{fro: 10s}", "24:16", 'did you mean "for"?'),
    "- run: [systemctl": ("- rnu: [systemctl", "28:9", 'did you mean "run"?'),
    "{{var.app}}": ("{{vars.app}}", "28:35", "names nothing"),
    "check: test": ("chek: test", "30:9", 'did you mean "check"?'),
    "once: batch": ("once: bach", "31:15", 'did you mean "batch"?'),
    "idempotent: true": ("idempotent: false", "33:9", "retry without idempotent"),
    "retry: 3": ("retry: 0", "33:16", "at least 1"),
    "from: files/app.conf": ("form: files/app.conf", "35:18", 'did you mean "from"?'),
    'mode: "0644"': ("mode: 420", "35:65", "expected text"),
    "wait: 10s": ("wait: soon", "36:15", "is no duration"),
    "- wait: 10s": ("- wait: 10s\n        run: uptime", "37:9", "two kinds"),
    "      - run: uptime": ("      - name: uptime", "8:9", "does nothing"),
    "      - run: uptime\n": ("      - uptime\n", "8:9", "a step is a mapping"),
}  # fmt: skip


def _mistakes(text: str) -> list[InputError]:
    with pytest.raises((InputError, InputErrors)) as caught:
        read_playbook(text, "p.yaml", "/books")
    if isinstance(caught.value, InputErrors):
        return list(caught.value.errors)
    assert isinstance(caught.value, InputError)
    return [caught.value]


def test_the_good_playbook_is_read() -> None:
    """Everything an author can say is understood."""
    playbook = read_playbook(GOOD, "p.yaml", "/books")
    secure, db = playbook.phases
    assert (playbook.title, playbook.budget, playbook.variables) == (
        "Saturday push", Amount("1"), {"app": "phabricator"},
    )  # fmt: skip
    assert secure.needs == ()
    assert db.needs == ("secure",)
    assert db.text.batches == (Amount("1"), Amount("25%"), Amount("100%"))
    assert [gate.kind for gate in db.gates] == [
        "http", "command", "tcp", "soak", "disk", "approval",
    ]  # fmt: skip
    assert db.gates[0].options.soak == Seconds(10)
    assert [step.kind for step in db.steps] == ["run", "upload", "wait"]
    assert db.steps[0].retry is not None
    assert db.steps[0].retry.attempts == 3


@pytest.mark.parametrize("piece", MISTAKES)
def test_a_mistake_is_told_with_its_place(piece: str) -> None:
    """Each mistake stops the reading, at its line and column, with what was meant."""
    assert GOOD.count(piece) >= 1
    wrong, place, words = MISTAKES[piece]
    errors = _mistakes(GOOD.replace(piece, wrong, 1))
    told = [f"{error.location.line}:{error.location.column} {error}" for error in errors]
    assert any(text.startswith(f"{place} ") and words in text for text in told), told
    assert all(error.location.file == "p.yaml" for error in errors)


def test_several_mistakes_are_told_together_in_the_order_of_the_file() -> None:
    """One reading tells all of them: nobody mends a playbook one error at a time."""
    text = GOOD
    for piece in ("hosts: tier=db", "- http: {", "wait: 10s", "on_failure: leave", "retry: 3"):
        text = text.replace(piece, MISTAKES[piece][0], 1)
    lines = [error.location.line for error in _mistakes(text)]
    assert lines == [10, 16, 19, 33, 36]


def test_a_cycle_of_needs_is_refused() -> None:
    """Phases that need each other could never start."""
    text = GOOD.replace("hosts: tier=secure", "hosts: tier=secure\n    needs: [db]")
    (error,) = _mistakes(text)
    assert str(error).startswith("p.yaml:7:12: phases need each other: secure needs db")


def test_a_need_that_comes_later_is_refused() -> None:
    """Phases run as they are written; one that needs a later one would be left out."""
    text = GOOD.replace("hosts: tier=secure", "hosts: tier=secure\n    needs: [db]")
    (error,) = _mistakes(text.replace("needs: [secure]", "needs: []"))
    assert str(error).startswith('p.yaml:7:13: needs names a phase that comes later: "db"')


def test_a_phase_with_mistakes_is_still_known_to_others() -> None:
    """A mistake in one phase does not make its name unknown."""
    text = GOOD.replace("hosts: tier=secure", "hosts: tier=secure\n    limit: none")
    assert len(_mistakes(text)) == 1


def test_needs_left_out_means_the_phase_before() -> None:
    """Phases run in the order of the file unless the author says otherwise."""
    playbook = read_playbook(GOOD.replace("    needs: [secure]\n", ""), "p.yaml", "/books")
    assert playbook.phases[1].needs == ("secure",)
    apart = read_playbook(GOOD.replace("needs: [secure]", "needs: []"), "p.yaml", "/books")
    assert apart.phases[1].needs == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "title: x", "title: x\nphases: 3", "title: x\nphases: []",
     "title: x\nphases: [3]", "a: [", "\x07"],
)  # fmt: skip
def test_what_is_no_playbook_is_refused(text: str) -> None:
    """Empty, half and unreadable files are errors of the file, never crashes."""
    assert all(error.location.file == "p.yaml" for error in _mistakes(text))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    steps:\n", "    steps:\n      - {run: x, timeout: 0s}\n", "a duration above 0"),
        ("    gates:\n", "    gates:\n      - {command: x, interval: 0}\n", "a duration above 0"),
    ],
)
def test_a_bound_that_bounds_nothing_is_refused(old: str, new: str, what: str) -> None:
    """No deadline, or no pause between looks: it would be found out in the push."""
    (error,) = _mistakes(GOOD.replace(old, new, 1))
    assert what in str(error)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    """The file itself may be wrong."""
    with pytest.raises(InputError, match="cannot read the playbook"):
        load_playbook(tmp_path / "none.yaml")
    (tmp_path / "saturday-push.yaml").write_text("")
    with pytest.raises(InputError) as caught:
        load_playbook(tmp_path / "satruday-push.yaml")
    assert caught.value.hint == f'did you mean "{tmp_path}/saturday-push.yaml"?'
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load_playbook(tmp_path / "binary.yaml")
