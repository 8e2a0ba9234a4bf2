"""Host ranges: what they mean, what they refuse, and that folding loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleetctl.base.hostrange import expand, fold

NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["db", "web", "r1-n", "x.", ""]),
    st.from_regex(r"[0-9]{1,5}|", fullmatch=True),
    st.sampled_from(["", "a", ".example.com", "-b7"]),
).filter(bool)


@given(st.sets(NAMES, min_size=1, max_size=60))
def test_expanding_what_was_folded_gives_every_name_once(names: set[str]) -> None:
    """Folding loses, adds and repeats no name, padded or not."""
    assert sorted(expand(fold(names))) == sorted(names)


@given(st.integers(0, 3000), st.integers(1, 1500), st.integers(1, 6))
def test_a_run_of_numbers_folds_to_one_range(first: int, count: int, width: int) -> None:
    """Consecutive numbers of one padding make one range, however many widths they cross."""
    numbers = [f"{number:0{width}d}" for number in range(first, first + count)]
    padded = any(number[0] == "0" and len(number) > 1 for number in numbers)
    assume(not padded or len(numbers[-1]) == width)
    assert "," not in fold(f"h{number}" for number in numbers)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("db", ["db"]),
        ("db[001-003]", ["db001", "db002", "db003"]),
        ("db[9-11]", ["db9", "db10", "db11"]),
        ("db[08-10,12]x", ["db08x", "db09x", "db10x", "db12x"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("db[1,3], web2", ["db1", "db3", "web2"]),
    ],
)
def test_a_pattern_means_these_names_in_this_order(pattern: str, names: list[str]) -> None:
    """Ranges keep their width and their order."""
    assert list(expand(pattern)) == names


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([f"repo{number}" for number in range(1, 200_001)], "repo[1-200000]"),
        ([f"db{number:03d}" for number in range(1, 101)], "db[001-100]"),
        (["db001", "db01", "db1"], "db001,db01,db1"),
        (["db01", "db02", "db1", "db2"], "db[01-02],db[1-2]"),
        (["web2", "web1", "bastion", "web4"], "bastion,web[1-2,4]"),
        ([], ""),
    ],
)
def test_names_fold_to_this_text(names: list[str], text: str) -> None:
    """Unpadded numbers fold over several widths; padded ones only with their own."""
    assert fold(names) == text


@pytest.mark.parametrize(
    "pattern",
    ["db[1-", "db]", "db[a-c]", "db[3-1]", "db[]", "db[1-2", "db[1,,2]", "a,,b", ",a",
     "db[1-9999999]", "db[1-2000]x[1-2000]", "db[[1-2]]"],
)  # fmt: skip
def test_a_malformed_range_is_refused(pattern: str) -> None:
    """A range that cannot be meant, or means too many hosts, is an error, never fewer hosts."""
    with pytest.raises(ValueError, match=r"."):
        list(expand(pattern))
