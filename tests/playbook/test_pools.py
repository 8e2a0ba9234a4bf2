"""The step `pools`: what it asks a host's overseer under the run's own token, in real shells."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.base.marked import Document
from fleetctl.inventory.model import Fleet, Host, Login, Pools, Tier
from fleetctl.plan.adhoc import compile_alone
from fleetctl.plan.model import Plan
from fleetctl.plan.request import Overrides
from fleetctl.playbook.load import from_document, load_playbook
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.poolstexts import PoolTexts, Wish, acting, needless, pattern
from fleetctl.playbook.substitute import fill_shell
from fleetctl.playbook.units import SomeSeconds

SHELLS = [shell for shell in (["dash"], ["busybox", "sh"]) if shutil.which(shell[0])]
OVERSEER = """
import json, pathlib, sys
home = pathlib.Path(sys.argv[sys.argv.index("--home") + 1])
(home / "asked").write_text(sys.argv[-1])
status = home / "status"
print('{"pools":1}')
raise SystemExit(int(status.read_text()) if status.exists() else 0)
"""


class Desk:
    """A host with an overseer that writes down what it is asked."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.shell = shell
        self.home = folder / "it's"
        self.home.mkdir()
        (self.home / "overseer.pyz").write_text(OVERSEER)

    def sh(self, text: str, run: str = "r-1", under: str = "r-0:7") -> tuple[int, str]:
        """Exit status and stderr of a step's text, in a run that a step of another started."""
        names = {"pools.home": str(self.home), "pools.python": "python3"}
        filled = fill_shell(text, names.__getitem__)
        done = subprocess.run(
            [*self.shell, "-c", filled],
            env={"PATH": "/usr/bin:/bin", "FLEETCTL_RUN": under, "FLEETCTL_RUN_ID": run},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    @property
    def asked(self) -> Any:
        """The last request."""
        return json.loads((self.home / "asked").read_text())


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


def texts(**more: Any) -> PoolTexts:
    return PoolTexts(Wish("hibernate", **more))


def test_the_token_is_the_runs_own_id(desk: Desk) -> None:
    """Not its fence: who goes on with a run gives back what it held. Not that of a run whose step
    started it: what a push holds is not let go by a fleetctl that works under it."""
    assert desk.sh(texts().hold())[0] == 0
    held = desk.asked
    assert desk.sh(texts().release(), under="r-0:8")[0] == 0
    assert (held["token"], desk.asked["token"]) == ("r-1", "r-1")
    assert held == {
        **{"do": "hold", "token": "r-1", "why": "run r-1", "by": "fleetctl", "settle_s": 300},
    }
    assert desk.asked == {"do": "release", "token": "r-1", "lenient": True, "settle_s": 300}


def test_pools_are_named_as_they_are(desk: Desk) -> None:
    """Quotes and braces in a pattern reach the overseer; a word alone is a kind."""
    made = texts(only=("task", "o'brien/{{x"), within=SomeSeconds(2.5))
    assert desk.sh(made.hold())[0] == 0
    assert desk.asked["pools"] == ["*/task", "o'brien/{{x"]
    assert desk.asked["settle_s"] == 3


def test_without_a_run_nothing_is_held(desk: Desk) -> None:
    """A hold nobody could give back is refused."""
    status, told = desk.sh(texts().hold(), "")
    assert (status, told) == (2, "FLEETCTL_RUN_ID names no run: pools are held for a run\n")
    assert not (desk.home / "asked").exists()


@pytest.mark.parametrize(
    ("status", "hint"),
    [(1, "pools upgrade"), (3, "nothing was interrupted"), (69, "look at its unit")],
)
def test_a_failure_keeps_its_status_and_says_what_next(desk: Desk, status: int, hint: str) -> None:
    """Refused, still busy, nobody there: the step fails with it, and a hint for each."""
    (desk.home / "status").write_text(str(status))
    found, told = desk.sh(texts().hold())
    assert found == status
    assert hint in told


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (3, 0), (4, 0), (1, 1), (69, 69)])
def test_to_give_back_is_to_let_go_whatever_comes_up_then(
    desk: Desk, status: int, ends: int
) -> None:
    """Pools a release has broken are held by nobody once they were let go: told so to the step that
    wakes them, not to what puts back. Who did not answer may hold them still."""
    (desk.home / "status").write_text(str(status))
    assert desk.sh(texts().give_back())[0] == ends
    assert desk.asked["do"] == "release"


def test_a_host_without_an_overseer_fails_unless_that_is_fine(desk: Desk) -> None:
    """68 with the folder; `missing: ok` takes it for a host without pools."""
    (desk.home / "overseer.pyz").unlink()
    status, told = desk.sh(texts().hold())
    assert status == 68
    assert f"no overseer is installed in {desk.home}" in told
    assert desk.sh(texts(missing="ok").hold()) == (0, "")


def test_an_ad_hoc_restart_alone_is_held_to_its_time(desk: Desk) -> None:
    """Others only tell how far pools are: who is busy on a busy host is no failure."""
    assert desk.sh(acting({"do": "restart", "pools": ["*/a"]}, 60))[0] == 0
    assert desk.asked["token"] == "r-1"
    assert desk.sh(acting({"do": "pause", "pools": ["*/a"], "why": "it's me"}, 20))[0] == 0
    assert desk.asked == {
        **{"do": "pause", "pools": ["*/a"], "why": "it's me", "lenient": True, "settle_s": 20},
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ('{"pools": 2, "foreseen": {"needed": 0}}', 0),
        ('{"pools":2,"foreseen":{"needed":0,"kept":[]}}', 0),
        ('{"pools": 2, "foreseen": {"needed": 10}}', 1),
        ('{"pools": 2}', 1),
        ('{"pools": 2, "why": "\\\\"needed\\\\": 0"}', 1),
    ],
)
def test_what_would_change_nothing_is_not_done(desk: Desk, answer: str, status: int) -> None:
    """The overseer is asked first; one that does not know is asked to do it."""
    program = desk.home / "overseer.pyz"
    program.write_text(program.read_text().replace('{"pools":1}', answer))
    asked = {"do": "pause", "pools": ["*/a"], "why": "it's me"}
    assert desk.sh(needless(asked)) == (status, "")
    assert desk.asked == {
        **{"do": "settled", "lenient": True, "pools": ["*/a"]},
        "of": {"do": "pause", "why": "it's me"},
    }


@pytest.mark.parametrize("word", ["", "a b", "/x", "x/"])
def test_a_word_that_names_no_pool_is_refused(word: str) -> None:
    """Before anything is reached."""
    with pytest.raises(ValueError, match="names no pools"):
        pattern(word)


def compiled(*steps: dict[str, Any], pools: Pools | None = None) -> Plan:
    """A plan of these steps on one host."""
    hosts = {"repo001": Host("repo001", "repo", "127.0.0.1", Login(), pools=pools)}
    fleet = Fleet("f", hosts, {"repo": Tier("repo", ("repo001",))}, "f.yaml")
    recipe = {"title": "t", "phases": [{"name": "repo", "hosts": "all", "steps": list(steps)}]}
    playbook = from_document(Document(recipe, None, "book.yaml"), "/")
    return compile_alone(fleet, playbook, ["repo001"], Overrides())


def test_what_a_hibernate_holds_is_owed_until_the_wake() -> None:
    """Its restore releases; the wake named ends the duty, and holds again when it is undone."""
    plan = compiled(
        {"pools": "hibernate", "restored_by": "wake"},
        {"pools": {"do": "restart", "only": ["task"], "within": "2m"}},
        {"pools": "wake", "name": "wake"},
        pools=Pools(),
    )
    first, second, third = plan.phases[0].steps
    assert first.restored_by == third.key
    assert isinstance(first.operation, Exec)
    assert isinstance(third.operation, Exec)
    assert first.operation.restore == texts().give_back()
    assert third.operation.act == texts().release()
    assert third.operation.undo == first.operation.act
    assert second.timeout_s == 180
    assert second.undo_last
    assert [step.title for step in plan.phases[0].steps] == [
        "hibernate pools: all", "restart pools: task, what runs", "wake",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("laid", "listed", "said"),
    [("a\nb\n", "a b", "0"), ("a\nb\n", "b c aa", "2"), ("", "a b", "2"), (None, "a", "0"),
     ("a\n", "", "0")],
)  # fmt: skip
def test_the_weekly_push_counts_instances_that_have_no_pools_yet(
    desk: Desk, laid: str | None, listed: str, said: str
) -> None:
    """Specs are laid by `pools upgrade` alone: who forgot it is told by `fleetctl doctor`. Where
    there is no overseer nothing is missing; a name is not part of another."""
    book = load_playbook(Path(__file__).parents[2] / "playbooks/saturday-push.yaml")
    (check,) = [one.text for one in book.checks if one.text.name.startswith("instances without")]
    bin_ = desk.home / "current/bin"
    bin_.mkdir(parents=True)
    (bin_ / "instances").write_text(f"[ $1 = s001 ] && printf '%s\\n' {listed}\n")
    if laid is not None:
        (desk.home / "specs").mkdir()
        (desk.home / "specs/instances").write_text(laid)
    names = {"pools.home": str(desk.home), "var.root": str(desk.home), "tag.shard": "s001"}
    filled = fill_shell(str(check.run), names.__getitem__)
    done = subprocess.run([*desk.shell, "-c", filled], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


def test_daemons_kept_by_an_overseer_restart_as_pools() -> None:
    """`restart: {pool: ...}` is a restart of pools; what only others heed is refused beside it."""
    plan = compiled({"restart": {"pool": "task", "up": {"within": "90s"}}}, pools=Pools())
    (step,) = plan.phases[0].steps
    assert step.title == "restart pools: task, what runs"
    assert step.timeout_s == 150
    with pytest.raises((InputError, InputErrors), match="with `pool` goes nothing"):
        compiled({"restart": {"pool": "task", "systemd": "app"}}, pools=Pools())
    with pytest.raises((InputError, InputErrors), match="no daemon pools are kept"):
        compiled({"stop": {"pool": ["task"]}})


def test_a_tier_without_pools_is_refused_with_the_step() -> None:
    """Before the first connection, with what to say where."""
    with pytest.raises((InputError, InputErrors)) as caught:
        compiled({"pools": "hibernate"})
    assert "no daemon pools are kept on tier repo" in str(caught.value)
    assert "say `pools:` in tier repo" in str(caught.value)


@pytest.mark.parametrize("wrong", ["sleep", {"only": ["a"]}, {"do": "wake", "only": ["a b"]}])
def test_a_mistake_in_the_step_is_told(wrong: object) -> None:
    """An unknown word, no word, a pool that is none."""
    with pytest.raises((InputError, InputErrors)):
        compiled({"pools": wrong}, pools=Pools())
