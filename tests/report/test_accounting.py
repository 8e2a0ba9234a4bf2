"""`44 of 44 accounted for` is said only of hosts whose end and whose release are known."""

from __future__ import annotations

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.report.accounting import (
    HostEnd,
    account_for,
    accounted_words,
    code_of,
    code_words,
    read_back_words,
    unaccounted_lines,
)
from fleetctl.rollout.heldback import held_back_in
from fleetctl.rollout.records import HostSettled, RunEnded, StepSettled
from tests.report.weekend import weekend_plan

PLAN = weekend_plan({"db": 3})
SWITCH = "p1-s03-deploy.switch"


def end(host: str, outcome: Outcome, release: str = "", *keys: str) -> HostEnd:
    """How a host of the db phase ended."""
    return HostEnd("db", host, HostSettled("db", host, outcome, release), keys)


def test_a_switched_host_that_was_not_read_back_is_not_accounted_for() -> None:
    """A failure after the switch leaves open what the host runs; so does silence."""
    ends = [
        end("db001", Outcome.CHANGED, "r2", SWITCH),
        end("db002", Outcome.FAILED, "", SWITCH),
        end("db003", Outcome.UNKNOWN),
    ]
    outcomes = {one.host: one.settled.outcome for one in ends if one.settled is not None}
    known = account_for(PLAN, outcomes, ends, False)
    assert accounted_words(known).startswith("1 of 3 accounted for: 1 changed, 1 failed, 1 unknown")
    assert [line.partition(":")[0] for line in unaccounted_lines(known)] == [
        "unknown, sent but not answered",
        "release not read back",
    ]
    assert read_back_words(known) == "live releases read back: 1 runs r2"


def test_a_host_that_failed_before_the_switch_is_accounted_for() -> None:
    """It runs what it ran before, and that is known."""
    known = account_for(PLAN, {"db001": Outcome.FAILED}, [end("db001", Outcome.FAILED)], False)
    assert known.complete


def test_well_without_a_release_read_back_is_no_success() -> None:
    """A deploying phase that says changed but read nothing cannot make a run verified."""
    ends = [end("db001", Outcome.CHANGED, "", SWITCH)]
    known = account_for(PLAN, {"db001": Outcome.CHANGED}, ends, False)
    assert (known.sure, code_of(RunEnded(0), known)) == (0, ExitCode.UNKNOWN)
    looked = account_for(PLAN, {"db001": Outcome.CHANGED}, ends, True)
    assert code_of(RunEnded(0), looked) is ExitCode.OK


def test_daemons_another_run_keeps_down_are_told_and_are_no_success() -> None:
    """The host did its part, and its pools are not up: whose they are, and both ways out. The last
    word on a host counts, and a phase that asked no overseer has none."""
    well = dict.fromkeys(("db001", "db002", "db003"), Outcome.CHANGED)
    ends = [
        end("db001", Outcome.CHANGED, "r2")._replace(held_back={"r-9": 3}),
        end("db001", Outcome.CHANGED, "r2"),
        end("db002", Outcome.CHANGED, "r2")._replace(held_back={"r-9": 1}),
        end("db003", Outcome.CHANGED, "r2")._replace(held_back={"r-9": 1}),
        end("db003", Outcome.CHANGED, "r2")._replace(held_back={}),
    ]
    known = account_for(PLAN, well, ends, False)
    assert list(unaccounted_lines(known)) == [
        "4 pools held back by run r-9: db[001-002] (2); fleetctl pools release r-9"
    ]
    bare = known._replace(read={})  # this run deployed nothing that a resume would take back
    assert list(unaccounted_lines(bare))[-1].endswith(
        "(2); fleetctl runs resume r-9, or fleetctl pools release r-9"
    )
    assert code_of(RunEnded(0), known) is ExitCode.HOST_FAILED
    assert code_words(RunEnded(0), known) == "daemons are held back by another run"
    assert code_of(RunEnded(6), known) is ExitCode.STOPPED
    assert code_words(RunEnded(6), known) == "stopped by gate or budget"


def test_what_holds_others_is_read_from_the_last_answer_of_an_overseer() -> None:
    """The run one works under lets go by itself; text that is no answer says nothing."""

    def said(text: str) -> StepSettled:
        return StepSettled("db", "db001", "k", Outcome.CHANGED, stdout=text.encode())

    held = said('hello\n{"pools":2,"left":0,"held_by":{"r-9":2,"r-0":1},"names":{}}\n')
    assert held_back_in([held, said("left\n"), said('{"left": "over"}\n')], "r-0") == {"r-9": 2}
    assert held_back_in([held, said('{"pools":2,"left":0,"names":{}}\n')]) == {}
    assert held_back_in([said("deployed\n")]) is None


def test_a_run_that_has_not_ended_is_no_success() -> None:
    """Whatever its hosts say so far."""
    assert code_of(None, account_for(PLAN, {}, [], False)) is ExitCode.UNKNOWN
