"""Selectors: the laws of their algebra, what they mean, and that typos never pick anything."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.errors import InputError, Location, UsageError
from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.inventory.select import Selection, files_beside, parse, pick, pick_all

LOGIN = Login()


def _fleet() -> Fleet:
    hosts: dict[str, Host] = {}
    tiers: dict[str, Tier] = {}
    for tier, count in (("db", 6), ("web", 4), ("bastion", 1)):
        names = tuple(f"{tier}{number:03d}" for number in range(1, count + 1))
        tiers[tier] = Tier(tier, names)
        for index, name in enumerate(names):
            tags = {"zone": "ab"[index % 2]} if tier != "bastion" else {}
            hosts[name] = Host(name, tier, name, LOGIN, tags)
    return Fleet("f", hosts, tiers, "f.yaml")


FLEET = _fleet()
ALL = frozenset(FLEET.hosts)
TERMS: dict[str, frozenset[str]] = {
    "all": ALL,
    "db*": frozenset(FLEET.tiers["db"].hosts),
    "tier=web": frozenset(FLEET.tiers["web"].hosts),
    "tier=*": ALL,
    "zone=a": frozenset(h.name for h in FLEET.hosts.values() if h.tags.get("zone") == "a"),
    "zone=*": ALL - {"bastion001"},
    "db[001-003]": frozenset({"db001", "db002", "db003"}),
    "web00[1,3]": frozenset({"web001", "web003"}),
    "bastion001": frozenset({"bastion001"}),
    '"web004"': frozenset({"web004"}),
    "???001": frozenset({"web001"}),
    "@some.txt": frozenset({"db002", "web001", "web002"}),
}
FILES = {"some.txt": "# spared\ndb002\n\n web[001-002]  # two\n"}


def picked(text: str, fleet: Fleet = FLEET) -> list[str]:
    """What the expression picks, with the files above to read."""

    def read(path: str) -> str:
        if path not in FILES:
            raise FileNotFoundError(2, "No such file or directory", path)
        return FILES[path]

    return pick(fleet, parse(text), read)


def _grown(inner: st.SearchStrategy[tuple[str, frozenset[str]]]) -> st.SearchStrategy[
    tuple[str, frozenset[str]]
]:  # fmt: skip
    return st.one_of(
        inner.map(lambda e: (f"not ({e[0]})", ALL - e[1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) and ({p[1][0]})", p[0][1] & p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) or ({p[1][0]})", p[0][1] | p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}),({p[1][0]})", p[0][1] | p[1][1])),
    )


EXPRESSIONS = st.recursive(st.sampled_from(sorted(TERMS.items())), _grown, max_leaves=12)


@given(EXPRESSIONS)
def test_expressions_mean_what_sets_mean(expression: tuple[str, frozenset[str]]) -> None:
    """and, or, comma and not are intersection, union and complement, in inventory order."""
    text, wanted = expression
    assert picked(text) == [name for name in FLEET.hosts if name in wanted]


@given(*[st.sampled_from(sorted(TERMS))] * 3)
def test_not_binds_before_and_before_or(one: str, two: str, three: str) -> None:
    """Without parentheses: not, then and, then or."""
    a, b, c = TERMS[one], TERMS[two], TERMS[three]
    wanted = (ALL - a) & b | c
    assert frozenset(picked(f"not {one} and {two} or {three}")) == wanted


@given(EXPRESSIONS, st.sampled_from(["web9", "tier=dbx", "zone=c", "zne=a", "x*", "@no.txt"]))
def test_a_term_that_matches_nothing_is_an_error_anywhere(
    expression: tuple[str, frozenset[str]], typo: str
) -> None:
    """A typo is refused inside and, or and not alike, whatever stands beside it."""
    for text in (f"({expression[0]}) or {typo}", f"{typo} and ({expression[0]})", f"not {typo}"):
        with pytest.raises(UsageError):
            picked(text)


TOLD = [
    ("db01", 'no host is named "db01"', 'did you mean "db001"?'),
    ("db", 'no host is named "db"', '"db" is a tier: write tier=db'),
    ("wbe*", 'no host matches "wbe*"', 'did you mean "tier=web"?'),
    ("db[001-008]", 'no hosts are named "db[007-008]" (2)', 'did you mean "db006"?'),
    ("tier=wbe", 'no tier is named "wbe"', 'did you mean "web"?'),
    ("zone=c", "no host has zone=c", "known: zone=a,b"),
    ("zoen=a", 'no host has a tag "zoen"', 'did you mean "zone"?'),
    ("not db0001", 'no host is named "db0001"', 'did you mean "db001"?'),
    ("@no.txt", "@no.txt cannot be read", ""),
]


@pytest.mark.parametrize(("text", "what", "hint"), TOLD)
def test_the_nearest_match_is_named(text: str, what: str, hint: str) -> None:
    """The error says what matched nothing and what was probably meant."""
    with pytest.raises(UsageError) as caught:
        picked(text)
    assert (caught.value.what, caught.value.hint) == (what, hint)


MALFORMED = [
    ("", "the selector is empty", ""),
    ("db* and", "malformed", "it ends early"),
    ("and db*", "malformed", "a term is missing before `and`"),
    ("(db*", "malformed", "a closing parenthesis is missing"),
    ("db*)", "malformed", "a closing parenthesis without an opening one"),
    ("db* web*", "malformed", "`and`, `or` or a comma is missing before `web*`"),
    ("db[1-2", "malformed", "cannot read it from `[1-2` on"),
    ("zone=", "malformed", "`zone=` lacks its value"),
    ("=a", "malformed", "`=a` lacks its key"),
    ("@", "malformed", "`@` wants the name of a file"),
    ("db*,,web*", "malformed", "a term is missing before `,`"),
    ("web*, not web001", "malformed", "`, not` reads as if it took away; it would add all others"),
    ("(" * 60 + "all", "malformed", "nested more than 50 deep"),
    ("db[3-1]", "counts downwards", ""),
]


@pytest.mark.parametrize(("text", "what", "why"), MALFORMED)
def test_a_malformed_selector_is_told(text: str, what: str, why: str) -> None:
    """Nothing is guessed about an expression that cannot be read."""
    with pytest.raises(UsageError) as caught:
        picked(text)
    assert what in caught.value.what
    assert caught.value.why == why


@given(st.text(alphabet="ab001*?[]()@=\"'-, \tandornot", max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever is typed either picks hosts or is refused as a mistake of the user."""
    with contextlib.suppress(UsageError, InputError):
        picked(text)


def test_a_selector_in_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    """In a playbook the place is the value's; in an @FILE it is the line and column there."""
    with pytest.raises(InputError) as caught:
        pick(FLEET, parse("web9", Location("p.yaml", 3, 12)), lambda path: "")
    assert caught.value.where == "p.yaml:3:12"
    (tmp_path / "hosts.txt").write_text("db001\n  web9\n")
    with pytest.raises(InputError) as caught:
        pick(FLEET, parse("@hosts.txt"), files_beside(tmp_path))
    assert caught.value.where == "hosts.txt:2:3"


def test_files_that_name_each_other_end(tmp_path: Path) -> None:
    """An @FILE inside itself is an error, not a hang."""
    (tmp_path / "a").write_text("@b\n")
    (tmp_path / "b").write_text("@a\n")
    with pytest.raises(InputError, match="read while it is being read"):
        pick(FLEET, parse("@a"), files_beside(tmp_path))


def test_an_empty_file_is_an_error() -> None:
    """A list of hosts that came out empty does not silently pick nothing."""
    with pytest.raises(UsageError, match="names no host"):
        pick(FLEET, parse("@x"), lambda path: "# nothing\n")


FLAGS: list[tuple[Selection, list[str]]] = [
    (Selection(), list(FLEET.hosts)),
    (Selection(tiers=("web", "bastion")), [*FLEET.tiers["web"].hosts, "bastion001"]),
    (Selection(hosts=("web001,db00[1-2]",)), ["db001", "db002", "web001"]),
    (Selection(tiers=("web",), tags=("zone=a",)), ["web001", "web003"]),
    (Selection(tags=("zone=a", "zone=b"), tiers=("web",)), list(FLEET.tiers["web"].hosts)),
    (Selection(limit="db* and zone=b", exclude=("db004",)), ["db002", "db006"]),
    (Selection(exclude=("tier=db", "zone=b")), ["web001", "web003", "bastion001"]),
]


@pytest.mark.parametrize(("selection", "names"), FLAGS)
def test_flags_narrow_each_other(selection: Selection, names: list[str]) -> None:
    """Values of one flag add up, different flags must all hold, excluded hosts are left out."""
    assert pick_all(FLEET, selection) == names


@pytest.mark.parametrize(
    "selection",
    [
        Selection(tiers=("web",), hosts=("db001",)),
        Selection(tiers=("wbe",)),
        Selection(tags=("zone",)),
        Selection(exclude=("all",)),
        Selection(exclude=("web9",)),
        Selection(limit="web9"),
    ],
)
def test_flags_that_pick_nothing_are_refused(selection: Selection) -> None:
    """A command never goes on with no host, nor past a flag that means none."""
    with pytest.raises(UsageError):
        pick_all(FLEET, selection)


def test_a_typo_among_very_many_hosts_is_answered_quickly(tmp_path: Path) -> None:
    """The nearest name is found by shape, not by comparing with each of 100,000 names."""
    (tmp_path / "i.yaml").write_text("fleet: f\ntiers: {repo: {hosts: 'repo[1-100000]'}}\n")
    fleet = load_fleet(tmp_path / "i.yaml")
    with pytest.raises(UsageError) as caught:
        picked("rpeo77777", fleet)
    assert caught.value.hint == 'did you mean "repo77777"?'
