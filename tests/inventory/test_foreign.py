"""Ansible's inventories: INI, YAML and programs mean what Ansible means by them, or say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.errors import InputError
from fleetctl.inventory.foreign import expand_ansible
from fleetctl.inventory.load import read_inventory
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.program import read_program
from fleetctl.inventory.reading import Reading

INI = """\
jump ansible_host=10.0.0.1 ansible_connection=paramiko
lone ansible_become=yes

[web]
web[01:03].example.com ansible_user=www zone=a
web04.example.com:2222 http_port=80 note="a b" # a comment
; another

[db]
db[a:c] ansible_password=hunter2

[prod:children]
web
db

[db:vars]
ansible_ssh_common_args=-o ProxyJump=ops@jump:22
tries = 3
[all:vars]
tries=1
ansible_ssh_private_key_file=keys/id
"""

YAML = """\
all:
  vars: {tries: 1, ansible_ssh_private_key_file: keys/id}
  hosts:
    jump: {ansible_host: 10.0.0.1}
    lone: {ansible_become: true}
  children:
    prod:
      children:
        web:
          hosts:
            web[01:03].example.com: {ansible_user: www, zone: a}
            web04.example.com: {ansible_port: 2222, http_port: 80, note: a b}
        db:
          hosts: {"db[a:c]": {ansible_password: hunter2}}
          vars: {tries: 3, ansible_ssh_common_args: -J jump}
"""

PRINTED = {
    "_meta": {
        "hostvars": {
            "jump": {"ansible_host": "10.0.0.1"},
            "lone": {"ansible_become": True},
            **{f"web0{i}.example.com": {"ansible_user": "www", "zone": "a"} for i in (1, 2, 3)},
            "web04.example.com": {"ansible_port": 2222, "http_port": 80, "note": "a b"},
            **{f"db{letter}": {"ansible_password": "hunter2"} for letter in "abc"},
        }
    },
    "all": {
        "children": ["ungrouped", "prod"],
        "vars": {"tries": 1, "ansible_ssh_private_key_file": "keys/id"},
    },
    "ungrouped": {"hosts": ["jump", "lone"]},
    "prod": {"children": ["web", "db"]},
    "web": [f"web0{i}.example.com" for i in (1, 2, 3, 4)],
    "db": {
        "hosts": ["dba", "dbb", "dbc"],
        "vars": {
            "tries": 3,
            "ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p -q ops@jump'",
        },
    },
}


def program(folder: Path, body: str) -> Path:
    """An inventory program with this shell text."""
    path = folder / "inv"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def reading_of(form: str, folder: Path) -> Reading:
    """The same fleet in each of the forms."""
    if form == "program":
        (folder / "data.json").write_text(json.dumps(PRINTED))
        return read_inventory(program(folder, f'cat "{folder}/data.json"'))
    name, text = {"ini": ("hosts", INI), "yaml": ("hosts.yml", YAML)}[form]
    (folder / name).write_text(text)
    return read_inventory(folder / name)


def ini(folder: Path, text: str) -> Fleet:
    """The fleet of an INI text."""
    (folder / "i.ini").write_text(text)
    return read_inventory(folder / "i.ini").fleet


FORMS = pytest.mark.parametrize("form", ["ini", "yaml", "program"])


@FORMS
def test_tiers_are_the_deepest_groups(form: str, tmp_path: Path) -> None:
    """The deepest group is the tier, every other group a tag; hosts in none are `ungrouped`."""
    fleet = reading_of(form, tmp_path).fleet
    assert {name: len(tier.hosts) for name, tier in fleet.tiers.items()} == {
        "ungrouped": 2, "web": 4, "db": 3,
    }  # fmt: skip
    assert fleet.hosts["web01.example.com"].tags == {"prod": "yes", "zone": "a"}


@FORMS
def test_logins_are_carried_over(form: str, tmp_path: Path) -> None:
    """Address, port, user, key and jump host become ours; the jump host a `via`."""
    hosts = reading_of(form, tmp_path).fleet.hosts
    assert hosts["jump"].address == "10.0.0.1"
    assert hosts["web04.example.com"].login.port == 2222
    assert hosts["web01.example.com"].login.user == "www"
    assert {hosts[name].login.via for name in ("dba", "dbb", "dbc")} == {"jump"}
    assert hosts["lone"].login.identity == (str(tmp_path / "keys/id"),)


@FORMS
def test_the_nearer_variable_wins(form: str, tmp_path: Path) -> None:
    """all, then group, then host, as Ansible has it."""
    hosts = reading_of(form, tmp_path).fleet.hosts
    assert hosts["dba"].variables == {"tries": 3}
    assert hosts["web04.example.com"].variables == {"tries": 1, "http_port": 80, "note": "a b"}


@FORMS
def test_what_is_left_behind_is_said_without_its_value(form: str, tmp_path: Path) -> None:
    """A password is named as not carried over, and never shown."""
    remarks = reading_of(form, tmp_path).remarks
    told = {remark.what.partition(" ")[0]: remark.count for remark in remarks}
    assert told == {"ansible_become": 1, "ansible_password": 3}
    assert "hunter2" not in str(remarks)


def test_a_remark_has_the_place_it_was_seen_first(tmp_path: Path) -> None:
    """Line and column of the variable, not only of the host."""
    places = {r.what.partition(" ")[0]: r.where for r in reading_of("ini", tmp_path).remarks}
    assert places["ansible_become"].endswith("hosts:2:6")
    assert places["ansible_password"].endswith("hosts:10:9")


def test_a_chain_of_jump_hosts_is_not_shortened_silently(tmp_path: Path) -> None:
    """The last jump host becomes the way; that others were named is said."""
    (tmp_path / "i").write_text("j1\nj2\na ansible_ssh_common_args='-J j1,j2'\n")
    reading = read_inventory(tmp_path / "i")
    assert reading.fleet.hosts["a"].login.via == "j2"
    (remark,) = reading.remarks
    assert "a chain of jump hosts" in remark.what


def test_equal_depth_goes_to_the_first_group_of_the_file(tmp_path: Path) -> None:
    """The rule for the tier is the same every time it is read."""
    fleet = ini(tmp_path, "[east]\na\nb\n[db]\na\n[web]\nb\nc\n")
    assert {name: host.tier for name, host in fleet.hosts.items()} == {
        "a": "east", "b": "east", "c": "web",
    }  # fmt: skip
    assert fleet.hosts["a"].tags == {"db": "yes"}


def test_other_connections_are_left_out_and_said(tmp_path: Path) -> None:
    """A Windows host is not logged in to over ssh by mistake; `local` is carried over."""
    (tmp_path / "i").write_text("a\nw ansible_connection=winrm\nl ansible_connection=local\n")
    reading = read_inventory(tmp_path / "i")
    assert list(reading.fleet.hosts) == ["a", "l"]
    assert reading.fleet.hosts["l"].login.transport == "local"
    assert "winrm are left out" in reading.remarks[0].what


def test_an_unknown_jump_host_and_other_arguments_are_said(tmp_path: Path) -> None:
    """A way through a host nobody knows is not silently dropped."""
    text = "a ansible_ssh_common_args='-J x@gate -o StrictHostKeyChecking=no'\n"
    (tmp_path / "i").write_text(text)
    told = [remark.what for remark in read_inventory(tmp_path / "i").remarks]
    assert told == [
        "ansible_ssh_common_args holds more than a jump host; say the rest in ~/.ssh/config",
        "the jump host gate is no host of this inventory",
    ]


def test_unread_folders_of_variables_are_said(tmp_path: Path) -> None:
    """group_vars beside the inventory would change what Ansible sees; we do not read it."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "i").write_text("a\n")
    (remark,) = read_inventory(tmp_path / "i").remarks
    assert remark.what == "the folder group_vars is not read"


MISTAKES = [
    ("i.ini", "[web]\na\n[prod:children]\nwbe\n",
     'i.ini:4:1: there is no group "wbe"\n  hint: did you mean "web"?'),
    ("i.ini", "[web:chidren]\n",
     'i.ini:1:1: unknown kind of section "chidren" in [web:chidren]\n'
     '  hint: did you mean "children"?'),
    ("i.ini", "[web]\na ansible_port\n", 'i.ini:2:3: expected KEY=VALUE, found "ansible_port"'),
    ("i.ini", "a  ansible_port=ssh\n", 'i.ini:1:4: ansible_port "ssh" is no port'),
    ("i.ini", "a x='y\n", "i.ini:1:1: the line is not readable\n  why: no closing quotation"),
    ("i.ini", "[web]\nweb[1:\n", "i.ini:2:1: unbalanced range in 'web[1:'"),
    ("i.ini", "[web]\nweb[9:1]\n",
     "i.ini:2:1: the range [9:1] in 'web[9:1]' counts downwards"),
    ("i.ini", "a ansible_host={{x}}\n",
     "i.ini:1:3: ansible_host is a template, which only Ansible can fill"),
    ("i.ini", "a ansible_user=-oProxyCommand\n",
     'i.ini:1:3: ansible_user "-oProxyCommand" is no user name'),
    ("i.ini", "-oProxy\n", 'i.ini:1:1: "-oProxy" is no name for a host here\n'
     "  hint: letters, digits, dot, dash, underscore"),
    ("i.ini", "[a:children]\nb\n[b:children]\na\n",
     "i.ini:1:1: groups contain each other in a circle: a -> b -> a"),
    ("i.ini", "a ansible_host=h\nb ansible_host=h\n",
     'i.ini:2:1: host "b" has the address h of host "a"\n'
     "  why: one machine under two names would be worked on twice at once"),
    ("i.ini", "# nothing\n", "i.ini: there are no hosts"),
    ("i.yml", "all:\n  host: {a: }\n",
     'i.yml:2:3: unknown key "host" in all\n  hint: did you mean "hosts"?'),
    ("i.yml", "all:\n  hosts: [a]\n", "i.yml:2:3: expected a mapping under hosts"),
    ("i.yml", "plugin: aws_ec2\n",
     "i.yml:1:1: this configures an inventory plugin of Ansible; it lists no hosts\n"
     "  hint: let `ansible-inventory -i FILE --list` print it,"
     " and name a program that does so"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_place(
    name: str, text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foreign inventories get the same exactness as ours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_inventory(tmp_path / name)
    assert str(caught.value) == told


PROGRAMS = [
    ("echo no >&2; exit 3", "inv: ended with status 3\n  why: no"),
    ("echo '[]'", "inv: expected an object of groups, found a list"),
    ("""echo '{"web": {"hosts": "a"}}'""",
     "inv (web.hosts): expected a list of names, found text"),
    ("""echo '{"web": ["a"], "_meta": {"hostvars": {"a": {"ansible_port": 0}}}}'""",
     'inv (_meta.hostvars.a.ansible_port): ansible_port "0" is no port'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "told"), PROGRAMS)
def test_a_failing_program_is_told(
    body: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the program did wrong, with what it said itself."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_inventory(program(tmp_path, body))
    assert str(caught.value) == told


def test_a_program_that_prints_no_json_is_quoted(tmp_path: Path) -> None:
    """Its last words are shown."""
    with pytest.raises(InputError, match="printed no JSON for --list") as caught:
        read_inventory(program(tmp_path, "echo traceback; echo oops"))
    assert "it printed: traceback | oops" in caught.value.why


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    """Its children, too: the deadline holds although a grandchild keeps the pipe open."""
    path = program(tmp_path, "sleep 60 & sleep 60")
    with pytest.raises(InputError, match=r"gave no answer within 0\.3 s"):
        read_program(path, "inv", deadline_s=0.3)


def test_a_program_without_meta_is_asked_for_each_host(tmp_path: Path) -> None:
    """Host variables are not lost with programs of the old kind."""
    body = """
    if [ "$1" = --list ]; then echo '{"web": ["a", "b"]}'
    else echo "{\\"ansible_host\\": \\"$2.example.com\\"}"; fi"""
    fleet = read_inventory(program(tmp_path, body)).fleet
    assert [host.address for host in fleet.hosts.values()] == ["a.example.com", "b.example.com"]


def test_an_executable_data_file_is_not_run(tmp_path: Path) -> None:
    """A YAML or INI file with an x bit, as network drives give, is read, not executed."""
    path = tmp_path / "i.ini"
    path.write_text("#!/bin/false\na\n")
    path.chmod(0o755)
    assert list(read_inventory(path).fleet.hosts) == ["a"]


@given(st.integers(0, 120), st.integers(0, 30), st.integers(1, 4), st.integers(1, 4))
def test_ranges_count_as_ansible_counts(first: int, more: int, step: int, width: int) -> None:
    """A leading zero fixes the width; the step leaves hosts out."""
    begin = f"{first:0{width}d}"
    padded = begin[0] == "0"
    wanted = [
        f"h{number:0{len(begin) if padded else 0}d}.x"
        for number in range(first, first + more + 1, step)
    ]
    assert list(expand_ansible(f"h[{begin}:{first + more}:{step}].x")) == wanted
