"""After a run every host is accounted for, and failures are told once per cause."""

from __future__ import annotations

import msgspec

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import RunView
from fleetctl.cli.recap import exit_code, failures, recap
from fleetctl.plan.history import History, Sample
from fleetctl.rollout import records as r
from tests.cli.samples import DB, DB_STEPS, WEB, WEB_STEPS, Story, plan


def _all_done() -> Story:
    story = Story().open().send("db", DB).after(60).finish("db", DB)
    story.tell(r.PhaseEnded("db", True), r.PhaseBegan("web")).send("web", WEB).after(5)
    return story.finish("web", WEB).tell(r.PhaseEnded("web", True))


def test_the_recap_of_a_good_run() -> None:
    """Few words when all is well."""
    assert recap(_all_done().tell(r.RunEnded(0)).view()) == [
        "20 of 20 accounted for: 20 changed",
        "  live releases read back: 16 run r2",
        "",
        "db     1 min 00 s  16 changed",
        "web         5.0 s  4 changed",
        "",
        "run 01RUN took 1 min 05 s; exit 0: all verified",
    ]


def test_failures_are_folded_by_cause() -> None:
    """Eleven hosts with one error are one paragraph: lines, what they run, what to do next."""
    story = Story().open().send("db", DB[:5]).finish("db", DB[:2])
    for host in DB[2:4]:
        story.fail(host, f"connecting\n{host}: no space on /srv (pid {hash(host) % 999})\n")
    story.fail("db005", "restart refused\n", step=2)
    story.tell(r.StopOrdered("budget", "3 hosts lost"), r.PhaseEnded("db", False), r.RunEnded(6))
    lines = recap(story.view())
    said = [line for line in lines if "no space" in line]
    assert len(said) == 1
    text = "\n".join(lines).replace(said[0], "    | db003: no space on /srv")
    assert text == (
        "19 of 20 accounted for: 2 changed, 15 skipped, 3 failed\n"
        "  release not read back: db005 (1); ask them: fleetctl status\n"
        "  live releases read back: 2 run r2\n"
        "  not touched: db[006-016],web[001-004] (15)\n"
        "\n"
        "2 hosts failed at `schema upgrade`, same error: db[003-004]\n"
        "  why: exit 1\n"
        "  last lines of db003:\n"
        "    | connecting\n"
        "    | db003: no space on /srv\n"
        "  still runs the OLD release r1 (not switched to r2)\n"
        "  see: fleetctl runs logs 01RUN --host db003\n"
        "\n"
        "1 host failed at `read the live release`: db005\n"
        "  why: exit 1\n"
        "  last lines of db005:\n"
        "    | restart refused\n"
        "  what it runs is not known; last read back r1; ask it: fleetctl status\n"
        "  see: fleetctl runs logs 01RUN --host db005\n"
        "\n"
        "db          0.0 s  2 changed, 3 failed\n"
        "web  not begun (4 hosts)\n"
        "\n"
        "stop (budget): 3 hosts lost\n"
        "run 01RUN took 0.0 s; exit 6: stopped by gate or budget\n"
        "next: fleetctl runs resume 01RUN --failed\n"
        "then: fleetctl runs resume 01RUN    (the hosts it did not come to)"
    )


def test_a_host_left_alone_for_a_reason_is_told_with_it() -> None:
    """Who was not touched because its pair was lost is not lumped with who was not come to."""
    story = Story().open().send("db", DB[:1]).fail("db001", "no")
    story.tell(
        r.HostSettled("db", "db002", Outcome.SKIPPED, cause="db001, its pair, was lost"),
        r.HostSettled("db", "db003", Outcome.SKIPPED, cause="stopped", halted=True),
        r.RunEnded(6),
    )
    assert recap(story.view())[1:3] == [
        "  not touched, for db001, its pair, was lost: db002 (1)",
        "  not touched: db[003-016],web[001-004] (18)",
    ]


def test_hosts_that_are_well_but_not_through_are_told_apart() -> None:
    """A host changed in its first phase and left out of its second is not done."""
    before = plan()
    look = msgspec.structs.replace(before.phases[1], name="look", batches=(DB[:2],), needs=("db",))
    story = Story().open().send("db", DB[:3]).finish("db", DB[:3])
    story.tell(r.HostSettled("look", "db001", Outcome.OK), r.RunEnded(6))
    view = RunView(msgspec.structs.replace(before, phases=(before.phases[0], look)))
    lines = recap(view.take(story.entries))
    assert lines[0] == (
        "16 of 16 accounted for: 3 changed, 13 skipped; 1 of them not through every phase"
    )
    assert "  not through every phase: db002 (1)" in lines


def test_hosts_that_were_only_looked_at_are_not_told_as_well() -> None:
    """A preflight of all hosts must not make those the run never came to read as a success."""
    before = plan()
    look = msgspec.structs.replace(before.phases[1], name="look", batches=(DB,), steps=())
    story = Story().open().tell(*(r.HostSettled("look", host, Outcome.OK) for host in DB))
    story.send("db", DB[:1]).finish("db", DB[:1]).tell(r.RunEnded(6))
    view = RunView(msgspec.structs.replace(before, phases=(look, before.phases[0])))
    lines = recap(view.take(story.entries))
    assert lines[0] == "16 of 16 accounted for: 1 changed, 15 skipped"


def test_different_errors_stay_apart() -> None:
    """Two causes are two paragraphs, the larger first."""
    story = (
        Story().open().send("db", DB[:3]).fail("db001", "a").fail("db002", "b").fail("db003", "b")
    )
    assert [[host.host for host in one.hosts] for one in failures(story.view())] == [
        ["db002", "db003"],
        ["db001"],
    ]


def test_an_unaccounted_host_is_never_success() -> None:
    """Even if a run ended with 0, a host without an outcome makes it unknown."""
    story = _all_done()
    assert exit_code(story.tell(r.RunEnded(0)).view()) is ExitCode.OK
    story = Story().open().send("db", DB[:1]).tell(r.RunEnded(0))
    assert exit_code(story.view()) is ExitCode.UNKNOWN
    assert recap(story.view())[:2] == [
        "19 of 20 accounted for: 19 skipped",
        "  no outcome: db001 (1)",
    ]


def test_an_unknown_host_is_named_and_not_counted_as_known() -> None:
    """43 of 44 and its name, not 44 of 44."""
    story = Story().open().send("db", DB).finish("db", DB[1:])
    story.tell(r.HostSettled("db", "db001", Outcome.UNKNOWN, "", DB_STEPS[0].key, "no answer"))
    lines = recap(story.tell(r.RunEnded(3)).view())
    assert lines[0] == "19 of 20 accounted for: 15 changed, 4 skipped, 1 unknown"
    assert lines[1] == "  unknown, sent but not answered: db001 (1)"


def test_a_run_that_has_not_ended_says_so() -> None:
    """A journal without an end (kill -9) is no success either."""
    view = Story().open().send("db", DB[:1]).view()
    assert exit_code(view) is ExitCode.UNKNOWN
    assert recap(view)[-2:] == [
        "run 01RUN has not ended; so far 0.0 s; exit 3: an outcome is unknown",
        "next: fleetctl runs resume 01RUN",
    ]


def test_what_was_slower_than_usual_is_told() -> None:
    """The recap names who took much longer than in earlier runs, and over what."""
    story = _all_done()
    story.tell(r.StepSettled("web", "web002", WEB_STEPS[0].key, Outcome.CHANGED, 0, 48.0))
    history = History(Sample("restart web", "web", "web002", run, 12.0) for run in (1, 2, 3))
    lines = recap(story.tell(r.RunEnded(0)).view(), history)
    assert "  web002: 4x its own median at `restart web` (12 s -> 48 s)" in lines
