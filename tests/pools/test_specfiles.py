"""Spec files made ready for hosts: names filled in, mistakes told where they stand, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.playbook.substitute import fill_plain
from fleetctl.pools.specfiles import SpecFiles, in_lines, safe

GOOD = """\
[kind.task]
command = ["{{var.python}}", "task.py", "{instance}"]
max = 4

[[instances]]
names_from = "instances"
kinds = ["task"]
"""
VALUES = {"var.python": "/usr/bin/python3", "tag.shard": "s001", "var.odd": 'a"b'}


def fill(text: str) -> str:
    """As for a host with VALUES."""
    return fill_plain(text, lambda name: safe(VALUES[name]))


def folder_of(tmp_path: Path, **files: str) -> SpecFiles:
    """A folder of these TOML files."""
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return SpecFiles(tmp_path)


def test_a_host_gets_json_with_its_own_values(tmp_path: Path) -> None:
    """An older Python reads it; names are filled in, `{instance}` is left to the overseer."""
    made = folder_of(tmp_path, a=GOOD).made_for(fill, ["acme", "bolt"])
    assert sorted(made) == ["a.json", "instances"]
    kind = json.loads(made["a.json"])["kind"]["task"]
    assert kind["command"] == ["/usr/bin/python3", "task.py", "{instance}"]
    assert made["instances"] == "acme\nbolt\n"


def test_every_mistake_is_told_where_it_stands_in_the_file_here(tmp_path: Path) -> None:
    """File and line are those a person edits, not those of a copy; with the nearest known word."""
    specs = folder_of(tmp_path, a=GOOD.replace("max = 4", "mix = 4"), b="[kind.x]\nmax = 0\n")
    with pytest.raises(InputErrors) as caught:
        specs.made_for(fill, None)
    told = str(caught.value)
    assert f"{tmp_path}/a.toml:3:1: unknown key 'mix'\n  hint: did you mean " in told
    assert f"{tmp_path}/b.toml:2:1: max must be 1 to" in told


def test_an_unknown_name_and_a_value_that_would_break_the_file_are_refused(tmp_path: Path) -> None:
    """Neither reaches a host: each is told with its line."""
    specs = folder_of(tmp_path, a='[kind.x]\ncommand = ["{{vra.x}}"]\nenv = {A = "{{var.odd}}"}\n')
    with pytest.raises(InputErrors) as caught:
        specs.made_for(fill, [])
    first, second = caught.value.errors
    assert (first.location.line, second.location.line) == (2, 3)
    assert "{{vra.x}} names nothing" in first.what
    assert "cannot stand in a spec file" in second.what


def test_the_way_to_write_braces_is_that_of_files_sent_from_here(tmp_path: Path) -> None:
    """Two braces are a name of ours in these files: the hint, typed in, must not be refused."""
    specs = folder_of(tmp_path, a=GOOD.replace("{instance}", "{instanc}"))
    with pytest.raises(InputErrors) as caught:
        specs.made_for(fill, ["acme"])
    assert "did you mean '{instance}'?" in caught.value.errors[0].hint
    assert caught.value.errors[0].hint.endswith(" are written {{{{instanc}}}}")


def test_what_depends_on_instances_is_judged_when_they_are_known(tmp_path: Path) -> None:
    """A pool of its own for an instance is fine while nobody knows who is there, and not after."""
    specs = folder_of(tmp_path, a=GOOD + '[pool."acme/task"]\nmax = 8\n')
    assert specs.made_for(fill, None)
    assert specs.made_for(fill, ["acme"])
    with pytest.raises(InputErrors, match="'acme/task': no instance has it"):
        specs.made_for(fill, ["bolt"])


def test_braces_that_are_meant_reach_the_daemon(tmp_path: Path) -> None:
    """As docs/pools.md writes them: four here, two for the overseer, one for the daemon."""
    from fleetctl.pools.overseer.placeholders import fill as fill_there
    from fleetctl.pools.overseer.placeholders import of_pool

    text = '[kind.x]\ncommand = ["{{var.python}}", "{{{{word}}={kind}"]\n'
    made = folder_of(tmp_path, a=text).made_for(fill, [])
    words = json.loads(made["a.json"])["kind"]["x"]["command"]
    assert words == ["/usr/bin/python3", "{{word}}={kind}"]
    assert fill_there(words[1], of_pool("acme/x")) == "{word}=x"


def test_names_of_another_file_here_are_written_out(tmp_path: Path) -> None:
    """`names_from` may name a file beside the specs, which no host has."""
    (tmp_path / "few").write_text("x1\nx2\n")
    text = GOOD.replace('names_from = "instances"', 'names = ["y"]\nnames_from = "few"')
    made = folder_of(tmp_path, a=text).made_for(fill, [])
    assert json.loads(made["a.json"])["instances"] == [
        {"names": ["y", "x1", "x2"], "kinds": ["task"]}
    ]


def test_no_specs_are_told_before_anybody_is_asked(tmp_path: Path) -> None:
    """An empty folder, and none: mistakes of files, not of the command line."""
    with pytest.raises(InputError, match="there is no spec file"):
        SpecFiles(tmp_path)
    with pytest.raises(InputError, match="cannot read the spec files"):
        SpecFiles(tmp_path / "none")


def test_specs_are_compared_by_what_they_say() -> None:
    """Order and layout of the files do not count; every value is a line."""
    one = {"a.json": '{"kind":{"k":{"max":2,"env":{"A":"b"}}}}', "instances": "x\n"}
    two = {"b.json": '{"kind": {"k": {"env": {"A": "b"}, "max": 2}}}'}
    assert in_lines(one) == in_lines(two) == ['kind.k.env.A = "b"', "kind.k.max = 2"]
