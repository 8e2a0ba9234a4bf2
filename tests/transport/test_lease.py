"""Leases on the hosts that keep them, in each shell there may be."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetctl.transport.lease import (
    TTL_S,
    Answer,
    Claimant,
    drop_text,
    read_answer,
    show_text,
    steal_text,
    take_text,
)

ALICE = Claimant("run-a", 5, "alice@laptop 12")
BOB = Claimant("run-b", 6, "bob@desk 3")
FLEET = "eu fleet.1"
Tell = Callable[[str], Answer]


@pytest.fixture(params=["dash", "bash", "busybox"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    """Says a text to a host with that shell."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    home = tmp_path / "ho me"
    home.mkdir()

    def say(text: str) -> Answer:
        process = subprocess.run(
            ["sh"], executable=found, input=text.encode(), capture_output=True, check=True,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert process.stderr == b""
        return read_answer(process.stdout)

    return say


def take(claimant: Claimant, *tiers: str) -> str:
    """Words that take leases."""
    return take_text(FLEET, tiers, claimant, 1000.0)


def test_second_comer_learns_who_has_it_and_gets_nothing(tell: Tell) -> None:
    """All or none: a free tier is not taken along with a held one."""
    assert tell(take(ALICE, "db", "web")).granted
    refused = tell(take(BOB, "repo", "web"))
    assert not refused.granted
    (tenure,) = refused.tenures
    assert (tenure.word, tenure.tier, tenure.run, tenure.by) == (
        "held", "web", "run-a", "alice@laptop 12",
    )  # fmt: skip
    assert tenure.since_s == 1000.0
    assert 0 < tenure.left_s <= TTL_S
    assert [t.tier for t in tell(show_text(FLEET)).tenures] == ["db", "web"]
    assert tell(take(BOB, "repo")).granted


def test_heartbeat_keeps_since_when_it_was_held(tell: Tell) -> None:
    """Renewing moves the end, not the beginning."""
    tell(take(ALICE, "db"))
    tell(take_text(FLEET, ["db"], ALICE, 2000.0))
    (tenure,) = tell(show_text(FLEET)).tenures
    assert tenure.since_s == 1000.0


def test_given_back_is_free_and_only_its_holder_can(tell: Tell) -> None:
    """Somebody else's, or an older leg's, word changes nothing."""
    tell(take(ALICE, "db"))
    tell(drop_text(FLEET, ["db"], BOB))
    tell(drop_text(FLEET, ["db"], ALICE._replace(number=4)))
    assert not tell(take(BOB, "db")).granted
    tell(drop_text(FLEET, ["db"], ALICE))
    assert tell(take(BOB, "db")).granted


def test_later_leg_of_a_run_shuts_the_older_one_out(tell: Tell) -> None:
    """Taking a run over needs no theft; the leg before is told."""
    tell(take(ALICE, "db"))
    assert tell(take(ALICE._replace(number=9, by="carol@other 1"), "db")).granted
    refused = tell(take(ALICE, "db"))
    assert [(t.word, t.by) for t in refused.tenures] == [("newer", "carol@other 1")]


def test_stolen_is_told_to_its_holder_and_free_for_others(tell: Tell) -> None:
    """The reason reaches the loser as it was typed; a person's resume of the run may go on."""
    reason = "he's at lunch; $(rm -rf /) `x` \"\n* ☃ -n ~"
    tell(take(ALICE, "db"))
    was = tell(steal_text(FLEET, ["db", "web"], BOB.by, reason, 1234.0))
    assert [(t.word, t.tier, t.by) for t in was.tenures] == [("was", "db", ALICE.by)]
    refused = tell(take(ALICE, "db"))
    assert [(t.word, t.by, t.reason) for t in refused.tenures] == [("stolen", BOB.by, reason)]
    assert tell(take(ALICE._replace(number=7), "db")).granted


def test_run_started_by_a_run_passes(tell: Tell) -> None:
    """It works under its parent's lease, which stays its parent's."""
    tell(take(ALICE, "db"))
    assert tell(take(BOB._replace(parent="run-a"), "db", "web")).granted
    shown = {t.tier: t.run for t in tell(show_text(FLEET)).tenures}
    assert shown == {"db": "run-a", "web": "run-b"}


def test_torn_or_foreign_lease_file_is_no_lease(tell: Tell, tmp_path: Path) -> None:
    """Half a line, as a power cut leaves it, holds nobody up; its holder writes it again."""
    tell(take(ALICE, "db"))
    (file,) = (tmp_path / "ho me").rglob("*.lease")
    file.write_bytes(file.read_bytes()[:-4])
    assert tell(show_text(FLEET)).tenures == ()
    assert tell(take(ALICE, "db")).granted
    assert not tell(take(BOB, "db")).granted


def test_lease_ends_by_itself(tell: Tell, tmp_path: Path) -> None:
    """A minute without a heartbeat, by the host's own clock, and it is anybody's."""
    tell(take(ALICE, "db"))
    (file,) = (tmp_path / "ho me").rglob("*.lease")
    words = file.read_text().split("\n")[0].split(" ")
    words[3] = "1"
    file.write_text(" ".join(words) + "\n")
    assert tell(take(BOB, "db")).granted
    (tenure,) = tell(take(ALICE, "db")).tenures
    assert tenure.run == "run-b"


def test_contenders_at_once_are_one_winner(tell: Tell) -> None:
    """However many ask in the same moment, exactly one is granted."""
    from concurrent.futures import ThreadPoolExecutor

    names = [Claimant(f"run-{n}", n, f"p{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda who: tell(take(who, "db")), names))
    assert sum(answer.granted for answer in answers) == 1
    assert len({t.run for answer in answers for t in answer.tenures}) == 1


def test_noise_of_a_login_is_passed_over() -> None:
    """Greetings before the answer, and half words, mean nothing."""
    said = b"Welcome to held db\nheld a b c d e f g\ngranted\n"
    assert read_answer(said) == Answer(True, (), "")
    assert read_answer(b"motd\n").trouble == "no answer"
