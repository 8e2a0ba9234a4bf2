"""YAML reads as YAML 1.2 means it, and every mistake is told with its place."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from fleetctl.base.errors import FleetError, InputError, Location
from fleetctl.base.marked import decode, read


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    limit: int | None = None
    user: str = ""


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    tiers: dict[str, Inner] = {}
    items: list[Inner] = []


MISTAKES = [
    ("name: x\nlimt: 3", 'f:2:1: unknown key "limt"'),
    (
        "name: x\ntiers:\n  web:\n    limt: 3",
        'f:4:5: unknown key "limt" in tiers.web\n  hint: did you mean "limit"?',
    ),
    (
        "name: x\ntiers:\n  db: {limit: 1}\n  web: {limit: no}",
        'f:4:16: expected a whole number or nothing, found "no" in tiers.web.limit',
    ),
    ("name: x\nitems:\n- user: 5", "f:3:9: expected text, found 5 in items[0].user"),
    ("tiers: {}", 'f:1:1: the key "name" is missing'),
    ("name: [1]", "f:1:7: expected text, found a list in name"),
    ("name: true", "f:1:7: expected text, found true in name"),
    ("", "f: expected a mapping, found nothing"),
    ("name: x\nname: y", 'f:2:1: the key "name" stands twice\n  why: first: line 1'),
    ("name: [x\nitems: 3", "f:2:6: not readable as YAML"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    """File, line, column, what was found and what was probably meant."""
    with pytest.raises(FleetError) as caught:
        decode(read(text, "f"), Outer)
    assert str(caught.value).startswith(told)


def test_mistakes_that_do_not_hide_each_other_are_told_together() -> None:
    """One reading shows all of them, in the order of the file."""
    text = "name: x\ntiers:\n  db: {limt: 3}\n  web: {user: 5}\nitems: 4\n"
    with pytest.raises(FleetError) as caught:
        decode(read(text, "f"), Outer)
    told = [line for line in str(caught.value).splitlines() if line.startswith("f:")]
    assert [line.split(" ")[0] for line in told] == ["f:3:8:", "f:4:15:", "f:5:8:"]


def test_values_mean_what_yaml_1_2_says() -> None:
    """Words, dates, modes and times that PyYAML would turn into something else stay text."""
    text = (
        "{a: 0644, b: yes, c: 2026-11-22, d: 12:30, e: off, f: 3, g: 1.5, h: true, i: ~, j: null}"
    )
    assert read(text, "f").data == {
        "a": "0644",
        "b": "yes",
        "c": "2026-11-22",
        "d": "12:30",
        "e": "off",
        "f": 3,
        "g": 1.5,
        "h": True,
        "i": None,
        "j": None,
    }


def test_a_place_is_known_for_keys_and_values_and_aliases() -> None:
    """Places survive anchors; a path that leads nowhere answers with its nearest parent."""
    document = read("base: &b\n  user: x\nother: *b\n", "f")
    assert document.location(("base", "user")) == Location("f", 2, 9)
    assert document.key_location(("base", "user")) == Location("f", 2, 3)
    assert document.at(("other", "user")) == "x"
    assert document.location(("base", "gone", "deeper")) == Location("f", 1, 7)


def test_decoding_a_part_keeps_the_places_of_the_whole() -> None:
    """A subtree is decoded by its path and still tells lines of the file."""
    document = read("name: x\nitems:\n- {user: 7}\n", "f")
    with pytest.raises(FleetError, match=r"f:3:10: expected text, found 7 in items\[0\].user"):
        decode(document, Inner, ("items", 0))


class _Inner(msgspec.Struct, forbid_unknown_fields=True):
    port: int = 0


class _Outer(msgspec.Struct):
    hosts: Annotated[str | dict[str, _Inner | None], msgspec.Meta(description="described")]


def test_a_described_type_still_knows_its_keys() -> None:
    """A description on a field does not cost the hint about a mistyped key below it."""
    with pytest.raises(InputError) as caught:
        decode(read("hosts: {a: {prot: 1}}", "f"), _Outer)
    assert caught.value.hint == 'did you mean "port"?'
