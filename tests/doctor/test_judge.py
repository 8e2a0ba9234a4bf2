"""What facts of one host mean."""

from __future__ import annotations

import pytest

from fleetctl.doctor.facts import Bastion, Clock, Facts, Space, Told
from fleetctl.doctor.findings import Level, Remark
from fleetctl.doctor.judge import judge, judge_check
from fleetctl.doctor.live import judge_live
from fleetctl.doctor.reach import judge_reach
from fleetctl.inventory.model import Host, Login
from fleetctl.playbook.source import CheckText
from fleetctl.playbook.units import Bound
from fleetctl.transport.protocol import Looked, Lost, Output

FAIL, UNKNOWN, WARN, OK = Level.FAIL, Level.UNKNOWN, Level.WARN, Level.OK
GIB = 1024**2
WELL = Facts(
    ended=True, clock=Clock(-0.01, 0.01), uptime_s=9e5, memory_kib=4 * GIB, memory_free_kib=2 * GIB
)


def space(kind: str, need: str, free: float, **more: object) -> Space:
    """A file system of 100 GiB with this share free."""
    known = {"exists": True, "writable": True, "inodes": 1000, "inodes_free": 900, **more}
    return Space(kind, "/srv", need, size_kib=100 * GIB, free_kib=int(100 * GIB * free), **known)  # type: ignore[arg-type]


def told_of(facts: Facts) -> list[tuple[str, Level]]:
    """What is not fine."""
    return [(r.check, r.level) for r in judge(facts, [], {}) if r.level is not OK]


def with_(**changes: object) -> Facts:
    """A well host but for this."""
    from msgspec.structs import replace

    return replace(WELL, **changes)


def test_a_well_host_is_fine() -> None:
    """Nothing is said of a host where all is as it should be."""
    assert told_of(WELL) == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (with_(spaces=(space("gate", "15%", 0.12),)), [("disk", FAIL)]),
        (with_(spaces=(space("gate", "15%", 0.15),)), []),
        (with_(spaces=(space("gate", "20G", 0.15),)), [("disk", FAIL)]),
        (with_(spaces=(space("gate", "2G", 0.03),)), []),  # its gate's own word counts
        (with_(spaces=(space("gate", "2G", 0.9, exists=False),)), [("disk", FAIL)]),
        (with_(spaces=(space("home", "", 0.05),)), [("disk", WARN)]),
        (with_(spaces=(space("home", "", 0.005),)), [("disk", FAIL)]),
        (with_(spaces=(space("root", str(20 * 1024**3), 0.15),)), [("disk", FAIL)]),
        (with_(spaces=(space("root", str(5 * 1024**3), 0.15),)), [("disk", WARN)]),
        (with_(spaces=(space("root", "", 0.5, writable=False),)), [("deploy root", FAIL)]),
        (with_(spaces=(space("home", "", 0.5, inodes_free=50),)), [("inodes", WARN)]),
        (with_(spaces=(space("home", "", 0.5, inodes_free=0),)), [("inodes", FAIL)]),
        (with_(spaces=(space("home", "", 0.5, inodes=0, inodes_free=0),)), []),  # btrfs has none
        (with_(spaces=(Space("home", "/x", "", True, True, None, None),)), [("disk", UNKNOWN)]),
        (with_(sudo="yes"), []),
        (with_(sudo="no", sudo_said="a password is required"), [("sudo", FAIL)]),
        (with_(sudo="missing"), [("sudo", FAIL)]),
        (with_(programs={"tar": False}, must=frozenset({"tar"})), [("programs", FAIL)]),
        (with_(programs={"tar": False}), [("programs", WARN)]),
        (with_(memory_free_kib=GIB // 10), [("memory", WARN)]),
        (with_(memory_free_kib=1000), [("memory", FAIL)]),
        (with_(memory_free_kib=None), [("memory", UNKNOWN)]),
        (with_(clock=Clock(1.9, 2.4)), []),
        (with_(clock=Clock(2.1, 2.4)), [("clock", WARN)]),
        (with_(clock=Clock(-9.0, 0.5)), []),  # a slow look proves nothing
        (with_(clock=Clock(-400.0, -399.0)), [("clock", FAIL)]),
        (with_(clock=None), [("clock", UNKNOWN)]),
        (with_(uptime_s=60.0), [("uptime", WARN)]),
        (with_(uptime_s=None), [("uptime", UNKNOWN)]),
        (with_(reboot_required=True), [("uptime", WARN)]),
        (with_(bastion=Bastion(3, 0, "")), []),
        (with_(bastion=Bastion(3, 0, "MaxSessions 2;MaxSessions 50;")), [("bastion", FAIL)]),
        (with_(bastion=Bastion(3, 10, "")), [("bastion", WARN)]),
        (with_(bastion=Bastion(3, 10, "MaxStartups 100:30:200;")), []),
    ],
)  # fmt: skip
def test_each_trouble_is_told_by_its_check(facts: Facts, told: list[tuple[str, Level]]) -> None:
    """One bad fact, one remark, of the right weight; its neighbour on the good side none."""
    assert told_of(facts) == told


def test_what_was_asked_and_not_told_is_unknown() -> None:
    """A df that hangs on a dead mount, a sudo that hangs: never taken for fine."""
    asked = ["_disk gate '/mnt/a b' 15%", "_sudo", "_programs must tar"]
    told = [(r.check, r.level) for r in judge(WELL, asked, {}) if r.level is not OK]
    assert told == [("disk", UNKNOWN), ("sudo", UNKNOWN), ("programs", UNKNOWN)]


LAG = CheckText(name="lag", run="x", warn=Bound.read(30), fail=Bound.read("> 300"), unit="s")


@pytest.mark.parametrize(
    ("check", "told", "remark"),
    [
        (LAG, Told(0, "Seconds_Behind: 30"), Remark("lag")),
        (LAG, Told(0, "31.5"), Remark("lag", WARN, "31.5 s (> 30)")),
        (LAG, Told(0, "301"), Remark("lag", FAIL, "301 s (> 300)")),
        (LAG, Told(0, "NULL"), Remark("lag", UNKNOWN, "it said no number: NULL")),
        (LAG, Told(0, ""), Remark("lag", UNKNOWN, "it said no number")),
        (LAG, Told(1, "", "denied"), Remark("lag", UNKNOWN, "exit 1: denied")),
        (LAG, None, Remark("lag", UNKNOWN, "no answer within 10 s")),
        (CheckText(name="up", run="x"), Told(0, "0"), Remark("up")),
        (CheckText(name="up", run="x"), Told(2, "x", "why"), Remark("up", FAIL, "exit 2: why")),
        (CheckText(name="n", run="x", fail=Bound.read("< 5")), Told(0, "4"),
         Remark("n", FAIL, "4 (< 5)")),
    ],
)  # fmt: skip
def test_an_authors_check_counts_by_its_number_or_its_end(
    check: CheckText, told: Told | None, remark: Remark
) -> None:
    """Thresholds judge the last line's number; no number is unknown, not zero."""
    assert judge_check(check, told) == remark


def _lost(cause: str, detail: str) -> Lost:
    return Lost(1, "db001", False, cause, detail)  # type: ignore[arg-type]


HOST = Host("db001", "db", "10.0.0.1", Login(via="gate"))


@pytest.mark.parametrize(
    ("answer", "check", "level", "text"),
    [
        (Looked(1, "db001", 0, Output(b"x", size=1), Output(), 0.1), "reach", OK, ""),
        (Looked(1, "db001", None, Output(), Output(), 9), "reach", UNKNOWN,
         "it lets us in, and then says nothing"),
        (None, "reach", FAIL, "not reached within 20 s, through gate"),
        (_lost("bastion", "bastion gate: timed out"), "reach", FAIL,
         "behind gate, which is not reached"),
        (_lost("connect", "10.0.0.1:22: Connection refused"), "reach", FAIL,
         "Connection refused, through gate"),
        (_lost("host key", "10.0.0.1 shows another ssh-rsa key than the known one"), "host key",
         FAIL, "shows another host key than the known one"),
        (_lost("host key", "10.0.0.1 is not in known_hosts"), "host key", FAIL, "key not known"),
        (_lost("auth", "login as joe was refused: no key was accepted"), "reach", FAIL,
         "no key was accepted"),
        (_lost("silence", "no answer"), "reach", UNKNOWN, "silence: no answer, through gate"),
    ],
)  # fmt: skip
def test_the_hop_that_fails_is_named(
    answer: Looked | Lost | None, check: str, level: Level, text: str
) -> None:
    """The bastion, the host behind it, its key or its login: each is told as what it is."""
    remark = judge_reach(HOST, answer, 20.0)
    assert (remark.check, remark.level) == (check, level)
    assert text in remark.text


def test_hosts_of_a_tier_that_run_different_releases_are_drift() -> None:
    """That nobody runs the pin yet is fine; who runs neither the pin nor what others run is not."""
    told: dict[str, Told | None] = {
        "a": Told(0, "r1"), "b": Told(0, "r1"), "c": Told(0, "r0"), "d": None, "e": Told(0, ""),
    }  # fmt: skip
    levels = {host: remark.level for host, remark in judge_live(list("abcdef"), told, "r2")}
    assert levels == {"a": OK, "b": OK, "c": WARN, "d": UNKNOWN, "e": WARN}
