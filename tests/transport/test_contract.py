"""What every transport owes the rollout, whatever carries it; tried over each of them."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from fleetctl.playbook.operations import Put
from fleetctl.transport.protocol import (
    Connected,
    Killed,
    Looked,
    Lost,
    Refused,
    StepBegan,
    StepEnded,
)
from tests.transport.desk import HOLD, Desk, Far, await_that, lay, run


def proof(far: Far, host: str = "h1") -> str:
    """What the steps wrote down on the host."""
    path = far.home(host) / "proof"
    return path.read_text() if path.exists() else ""


def mark(word: str) -> str:
    return f'echo {word} >>"$HOME/proof"'


def await_proof(far: Far, text: str, host: str = "h1") -> None:
    """Wait until the steps wrote exactly that."""
    await_that(lambda: proof(far, host) == text, repr(text))


def test_steps_run_in_order_and_each_end_is_told(far: Far) -> None:
    """A segment's steps run in their order, once, with their own status and streams."""
    results = far.open_desk().do(
        run("a", mark("a") + "; echo out; echo err >&2"), run("b", mark("b"))
    )
    assert [(r.key, r.end, r.exit_status) for r in results] == [
        ("a", "acted", 0),
        ("b", "acted", 0),
    ]
    assert (results[0].stdout.head, results[0].stderr.head) == (b"out\n", b"err\n")
    assert proof(far) == "a\nb\n"


def test_first_failure_ends_the_segment(far: Far) -> None:
    """Nothing runs after a step that did not end well."""
    results = far.open_desk().do(run("a", mark("a")), run("b", "exit 7"), run("c", mark("c")))
    assert [(r.end, r.exit_status) for r in results] == [("acted", 0), ("failed", 7)]
    assert proof(far) == "a\n"


def test_connection_is_told_before_anything_else(far: Far) -> None:
    """Connected comes first, with the boot of the host."""
    desk = far.open_desk()
    desk.do(run("a", "true"))
    first = desk.said[0]
    assert isinstance(first, Connected)
    assert len(first.boot) == 36


def test_check_that_holds_skips_the_act(far: Far) -> None:
    """A check with exit 0 means nothing is to be done, and its output is the step's."""
    (result,) = far.open_desk().do(run("a", mark("a"), check="echo fine; true"))
    assert (result.end, result.stdout.head) == ("checked", b"fine\n")
    assert proof(far) == ""


def test_check_that_fails_lets_the_act_run(far: Far) -> None:
    """A failing check leaves neither its output nor its exit behind."""
    (result,) = far.open_desk().do(run("a", mark("a") + "; echo done", check="echo no; exit 3"))
    assert (result.end, result.exit_status, result.stdout.head) == ("acted", 0, b"done\n")
    assert proof(far) == "a\n"


def test_step_that_ended_well_is_not_run_again(far: Far) -> None:
    """A second controller of the same run is answered from the record, output included."""
    far.open_desk().do(run("a", mark("a") + "; echo said"))
    (result,) = far.open_desk().do(run("a", mark("a") + "; echo said"), fence=11)
    assert (result.end, result.replayed, result.stdout.head) == ("acted", True, b"said\n")
    assert proof(far) == "a\n"


def test_failed_step_runs_again_only_for_a_higher_try(far: Far) -> None:
    """The same try is answered from the record; the next one runs."""
    desk = far.open_desk()
    act = mark("a") + "; exit 1"
    assert not desk.do(run("a", act))[0].replayed
    assert desk.do(run("a", act))[0].replayed
    assert not desk.do(run("a", act, try_no=2))[0].replayed
    assert proof(far) == "a\na\n"


def test_undone_step_may_run_again_and_be_undone_again(far: Far) -> None:
    """A recorded success counts only until its undo succeeded, and the other way round."""
    desk = far.open_desk()
    there, back = (
        run("a", mark("do"), undo=mark("undo")),
        run("a", mark("do"), undo=mark("undo"), take_back=True),
    )
    for step in (there, back, back, there, there, back):
        desk.do(step)
    assert proof(far) == "do\nundo\ndo\nundo\n"


def test_older_fence_is_refused_and_names_the_holder(far: Far) -> None:
    """After a newer run's order, an older run's changes nothing."""
    far.open_desk().do(run("a", mark("new")), run="new", fence=20)
    desk = far.open_desk()
    final = desk.final(desk.segment(run("a", mark("old")), run="old", fence=19))
    assert isinstance(final, Refused)
    assert (final.reason, final.fence, final.holder) == ("fence", 20, "new")
    assert proof(far) == "new\n"


def test_equal_fence_of_another_run_is_refused(far: Far) -> None:
    """A number alone is not enough: it belongs to one run."""
    far.open_desk().do(run("a", "true"), run="one", fence=20)
    desk = far.open_desk()
    final = desk.final(desk.segment(run("a", mark("two")), run="two", fence=20))
    assert isinstance(final, Refused)
    assert proof(far) == ""


def test_second_run_cannot_enter_while_a_step_runs(far: Far) -> None:
    """The lock is held for the whole segment; a newer run waits for it to end."""
    first, second = far.open_desk(), far.open_desk()
    ticket = first.segment(run("a", f"{mark('in')}; {HOLD}; {mark('out')}"))
    await_proof(far, "in\n")
    other = second.segment(run("b", mark("second")), run="run-2", fence=11)
    time.sleep(0.5)
    assert proof(far) == "in\n"
    (far.home("h1") / "go").touch()
    second.final(other)
    first.final(ticket)
    assert proof(far) == "in\nout\nsecond\n"


def test_ask_tells_what_became_of_each_step(far: Far) -> None:
    """Ended, failed and never begun are told apart, in the order asked."""
    desk = far.open_desk()
    desk.do(run("a", "echo yes"), run("b", "exit 4"), run("c", "true"))
    answers = far.open_desk().ask("c", "b", "a", fence=11)
    assert [(r.key, r.end, r.exit_status) for r in answers] == [
        ("c", "absent", None), ("b", "failed", 4), ("a", "acted", 0),
    ]  # fmt: skip
    assert answers[2].stdout.head == b"yes\n"


def test_lost_connection_leaves_the_step_running_and_ask_gets_the_truth(far: Far) -> None:
    """The step in hand goes on to its end exactly once; those after it never begin."""
    desk = far.open_desk()
    ticket = desk.segment(
        run("a", f"{mark('in')}; {HOLD}; echo end; {mark('out')}"), run("b", mark("b"))
    )
    await_proof(far, "in\n")
    far.cut("h1")
    lost = desk.final(ticket)
    assert isinstance(lost, Lost)
    assert lost.sent
    (far.home("h1") / "go").touch()
    answers = far.open_desk().ask("a", "b", fence=11)
    assert [(r.end, r.stdout.head) for r in answers] == [("acted", b"end\n"), ("absent", b"")]
    assert proof(far) == "in\nout\n"


def test_ask_answers_running_when_it_may_wait_no_longer(far: Far) -> None:
    """A step that outlasts the wait is told to be running, not guessed at."""
    desk = far.open_desk()
    ticket = desk.segment(run("a", mark("in") + "; sleep 20", timeout_s=40))
    await_proof(far, "in\n")
    (answer,) = far.open_desk().ask("a", wait_s=0.3)
    assert answer.end == "running"
    far.open_desk().kill()
    desk.final(ticket)


def test_kill_ends_the_step_with_all_it_started(far: Far) -> None:
    """The whole process group dies, the runner lives and records it, the connection stays."""
    desk = far.open_desk()
    ticket = desk.segment(
        run("a", 'sleep 60 & echo $! >"$HOME/pid"; ' + mark("in") + "; wait"), run("b", mark("b"))
    )
    await_proof(far, "in\n")
    killed = desk.kill()
    assert isinstance(killed, Killed)
    assert killed.found
    desk.final(ticket)
    assert [r.end for r in desk.results(ticket)] == ["killed"]
    child = int((far.home("h1") / "pid").read_text())
    # It was struck before the end was told; dying takes a turn of a processor.
    await_that(lambda: _is_dead(child), "its end")
    assert [r.end for r in far.open_desk().ask("a", "b", fence=11)] == ["killed", "absent"]
    assert proof(far) == "in\n"


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_late_kill_of_an_older_controller_stops_nothing(far: Far) -> None:
    """What a newer one started goes on: the fence is for words that stop things, too."""
    desk = far.open_desk()
    desk.do(run("a", "true"))
    ticket = desk.segment(run("b", f"{mark('in')}; {HOLD}; {mark('out')}"), fence=11)
    await_proof(far, "in\n")
    killed = far.open_desk().kill(fence=10)
    assert isinstance(killed, Killed)
    assert not killed.found
    (far.home("h1") / "go").touch()
    desk.final(ticket)
    assert proof(far) == "in\nout\n"


def test_kill_finds_nothing_when_nothing_runs(far: Far) -> None:
    """A kill without a running step says so."""
    desk = far.open_desk()
    desk.do(run("a", "true"))
    killed = desk.kill()
    assert isinstance(killed, Killed)
    assert not killed.found


def test_step_past_its_deadline_is_ended_on_the_host(far: Far) -> None:
    """The host itself ends it, by KILL when TERM is not heeded."""
    (result,) = far.open_desk().do(run("a", "trap '' TERM; while :; do sleep 1; done", timeout_s=1))
    assert result.end == "timed out"


def test_long_output_comes_back_as_its_head_and_tail(far: Far) -> None:
    """Both streams at once, far beyond what is kept; the size of all is told."""
    count = 3_000_000
    text = f"head -c {count} /dev/zero | tr '\\0' x; echo END"
    (result,) = far.open_desk().do(run("a", f"({text}) & ({text}) >&2; wait"))
    for stream in (result.stdout, result.stderr):
        assert stream.size == count + 4
        assert stream.head.startswith(b"xxx")
        assert stream.tail.endswith(b"xEND\n")
        assert len(stream.head) + len(stream.tail) <= 65536
    kept = far.home("h1").glob(".fleetctl/runs/run-1=a.*")
    assert sum(path.stat().st_size for path in kept) < 150_000


def test_output_that_is_not_text_comes_back_unchanged(far: Far) -> None:
    """Every byte value, without a newline at the end."""
    octal = "".join(f"\\{value:03o}" for value in range(256))
    (result,) = far.open_desk().do(run("a", f"printf '{octal}'"))
    assert result.stdout.head == bytes(range(256))


def test_step_that_leaves_a_daemon_behind_ends_at_once(far: Far) -> None:
    """A child that keeps the streams open blocks nothing."""
    desk = far.open_desk()
    results = desk.do(run("a", 'sleep 45 & echo $! >"$HOME/pid"; echo up'), run("b", "echo next"))
    os.kill(int((far.home("h1") / "pid").read_text()), 9)
    assert [r.stdout.head for r in results] == [b"up\n", b"next\n"]
    assert results[0].duration_s < 30


def test_step_that_reads_its_input_finds_none(far: Far) -> None:
    """A password prompt gets end of file, not our orders, and cannot hang."""
    results = far.open_desk().do(run("a", "cat; read x || echo none"), run("b", "echo b"))
    assert [r.stdout.head for r in results] == [b"none\n", b"b\n"]


def test_hostile_texts_arrive_as_they_were_written(far: Far) -> None:
    """Quotes, newlines, braces and heredocs of a step end neither it nor our frame."""
    text = "it's \"$HOME\" `x` \\ } ) ; done\n{ EOF ' '' $( # é ü ☃"
    (result,) = far.open_desk().do(run("a", f"cat <<'END-OF-TEXT'\n{text}\nEND-OF-TEXT\n"))
    assert result.stdout.head.decode() == text + "\n"


def test_syntax_error_of_a_step_is_its_own_failure(far: Far) -> None:
    """An unfinished text fails its step, not the connection."""
    desk = far.open_desk()
    (result,) = desk.do(run("a", "if true; then"))
    assert (result.end, bool(result.stderr.size)) == ("failed", True)
    assert desk.do(run("b", "true"))[0].end == "acted"


def test_secret_step_keeps_nothing(far: Far) -> None:
    """Neither its text nor its output stays on the host or comes back."""
    (result,) = far.open_desk().do(run("a", "echo canary-7719", keep_output=False))
    assert (result.end, result.stdout.size) == ("acted", 0)
    for path in far.home("h1").rglob("*"):
        assert not path.is_file() or b"canary-7719" not in path.read_bytes(), path


def test_file_is_laid_down_verified_and_skipped_next_time(far: Far, tmp_path: Path) -> None:
    """The second put finds the hash there; mode and content are as ordered."""
    source = tmp_path / "source.bin"
    source.write_bytes(os.urandom(700_001))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    put = Put(str(source), digest, 700_001, "deep/er/dest.bin", 0o750)
    desk = far.open_desk()
    ends = [desk.do(run("m", "true"), lay("p", put))[1].end]
    ends.append(desk.do(lay("q", put))[0].end)
    dest = far.home("h1") / "deep/er/dest.bin"
    assert ends == ["acted", "checked"]
    assert dest.read_bytes() == source.read_bytes()
    assert dest.stat().st_mode & 0o777 == 0o750
    assert [p.name for p in dest.parent.iterdir()] == ["dest.bin"]
    dest.unlink()
    dest.parent.rmdir()


def test_file_that_changed_since_it_was_measured_is_not_laid_down(far: Far, tmp_path: Path) -> None:
    """A wrong hash fails the step and leaves nothing at the destination."""
    source = tmp_path / "source"
    source.write_bytes(b"other")
    put = Put(str(source), hashlib.sha256(b"first").hexdigest(), 5, "wrong-hash")
    (result,) = far.open_desk().do(lay("p", put))
    assert result.end == "failed"
    assert not (far.home("h1") / "wrong-hash").exists()


def test_look_tells_status_and_streams_and_leaves_no_trace(far: Far) -> None:
    """A look needs no run, lock or record."""
    looked = far.open_desk().look("echo out; echo err >&2; exit 5")
    assert isinstance(looked, Looked)
    assert (looked.exit_status, looked.stdout.head, looked.stderr.head) == (5, b"out\n", b"err\n")
    assert not (far.home("h1") / ".fleetctl").exists()


def test_look_beside_a_running_step_is_answered(far: Far) -> None:
    """Gates and status do not stand in line behind a long step."""
    desk = far.open_desk()
    ticket = desk.segment(run("a", f"{mark('in')}; {HOLD}"))
    await_proof(far, "in\n")
    assert isinstance(desk.look("true"), Looked)
    (far.home("h1") / "go").touch()
    desk.final(ticket)


def test_look_past_its_deadline_has_no_status(far: Far) -> None:
    """It is given up, and what it started is stopped."""
    looked = far.open_desk().look("sleep 41.5", timeout_s=0.5)
    assert isinstance(looked, Looked)
    assert looked.exit_status is None


def test_released_host_is_connected_to_anew(far: Far) -> None:
    """After a release the next order opens a connection, and the record is still known."""
    desk = far.open_desk()
    desk.do(run("a", mark("a")))
    desk.release()
    assert desk.do(run("a", mark("a")))[0].replayed
    assert sum(isinstance(e, Connected) for e in desk.said) == 2


def test_hosts_do_not_know_of_each_other(far: Far) -> None:
    """One host's long step does not delay another's."""
    desk: Desk = far.open_desk()
    slow = desk.segment(run("a", HOLD), host="h1")
    desk.do(run("a", mark("h2")), host="h2")
    assert desk.results(slow) == []
    (far.home("h1") / "go").touch()
    desk.final(slow)


def test_order_no_host_can_hold_is_refused(far: Far) -> None:
    """A NUL byte cannot stand in sh text: refused before a byte leaves."""
    desk = far.open_desk()
    final = desk.final(desk.segment(run("a", "echo \0")))
    assert isinstance(final, Refused)
    assert final.reason == "runner"


def test_began_is_told_for_later_steps(far: Far) -> None:
    """A step's beginning is told before its end."""
    desk = far.open_desk()
    desk.do(run("a", "true"), run("b", "true"))
    told = [(type(e), getattr(e, "key", "")) for e in desk.said]
    began = told.index((StepBegan, "b"))
    assert began < max(i for i, e in enumerate(desk.said) if isinstance(e, StepEnded))


def test_closing_tells_running_orders_lost(far: Far) -> None:
    """Close is finite and every order still gets its final event."""
    desk = far.open_desk()
    ticket = desk.segment(run("a", f"{mark('in')}; {HOLD}"))
    await_proof(far, "in\n")
    started_s = time.monotonic()
    desk.transport.close()
    assert time.monotonic() - started_s < 30
    (far.home("h1") / "go").touch()
    lost = desk.final(ticket)
    assert isinstance(lost, Lost)
    assert lost.sent
