"""A run as it is shown while it goes on."""

from __future__ import annotations

from fleetctl.console.atwork import AtWork
from fleetctl.console.hush import Hush
from fleetctl.console.running import RunPicture, picture
from fleetctl.report.reading import Entry
from fleetctl.report.story import RunStory
from fleetctl.rollout import records as r
from tests.console.served import half_of
from tests.report.weekend import Weekend, weekend_plan


def shown(entries: list[Entry], holder: str = "ann@desk 42", after_s: float = 5.0) -> RunPicture:
    """The picture some seconds after the last record."""
    hushed = list(Hush().entries(entries))
    story, at_work = RunStory(weekend_plan()).take(hushed), AtWork().take(hushed)
    return picture(story, at_work, holder, story.now_s + after_s)


def test_a_live_run_tells_phases_batches_and_who_is_in_flight() -> None:
    """Ended phases, the one that runs with its batch, those to do; hosts with what they are at."""
    run = shown(half_of(weekend_plan(), "r2"))
    assert run.state == "live"
    assert [(one.name, one.word) for one in run.phases][:4] == [
        ("secure", "done"), ("db", "done"), ("repo", "running"), ("web", "to do"),
    ]  # fmt: skip
    repo = run.phases[2]
    assert (repo.batch, repo.size) == ("batch 2 of 4", 16)
    assert dict(repo.counts)["failed"] == 2
    assert {row.host for row in run.busy} == {"repo004", "repo005"}
    assert {row.doing for row in run.busy} == {"upgrade the schemas"}
    assert run.failures[0].hosts == "repo[002-003]"
    assert run.safe == "2 in flight, all at upgrade the schemas"


def test_without_a_controller_nobody_is_in_flight_and_it_says_so() -> None:
    """A run whose controller is gone is told as cut off, never as running."""
    run = shown(half_of(weekend_plan(), "r2"), holder="")
    assert (run.state, run.busy, run.safe) == ("cut off", (), "")
    assert "its controller is gone" in run.headline
    assert _words(run) == ["done", "done", "cut off", "not begun"]


def test_no_phase_runs_in_a_run_that_has_ended() -> None:
    """One that never came to its end was stopped; one that nothing began was not begun."""
    entries = half_of(weekend_plan(), "r2")
    last = entries[-1]
    entries.append(Entry(last.seq + 1, last.wall_s + 1, r.RunEnded(6, "3 hosts lost")))
    assert _words(shown(entries, holder="")) == ["done", "done", "stopped", "not begun"]


def _words(run: RunPicture) -> list[str]:
    return [phase.word for phase in run.phases[:4]]


def test_a_gate_that_is_asked_is_the_phase_s_word() -> None:
    """While the approval is asked the phase stands at its gate, and says at which."""
    entries = Weekend(weekend_plan()).play()
    asked = next(
        at for at, one in enumerate(entries)
        if isinstance(one.record, r.GateAsked) and "approval" in one.record.key
    )  # fmt: skip
    run = shown(entries[: asked + 1])
    assert run.phases[1].word == "gate"
    assert run.phases[1].gates == (
        "approval “Secure runs the new release. Upgrade the databases?” is being asked",
    )


def test_an_open_question_is_told_until_it_is_answered_or_the_run_stops() -> None:
    """What a person is asked stands there, with the choices."""
    entries = half_of(weekend_plan(), "r2")
    seq, wall_s = entries[-1].seq, entries[-1].wall_s
    asked = r.QuestionAsked("m1", "manual", "repo", "Put the banner up", ("done", "skip"), "skip",
                            60.0)  # fmt: skip
    entries.append(Entry(seq + 1, wall_s + 1, asked))
    assert shown(entries).questions == ("repo: Put the banner up (done, skip)",)
    entries.append(Entry(seq + 2, wall_s + 2, r.StopOrdered("drain", "asked to", "ann@desk 1")))
    stopped = shown(entries)
    assert stopped.questions == ()
    assert stopped.stop == "stop (drain by ann@desk): asked to"


def test_an_ended_run_has_the_words_of_its_report() -> None:
    """Well or ill, its headline is the report's, and nothing is in flight."""
    run = shown(Weekend(weekend_plan()).play(), holder="")
    assert run.state == "well"
    assert run.headline == "All verified: 44 hosts, 44 of them changed"
    assert run.busy == ()
