"""What may be part of a release, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.releases.tree import Entry, Unfit, clean_name, settle, settled_mode

NAMES = st.lists(st.sampled_from(["a", "a-b", "b", "b.c", "ü"]), min_size=1, max_size=4).map(
    "/".join
)


def file(name: str) -> Entry:
    return Entry(name, "file", 0o644)


def link(name: str, target: str) -> Entry:
    return Entry(name, "link", target=target)


@pytest.mark.parametrize("raw", ["/etc/passwd", "../x", "a/../../x", "a/..", "a\0b"])
def test_a_name_that_leads_outside_is_refused(raw: str) -> None:
    """No name can point out of the release, whatever it is extracted with."""
    with pytest.raises(Unfit):
        clean_name(raw)


@pytest.mark.parametrize(("raw", "clean"), [("./a//b/", "a/b"), (".", ""), ("a/./b", "a/b")])
def test_a_name_is_brought_to_one_form(raw: str, clean: str) -> None:
    """The same piece has the same name, however the archive's maker wrote it."""
    assert clean_name(raw) == clean


@pytest.mark.parametrize(
    ("given_mode", "settled"),
    [(0o100664, 0o644), (0o100775, 0o755), (0o104755, 0o755), (0o100600, 0o600), (0o040700, 0o700)],
)
def test_a_mode_keeps_only_what_no_umask_decides(given_mode: int, settled: int) -> None:
    """Two checkouts with other umasks give the same content; what is private stays so."""
    assert settled_mode(given_mode) == settled


@given(st.permutations(["b/c", "a", "b-x", "b/a/z"]))
def test_the_order_does_not_depend_on_who_listed_them(names: list[str]) -> None:
    """Entries are sorted by bytes with every parent before its children."""
    settled = [entry.name for entry in settle(file(name) for name in names)]
    assert settled == ["a", "b", "b-x", "b/a", "b/a/z", "b/c"]


@given(st.sets(NAMES, min_size=1))
def test_every_piece_has_its_folders(names: set[str]) -> None:
    """Each parent is there, and is a folder; two pieces never claim one name."""
    files = [name for name in names if not any(o.startswith(f"{name}/") for o in names)]
    settled = {entry.name: entry.kind for entry in settle(file(name) for name in files)}
    for name in settled:
        assert "/" not in name or settled[name.rpartition("/")[0]] == "folder"
    assert {name for name, kind in settled.items() if kind == "file"} == set(files)


@pytest.mark.parametrize(
    "entries",
    [
        [link("a", "/etc/passwd")],
        [link("a", "..")],
        [link("x/a", "../../b")],
        [link("deep/up", ".."), link("out", "deep/up/../x")],
        [link("a", "b"), link("b", "a/c")],
        [link("a", "b"), file("a/c")],
        [file("a"), file("a/b")],
        [file("a"), file("a")],
    ],
)
def test_links_and_names_that_cannot_be_trusted_are_refused(entries: list[Entry]) -> None:
    """A link may not leave the release by any way round, and nothing may stand below a link."""
    with pytest.raises(Unfit):
        settle(entries)


def test_links_inside_are_kept() -> None:
    """A link to a neighbour, through another link, or to what is not there yet is fine."""
    entries = [file("x/f"), link("x/l", "../y"), link("y", "x"), link("z", "x/l/f"), link("n", "q")]
    assert [e.name for e in settle(entries) if e.kind == "link"] == ["n", "x/l", "y", "z"]
