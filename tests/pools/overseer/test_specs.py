"""Specs: what is understood, and that every mistake is told with its place and what was meant."""

from __future__ import annotations

import json
import select
from pathlib import Path

import pytest

from fleetctl.pools.overseer import specs

GOOD = """
[kind.taskmaster]
command = ["php", "taskmaster.php", "{instance}"]
max = 4
[kind.pull]
command = ["pull"]
[[instances]]
names = ["acme", "i[001-100]"]
kinds = ["taskmaster", "pull"]
[pool."acme/taskmaster"]
max = 8
[attention.queue]
command = ["watch"]
"""
KIND = '[kind.k]\ncommand = ["x"]\n'
BAD = [
    ("[knd.a]\n", ":1: unknown table 'knd'\n  hint: did you mean 'kind'?"),
    ("[kind.a]\n", ":1: kind 'a' has no command"),
    ("[kind.a]\ncommand = 'x'\n", ":2: command must be a list of words, not 'x'"),
    ("[kind.a]\ncommand = []\n", ":1: kind 'a' has no command"),
    ("[kind.a]\ncommand = [1]\n", ":2: command must be a list of words, not [1]"),
    ('[kind."a b"]\ncommand = ["x"]\n', "'a b' is no name"),
    ('[kind."a/b"]\ncommand = ["x"]\n', "'a/b' is no name"),
    ("kind = 1\n", ":1: kind must be a table of names"),
    ("[kind]\na = 1\n", ":2: kind 'a' must be a table"),
    (KIND + "mx = 1\n", ":3: unknown key 'mx'\n  hint: did you mean 'max'?"),
    (KIND + "max = 0\n", ":3: max must be 1 to 1000, not 0"),
    (KIND + "max = 1001\n", ":3: max must be 1 to 1000, not 1001"),
    (KIND + "max = -1\n", ":3: max must be 1 to 1000, not -1"),
    (KIND + "max = 1.5\n", ":3: max must be a whole number, not 1.5"),
    (KIND + "max = true\n", ":3: max must be a whole number, not True"),
    (KIND + "max = '4'\n", ":3: max must be a whole number, not '4'"),
    (KIND + "min = 2\n", ":3: min 2 is more than max 1"),
    (KIND + "min = 5\nmax = 4\n", ":3: min 5 is more than max 4"),
    (KIND + "cwd = 1\n", ":3: cwd must be a text, not 1"),
    (KIND + "env = []\n", ":3: env must be a table of texts, not []"),
    (KIND + "env = {A = 1}\n", ":3: env must be a table of texts"),
    (KIND + "ready = 'maybe'\n", ":3: ready must be one of notify, exec, not 'maybe'"),
    (KIND + "ready = 1\n", ":3: ready must be a text, not 1"),
    (KIND + "at_start = 'sleep'\n", ":3: at_start must be one of run, asleep, not 'sleep'"),
    (KIND + "on_clean_exit = 'x'\n", ":3: on_clean_exit must be one of restart, hibernate, done"),
    (KIND + "watchdog = -1\n", ":3: watchdog must be 0.0 to 86400.0, not -1"),
    (KIND + "watchdog = '30s'\n", ":3: watchdog must be a number of seconds, not '30s'"),
    (KIND + "watchdog = nan\n", ":3: watchdog must be a number of seconds, not nan"),
    (KIND + "watchdog = inf\n", ":3: watchdog must be 0.0 to 86400.0, not inf"),
    (KIND + "watchdog = false\n", ":3: watchdog must be a number of seconds, not False"),
    (KIND + "start_timeout = 0\n", ":3: start_timeout must be 0.1 to 86400.0, not 0"),
    (KIND + "max_sleep = 0\n", ":3: max_sleep must be 1.0 to 2592000.0, not 0"),
    (KIND + "stop_grace = 1e9\n", ":3: stop_grace must be 0.0 to 86400.0"),
    (KIND + "up_afer = 1\n", ":3: unknown key 'up_afer'\n  hint: did you mean 'up_after'?"),
    (KIND + "memory_mb = -5\n", ":3: memory_mb must be 0 to"),
    (KIND + "log_kb = 0\n", ":3: log_kb must be 1 to"),
    (KIND + "queue = 1\n", ":3: queue must be a text"),
    (KIND + "max = 1\nmax = 2\n", ":4:8: this key has a value already"),
    (KIND + "[kind.'a.b']\n[kind.'a.b']\n", ":4:12: [kind.a.b] is there already"),
    (KIND + "max = \n", ":3:7: expected a value: a text in quotes, a number, true, false, a list"),
    (KIND + "max = four # or so\n", "or a table {...}; there is 'four # or so'"),
    (KIND + "= 4\n", ":3:1: expected KEY = VALUE or [TABLE]; there is '= 4'"),
    (KIND + "[kind.j]\nenv = {A = yes}\n", ":4:12: expected a value"),
    (KIND + "max 4\n", ":3:5: Expected '=' after a key"),
    (KIND + "[instances]\nnames = ['a']\n", ":3: these instances have no kinds"),
    (KIND + "[instances]\nnames = 'a'\nkinds = ['k']\n", ":3: names and kinds must be lists"),
    (KIND + "[[instances]]\nnames = ['a']\nkinds = ['j']\n", ":5: unknown kind 'j'"),
    (KIND + "[[instances]]\nnames = ['a b']\nkinds = ['k']\n", ":4: 'a b' is no name"),
    (KIND + "[[instances]]\nnames = ['../x']\nkinds = ['k']\n", ":4: '../x' is no name"),
    (KIND + "[[instances]]\nname = ['a']\nkinds = ['k']\n", "unknown key 'name'"),
    (KIND + "[[instances]]\nnames_from = 'no'\nkinds = ['k']\n", "No such file"),
    (KIND + "[[instances]]\nnames_from = 3\nkinds = ['k']\n", "names and kinds must be lists"),
    ("instances = [1]\n", "instances must be a table"),
    (KIND + "[pool.'a/k']\nmax = 2\n", "pool 'a/k': no instance has it"),
    (KIND + "[pool.'a/k']\nmux = 2\n", ":4: unknown key 'mux'"),
    (
        KIND + "[[instances]]\nnames=['a']\nkinds=['k']\n[pool.'a/k']\nmin = 2\nmax = 1\n",
        ":7: min 2 is more than max 1",
    ),
    (
        KIND + "[[instances]]\nnames = ['i[300-001]']\nkinds = ['k']\n",
        ":4: the range [300-001] in 'i[300-001]' counts downwards\n  hint: did you mean [001-300]?",
    ),
    (
        KIND + "[[instances]]\nnames = ['i[1-1000001]']\nkinds = ['k']\n",
        ":4: 'i[1-1000001]' means more than 1000000 instances",
    ),
    (
        KIND + "[[instances]]\nnames = ['i[1-9999][1-9999]']\nkinds = ['k']\n",
        ":4: 'i[1-9999][1-9999]' means more than 1000000 instances",
    ),
    (KIND + "[[instances]]\nnames = ['../x[1-2]']\nkinds = ['k']\n", ":4: '../x[1-2]' is no name"),
    (KIND + "[[instances]]\nnames = ['i[1-a]']\nkinds = ['k']\n", ":4: unreadable range [1-a]"),
    (KIND + "[[instances]]\nnames = ['i[1-2']\nkinds = ['k']\n", ":4: unbalanced range"),
    (
        KIND + "[[instances]]\nnames = ['a', 'b', 'a']\nkinds = ['k']\n",
        ":4: instance 'a' has kind 'k' already\n  hint: name an instance once for each kind",
    ),
    (
        KIND + "[[instances]]\nnames = ['i[1-9]']\nkinds = ['k']\n"
        "[[instances]]\nnames = ['i[8-20]']\nkinds = ['k']\n",
        ":7: instance 'i8' has kind 'k' already, and so have 1 more of 'i[8-20]'",
    ),
    (KIND + "[[instances]]\nnames = ['i[1,1]']\nkinds = ['k']\n", "a name more than once"),
    (KIND + "[[instances]]\nnames = ['a']\nkinds = ['k', 'k']\n", ":5: kind 'k' is named twice"),
    (
        KIND + "queue = 'tsks'\n[attention.tasks]\ncommand = ['x']\n",
        ":3: queue 'tsks' is no source of attention\n  hint: did you mean 'tasks'?",
    ),
    (KIND + "queue = 'tasks'\n", ":3: queue 'tasks' is no source of attention\n  hint: add [atten"),
    (
        KIND + "[[instances]]\nnames=['a']\nkinds=['k']\n[pool.'a/k']\nqueue = 'q'\n",
        ":7: queue 'q' is no source of attention",
    ),
    (
        "[kind.a]\ncommand = [\n'x',\n'--kind={kin}']\n",
        ":4: {kin} stands for nothing in command\n  hint: did you mean '{kind}'?; "
        "braces that are meant themselves are written {{kin}}",
    ),
    (
        KIND + "cwd = '/srv/{host}'\n",
        ":3: {host} stands for nothing in cwd\n  hint: known: {instance}, {kind}, {slot};",
    ),
    (KIND + "env = {A = '{Slot}'}\n", ":3: {Slot} stands for nothing in env"),
    (
        KIND + "socket = '/run/{instnce}'\n",
        ":3: {instnce} stands for nothing in socket\n  hint: did",
    ),
    (KIND + "socket = '/run/{slot}'\n", "in socket\n  hint: a socket is the pool's, not a slot's"),
    ("[attention.q]\n", "attention 'q' has neither command nor sqlite"),
    ("[attention.q]\nsqlite = 1\n", ":2: sqlite must be a text"),
    ("[attention.q]\nevry = 1\nsqlite = 'x'\n", "unknown key 'evry'\n  hint: did you mean 'every'"),
]


def _read(folder: Path, text: str, name: str = "pools.toml") -> specs.Specs:
    (folder / name).write_text(text)
    return specs.read(str(folder))


def test_a_template_and_a_list_of_instances_make_many_pools(tmp_path: Path) -> None:
    """Two kinds and 101 instances are 202 pools that share two kinds, but for one."""
    found = _read(tmp_path, GOOD)
    assert len(found.pools) == 202
    assert found.pools["acme/taskmaster"].max == 8
    assert found.pools["i007/taskmaster"].max == 4
    assert len({id(kind) for kind in found.pools.values()}) == 3
    assert found.attention["queue"].command == ("watch",)


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    """Hosts without tomllib are not second class: the same content gives the same generations."""
    import tomllib

    first = _read(tmp_path, GOOD).pools
    (tmp_path / "pools.toml").unlink()
    second = _read(tmp_path, json.dumps(tomllib.loads(GOOD)), "pools.json").pools
    assert {n: k.generation for n, k in first.items()} == {
        n: k.generation for n, k in second.items()
    }


@pytest.mark.parametrize(("text", "told"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """File, line, what is wrong, and what was probably meant; and no pool comes of it."""
    with pytest.raises(specs.SpecError) as caught:
        _read(tmp_path, text)
    assert told in str(caught.value)
    assert "pools.toml" in str(caught.value) or "pool '" in str(caught.value)


def test_json_that_is_none_is_told_with_line_and_column(tmp_path: Path) -> None:
    """A missing quote is found where it is."""
    with pytest.raises(specs.SpecError, match=r"pools.json:2:3: "):
        _read(tmp_path, "{\n  kind: {}\n}", "pools.json")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Three mistakes in two files: three lines, in the order of the files."""
    (tmp_path / "a.toml").write_text('[kind.a]\ncommand = ["x"]\nmax = 0\nmin = "x"\n')
    with pytest.raises(specs.SpecError) as caught:
        _read(tmp_path, "[kid.b]\n", "b.toml")
    assert [line.split(":")[0][-6:] for line in str(caught.value).splitlines()[:3]] == [
        "a.toml",
        "a.toml",
        "b.toml",
    ]


def test_mistakes_of_kinds_do_not_hide_those_of_instances(tmp_path: Path) -> None:
    """One look tells both; but nothing is called unknown that stands in a file nobody can read."""
    text = KIND + "max = 0\n[[instances]]\nnames = ['i[3-1]']\nkinds = ['k', 'other']\n"
    with pytest.raises(specs.SpecError) as caught:
        _read(tmp_path, text)
    told = [line for line in str(caught.value).splitlines() if "hint:" not in line]
    assert [line.split(": ")[0][-2:] for line in told] == [":3", ":6", ":5"]
    (tmp_path / "other.toml").write_text("[kind.other]\ncommand = \n")
    with pytest.raises(specs.SpecError) as caught:
        specs.read(str(tmp_path))
    assert "unknown kind" not in str(caught.value)


def test_a_generation_follows_from_what_is_started() -> None:
    """The same kind has the same generation; any other value, another."""
    from fleetctl.pools.overseer.kinds import Kind

    same = {Kind("k", {"command": ["x"], "max": 2}).generation for _ in range(3)}
    assert len(same) == 1
    assert Kind("k", {"command": ["y"], "max": 2}).generation not in same
    assert Kind("k", {"command": ["x"], "max": 2, "min": 0}).generation in same


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """It is told, and does not end whoever reads."""
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(specs.SpecError, match=r"a\.toml: Is a directory"):
        specs.read(str(tmp_path))


@pytest.mark.parametrize(
    "word",
    [
        *("a", "i[001-003]", "i[1-3]", "i[08-12]", "i[1,5,7-9]", "r[1-2]-n[01-03]x", "i[3-1]"),
        *("i[001-1000]", "i[1-1001]", "i[a-b]", "i[1-2", "i]", "i[]", "i[1--2]", "i[5]"),
    ],
)
def test_a_range_means_what_it_means_in_an_inventory(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same names in the same order, and a mistake in the one is a mistake in the other."""
    from fleetctl.base import hostrange
    from fleetctl.pools.overseer import instances

    assert hostrange.HOSTS_PER_RANGE_MAX == instances.MOST
    monkeypatch.setattr(hostrange, "HOSTS_PER_RANGE_MAX", 1000)
    monkeypatch.setattr(instances, "MOST", 1000)
    try:
        meant = list(hostrange.expand(word))
    except ValueError:
        with pytest.raises(ValueError, match=r"i[]\[]"):
            instances.expand(word)
    else:
        assert instances.expand(word) == meant


def test_one_instance_may_have_its_kinds_in_several_groups(tmp_path: Path) -> None:
    """Only the same kind twice is a mistake."""
    text = GOOD.replace('"taskmaster", "pull"]', '"taskmaster"]')
    text += '[[instances]]\nnames = ["acme"]\nkinds = ["pull"]\n'
    assert len(_read(tmp_path, text).pools) == 102


def test_a_folder_full_of_mistakes_is_told_shortly(tmp_path: Path) -> None:
    """A list of a thousand names, each twice: twenty mistakes, and how many more there are."""
    (tmp_path / "names").write_text("\n".join(f"i{n % 1000}" for n in range(2000)))
    with pytest.raises(specs.SpecError) as caught:
        _read(tmp_path, KIND + "[[instances]]\nnames_from = 'names'\nkinds = ['k']\n")
    told = str(caught.value).splitlines()
    assert len(told) == 41
    assert "pools.toml:4: instance 'i0' has kind 'k' already" in told[0]
    assert told[-1] == "and 980 more mistakes"


def test_placeholders_are_filled_in_and_other_braces_are_left() -> None:
    """A doubled pair is the pair itself; the shell's own, and what is no single word, stay."""
    from fleetctl.pools.overseer.placeholders import EVERYWHERE, fill, of_pool, unknown

    text = '{instance}/{kind} {{kind}} ${kind} {print} { kind } {} {"a":{"b":1}} $1{'
    told = fill(text, of_pool("acme/task"))
    assert told == 'acme/task {kind} ${kind} {print} { kind } {} {"a":{"b":1}} $1{'
    assert unknown(text, EVERYWHERE) == ["print"]


def test_environment_and_folder_of_a_daemon_may_name_its_pool() -> None:
    """Values of `env` are filled in as the command is; our own words go over them."""
    from fleetctl.pools.overseer.children import Children
    from fleetctl.pools.overseer.kinds import Kind
    from fleetctl.pools.overseer.pools import Pool

    env = {"QUEUE": "q-{instance}-{slot}", "PLAIN": "x", "FLEETCTL_KIND": "{kind}!"}
    given = {"command": ["x", "{{kind}}"], "env": env, "cwd": "/srv/{instance}"}
    with select.epoll() as epoll:
        launch = Children("/home", epoll).launch(Pool("acme/k", Kind("k", given)).slot(0))
    assert (launch.command, launch.cwd) == (["x", "{kind}"], "/srv/acme")
    assert (launch.env["QUEUE"], launch.env["FLEETCTL_KIND"]) == ("q-acme-0", "k")
