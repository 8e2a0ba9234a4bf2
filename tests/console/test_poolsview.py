"""Lines of the page of pools: what is not known is in no sum, and sleep is no error."""

from __future__ import annotations

import msgspec

from fleetctl.console.poolsview import (
    STALE_S,
    Instances,
    host_lines,
    kind_lines,
    overseers_in_trouble,
    part,
)
from fleetctl.pools.cache import HostPools, Remembered
from fleetctl.pools.tallies import Group, Hold, Tally
from fleetctl.pools.words import LOOKS
from tests.console.crowd import KINDS, by_instance, crowd

NOW_S = 1_795_248_000.0
HOSTS = tuple(f"repo{number:03d}" for number in range(1, 7))


def test_a_line_a_kind_adds_up_what_hosts_told() -> None:
    """Sleepers, busy and failed stand apart, with count, cause and the time of the next try."""
    lines = kind_lines(part(crowd("acme", HOSTS, 400, NOW_S - 5), HOSTS, NOW_S))
    assert [line.name for line in lines] == ["pull", "taskmaster", "trigger"]
    pull = lines[0]
    assert pull.wrong
    assert [(one.word, one.size) for one in pull.shares] == [
        ("busy", 6), ("hibernating", 2393), ("failed", 1),
    ]  # fmt: skip
    assert pull.troubles[0].startswith("FAILED exit: 1 pool, next ")
    assert pull.holds[0].startswith("PAUSED by ann@desk: 1 pool, disk swap, until ")
    assert pull.tasks == "3, oldest 3.0 s"
    assert not lines[1].wrong
    assert abs(sum(one.width for one in pull.shares) - 100) < 0.1


def test_who_did_not_tell_is_unknown_and_in_no_sum() -> None:
    """Silent, never asked and told too long ago: each is named with its reason."""
    told = dict(crowd("acme", HOSTS, 100, NOW_S - 5).hosts)
    replace = msgspec.structs.replace
    told["repo001"] = replace(told["repo001"], silent="unreachable", told_s=NOW_S - 60)
    told["repo002"] = replace(told["repo002"], told_s=NOW_S - STALE_S - 1)
    del told["repo003"]
    parted = part(Remembered("acme", told), HOSTS, NOW_S)
    assert [(one.why, one.hosts, one.told) for one in parted.unknown] == [
        ("never asked", "repo003", "never told anything"),
        ("told too long ago", "repo002", "told last 15 min 01 s ago"),
        ("unreachable", "repo001", "told last 1 min 00 s ago"),
    ]
    assert {line.hosts for line in kind_lines(parted)} == {3}
    assert not parted.past


def test_an_old_word_is_told_as_the_past() -> None:
    """When all is old it is shown as it was, and every host is unknown now."""
    parted = part(crowd("acme", HOSTS, 100, NOW_S - 7200), HOSTS, NOW_S)
    assert parted.past
    assert parted.oldest_s == NOW_S - 7200
    assert [(one.why, one.size) for one in parted.unknown] == [("told too long ago", 6)]
    assert part(Remembered("acme"), HOSTS, NOW_S).oldest_s is None


def test_hosts_in_trouble_come_first() -> None:
    """One with a failed pool, then one whose overseer itself is in trouble, then the rest."""
    told = dict(crowd("acme", HOSTS, 100, NOW_S).hosts)
    own = told["repo005"].overseer | {"log_failing": 1.0, "sockets_failing": 2.0}
    told["repo005"] = msgspec.structs.replace(told["repo005"], overseer=own)
    parted = part(Remembered("acme", told), HOSTS, NOW_S)
    lines = host_lines(parted)
    assert [line.name for line in lines[:3]] == ["repo003", "repo005", "repo001"]
    assert lines[1].faults == ("a socket cannot be opened", "its log cannot be written")
    assert lines[0].density == "100, 42% full"
    assert [line.wrong for line in kind_lines(parted)] == [True, False, False], "no fault of a kind"
    assert overseers_in_trouble(parted) == (
        "a socket cannot be opened on repo005", "its log cannot be written on repo005",
    )  # fmt: skip


def test_what_a_run_that_is_over_holds_is_wrong() -> None:
    """Nobody lets go of it any more; a run at work will, and of another's nothing is known here."""
    held = Group(
        3, 3, {"HELD": 3}, {"held": 3}, 3,
        holds=tuple(Hold("HELD", "push", "", 1, run=run) for run in ("done", "going", "else")),
    )  # fmt: skip
    one = HostPools("repo", NOW_S, told_s=NOW_S, groups={"pull": held})
    told = part(Remembered("acme", {"repo001": one}), HOSTS[:1], NOW_S)
    (line,) = kind_lines(told, {"done": "over", "going": "live", "else": ""}.__getitem__)
    assert line.wrong
    assert line.troubles == (
        "HELD by run done: 1 pool, which is over: fleetctl runs resume done, or fleetctl pools"
        " release done",
    )
    assert line.holds == (
        "HELD by run going: 1 pool, which is at work",
        "HELD by run else: 1 pool, of which nothing is known here",
    )
    (line,) = host_lines(told, lambda run: "live")
    assert not line.wrong


def test_what_nobody_counts_is_no_zero() -> None:
    """Tasks of pools without a queue are not counted, of failing sources unknown, else a number."""
    groups = {
        "a": Group(pools=2, uncounted=2),
        "b": Group(pools=2, uncertain=2),
        "c": Group(pools=3, uncertain=1, claimable=0),
    }
    told = Remembered("acme", {"h1": HostPools("repo", NOW_S, told_s=NOW_S, groups=groups)})
    assert [line.tasks for line in kind_lines(part(told, ["h1"], NOW_S))] == [
        "not counted", "? unknown of 2 pools", "0; ? unknown of 1 pool",
    ]  # fmt: skip


def test_a_state_we_do_not_know_is_unknown() -> None:
    """A newer overseer's word is neither dropped nor taken for a good one."""
    told = {"h1": HostPools("repo", NOW_S, told_s=NOW_S, groups={"a": Group(slots={"new": 3})})}
    (line,) = kind_lines(part(Remembered("acme", told), ["h1"], NOW_S))
    assert [(one.word, one.size) for one in line.shares] == [("unknown", 3)]


def test_instances_in_trouble_come_first_and_are_found_by_name() -> None:
    """Of thousands, the one in BACKOFF is on the first page; a part of a name finds the rest."""
    instances = Instances(by_instance(HOSTS, 400), NOW_S)
    names = instances.named("", HOSTS)
    assert len(names) == 2400
    assert names[:2] == ["i001-0007", "i000-0000"]
    assert instances.named("0399", HOSTS[:2]) == ["i000-0399", "i001-0399"]
    line = instances.line("i001-0007", HOSTS)
    assert line.wrong
    assert [(one.word, one.size) for one in line.shares] == [("hibernating", 2), ("backoff", 1)]


def test_an_instance_on_two_hosts_is_one_line() -> None:
    """Its pools on both are added, and those of hosts that are not asked about are not."""
    group = Group(pools=1, slots={"hibernating": 1})
    tallies = {
        host: Tally(1.0, "instance", KINDS, {"moved": group}, Group(), 2, {}) for host in HOSTS[:2]
    }
    instances = Instances(tallies, NOW_S)
    assert instances.left_out == 4
    assert instances.line("moved", HOSTS).shares[0].size == 2
    assert instances.line("moved", HOSTS[:1]).shares[0].size == 1


def test_sleep_and_rest_share_neither_word_nor_glyph_nor_tone() -> None:
    """What the page shows of a sleeper cannot be taken for an error's."""
    asleep = LOOKS["hibernating"]
    for word in ("backoff", "failed", "restarting"):
        other = LOOKS[word]
        assert {asleep.label, asleep.glyph, asleep.tone}.isdisjoint(
            {other.label, other.glyph, other.tone}
        )
