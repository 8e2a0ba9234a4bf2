"""Hostile names and values, through every place that reaches a shell, to hosts of three shells.

They arrive byte for byte, or are refused with their place before anything is touched; nothing of
them is ever run.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetctl.base.errors import ExitCode
from tests.cli.program import Program
from tests.faults.hostile import file_names, values
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow
SHELLS = {"dash": "exec dash", "bash": "exec bash --posix", "busybox": "exec busybox sh"}
HOSTS = tuple(f"h-{shell}" for shell in SHELLS if shutil.which(shell))
VALUES = values(500)
PLACES = (
    "printf %s {{{{var.{0}}}}} >out/{0}",
    'printf %s "{{{{var.{0}}}}}" >out/{0}',
    "printf %s '{{{{var.{0}}}}}' >out/{0}",
    'v={{{{var.{0}}}}}; printf %s "$v" >out/{0}',
    "sh -c 'printf %s \"$1\" >out/{0}' - {{{{var.{0}}}}}",
)


@pytest.fixture(scope="module")
def lab(module_lab_fleet: StartLab) -> RunningLab:
    """A host for each shell there is: its `sh` is that one."""
    lab = module_lab_fleet({"db": HOSTS})
    for host in HOSTS:
        folder = lab.layout.shims(host)
        folder.mkdir(exist_ok=True)
        (folder / "sh").write_text(f'#!/bin/sh\n{SHELLS[host[2:]]} "$@"\n')
        (folder / "sh").chmod(0o755)
    return lab


@pytest.fixture
def program(tmp_path: Path, lab: RunningLab) -> Program:
    return Program(tmp_path, lab)


def _push(program: Program, steps: list[dict[str, Any]], **phase: Any) -> None:
    book = {"title": "x", "phases": [{"name": "db", "hosts": "tier=db", "steps": steps, **phase}]}
    program.write("push.yaml", yaml.safe_dump(book))
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    _see_nothing_run(program)


def _see_nothing_run(program: Program) -> None:
    homes = [program.lab.home(host) for host in HOSTS]
    for folder in (*homes, program.folder):
        assert not list(folder.rglob("pwned*")), folder


def _inventory(program: Program, **variables: str) -> None:
    """The lab's, with variables for all of it, and the same as tags of its hosts."""
    document = yaml.safe_load(program.lab.layout.inventory.read_text())
    document["variables"] = variables
    path = program.lab.layout.folder / "hostile.yaml"
    path.write_text(yaml.safe_dump(document))
    program.environ["FLEETCTL_INVENTORY"] = str(path)


def test_500_values_arrive_byte_for_byte(program: Program) -> None:
    """From every kind of place in a step's text, in every shell."""
    names = {f"v{number}": value for number, value in enumerate(VALUES)}
    _inventory(program, **names)
    lines = [PLACES[at % len(PLACES)].format(name) for at, name in enumerate(names)]
    _push(program, [{"run": 'mkdir out; echo "$BASH_VERSION" >out/shell\n' + "\n".join(lines)}])
    for host in HOSTS:
        out = program.lab.home(host) / "out"
        assert bool((out / "shell").read_text().strip()) == (host == "h-bash")
        wrong = [name for name, v in names.items() if (out / name).read_bytes() != v.encode()]
        assert not wrong, (host, [names[name] for name in wrong[:5]])


def test_argv_checks_undos_and_gates_take_values_as_they_are(program: Program) -> None:
    """A list is an argv, word for word; checks and gates compare the very same bytes."""
    some = VALUES[1:200:4]
    names = {f"v{number}": value for number, value in enumerate(some)}
    _inventory(program, **names)
    argv = ["printf", "%s\\0", *(f"{{{{var.{name}}}}}" for name in names)]
    literal = ["printf", "%s\\0", *(value.replace("{{", "{{{{") for value in some)]
    test = " && ".join(f'test "$(cat argv/{n}; echo .)" = {{{{var.{n}}}}}.' for n in names)
    save = "mkdir -p argv\n" + "\n".join(f"printf %s {{{{var.{n}}}}} >argv/{n}" for n in names)
    steps: list[dict[str, Any]] = [
        {"run": ["sh", "-c", '"$@" >argv-names', "-", *argv]},
        {"run": ["sh", "-c", '"$@" >argv-literal', "-", *literal]},
        {"run": save, "check": test, "undo": save},
        {"run": "touch wrongly-run", "check": test},
    ]
    _push(program, steps, gates=[{"command": {"run": test}}])
    for host in HOSTS:
        home = program.lab.home(host)
        for file in ("argv-names", "argv-literal"):
            assert (home / file).read_bytes().split(b"\0")[:-1] == [v.encode() for v in some]
        assert not (home / "wrongly-run").exists()


def test_files_are_laid_down_under_hostile_names(program: Program) -> None:
    """Uploads to names a file may have, from names a file may have."""
    names = file_names(40)
    steps: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        source = name if number % 2 else f"plain-{number}"
        (program.folder / source).write_text(f"file {number}")
        literal = name.replace("{{", "{{{{")
        steps.append({"upload": {"from": source, "to": f"up/{literal}"}})
    _push(program, steps)
    for host in HOSTS:
        folder = program.lab.home(host) / "up"
        assert sorted(map(os.fsencode, os.listdir(folder))) == sorted(n.encode() for n in names)  # noqa: PTH208
        for number, name in enumerate(names):
            assert (folder / name).read_text() == f"file {number}"


def test_a_deploy_to_a_hostile_folder(program: Program) -> None:
    """Its path, its restart's words and its checks are only words; the release is read back."""
    program.write("app/index.html", "hello")
    added = program.call("releases", "add", "app", "--id", "r1")
    assert added.returncode == 0, added.stderr
    assert program.call("releases", "pin", "db", "r1").returncode == 0
    to = 'srv/-it\'s $(touch pwned) `touch pwned` "x" \\ é * ;touch pwned'
    words = ["-n", "'", '"', "$(touch pwned)", "a b", "\\", "", "*", "é"]
    restart = ["sh", "-c", 'printf "%s\\0" "$@" >"$HOME/restarted"', "-", *words]
    _push(program, [{"deploy": {"to": to, "restart": restart, "health": "test -e current || :"}}])
    for host in HOSTS:
        home = program.lab.home(host)
        assert (home / to / "current").readlink().name == "r1"
        said = (home / "restarted").read_bytes().split(b"\0")[:-1]
        assert said == [word.encode() for word in words]
    status = program.call("status", "--cached", "--output", "json")
    assert status.stdout.count('"r1"') >= len(HOSTS), status.stdout


BAD_INVENTORY = """\
fleet: "x$(touch pwned)"
tiers:
  db:
    hosts:
      "-oProxyCommand=touch pwned": {address: 127.0.0.1}
      "a b;touch pwned": {address: 127.0.0.1}
      good1: {address: "-oProxyCommand=touch pwned"}
      good2: {address: "a;touch pwned"}
      good3: {address: 127.0.0.1, tags: {"k$(x)": v}}
      good4: {address: 127.0.0.1, variables: {"v'x": v}}
  "t`touch pwned`":
    hosts: {good5: {address: 127.0.0.1}}
"""
BAD_PLACES = ("1:8", "5:7", "6:7", "7:24", "8:24", "9:42", "10:47", "11:3")


UNREADABLE = """\
title: x
secrets:
  "s$(touch pwned)": {env: X}
phases:
  - name: db
    hosts: tier=db
    steps:
      - run: ls
        secrets: {files: {"P $(touch pwned)": s}}
      - run: "echo \\0"
      - run: echo {{var.$(touch pwned)}}
"""
UNSAFE = """\
title: x
phases:
  - name: db
    hosts: tier=db
    steps:
      - run: echo `echo {{host.name}}`
      - run: [sh, -c, "echo {{host.name}}"]
      - upload: {from: push.yaml, to: "up/"}
      - run: ls
        check: eval echo {{host.name}}
      - run: ls
        undo: "cat <<END\\n{{host.name}}\\nEND"
"""


@pytest.mark.parametrize(("text", "lines"), [
    (UNREADABLE, {"3", "9", "10", "11"}), (UNSAFE, {"6", "7", "8", "10", "12"}),
])  # fmt: skip
def test_texts_that_cannot_be_made_safe_are_refused_with_their_places(
    program: Program, text: str, lines: set[str]
) -> None:
    """Names of secrets and variables, unsafe places, NUL: before a connection, with their lines."""
    program.write("push.yaml", text)
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.INPUT_INVALID, done.stderr
    told = [line.strip() for line in done.stderr.splitlines() if "push.yaml:" in line]
    assert {line.rpartition(".yaml:")[2].partition(":")[0] for line in told} == lines, done.stderr
    _see_nothing_run(program)


def test_names_that_are_none_are_refused_with_their_places(program: Program) -> None:
    """All of them at once, before a connection, each with file, line and column."""
    path = program.write("bad.yaml", BAD_INVENTORY)
    program.environ["FLEETCTL_INVENTORY"] = str(path)
    program.write("push.yaml", "title: x\nphases: [{name: db, hosts: all, steps: [{run: ls}]}]\n")
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.INPUT_INVALID, done.stderr
    missing = [place for place in BAD_PLACES if f"bad.yaml:{place}" not in done.stderr]
    assert not missing, done.stderr
    _see_nothing_run(program)


@pytest.mark.parametrize("words", [
    ("releases", "add", "app", "--id", "$(touch pwned)"),
    ("releases", "add", "app", "--id", "../up"),
    ("releases", "add", "app", "--id", "-rf"),
    ("releases", "pin", "db", "x;touch pwned"),
    ("push", "$(touch pwned)", "--yes"),
    ("push", "push.yaml", "--host", "-oProxyCommand=touch pwned", "--yes"),
])  # fmt: skip
def test_words_of_a_command_line_are_no_more_than_words(
    program: Program, words: tuple[str, ...]
) -> None:
    """Release ids, files and selectors that are none: refused, nothing is run."""
    program.write("app/index.html", "hello")
    program.write("push.yaml", "title: x\nphases: [{name: db, hosts: all, steps: [{run: ls}]}]\n")
    done = program.call(*words)
    assert done.returncode in (ExitCode.USAGE, ExitCode.INPUT_INVALID), done.stdout + done.stderr
    _see_nothing_run(program)
