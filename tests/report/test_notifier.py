"""Messages of a run: they arrive, or it is said why not; nobody who sends them is ever held up."""

from __future__ import annotations

import time

import pytest

from fleetctl.playbook.channels import Channel, Webhook
from fleetctl.playbook.operations import SecretSource, SecretUse
from fleetctl.playbook.source import Moment
from fleetctl.report.delivery import payload
from fleetctl.report.messages import LINES_MAX, Message, message_of
from fleetctl.report.notifier import BACKLOG_MAX, TRIES, Notifier
from fleetctl.rollout import records as r
from fleetctl.rollout.observers import Recorded, Watch
from tests.report.servers import dripping, hook, silent
from tests.report.weekend import weekend_plan

PLAN = weekend_plan({"db": 3})
STOP = r.StopOrdered("budget", "2 hosts lost, 1 is allowed")
ALL: tuple[Moment, ...] = ("begin", "question", "stop", "finish")


def notifier(url: str, timeout_s: float = 30.0, moments: tuple[Moment, ...] = ALL) -> Notifier:
    """Tells a webhook at that address, which is a secret."""
    use = SecretUse("chat", SecretSource("env", ("CHAT",), "x:1:1"))
    channel = Channel("chat", moments, Webhook(use), timeout_s)
    return Notifier(channel, {"chat": url.encode()}.__getitem__, PLAN, "R1", delays_s=(0.01,))


def test_a_stop_is_told_in_one_line_that_says_it_all() -> None:
    """The post is JSON chat services take: the text, and blocks of it."""
    with hook() as chat:
        told = notifier(chat.url)
        told.recorded([Recorded(1, 0.0, r.PhaseBegan("db")), Recorded(2, 0.0, STOP)])
        assert told.close(30)
    ((path, body),) = chat.posted
    assert path.endswith("/s3cr3tt0k3n")
    first = body["text"].partition("\n")[0]
    assert first == (
        "Saturday push (phacility): stopping (budget): 2 hosts lost, 1 is allowed"
    )  # fmt: skip
    assert [block["type"] for block in body["blocks"]] == ["section", "section"]
    assert body["blocks"][0]["text"] == {"type": "mrkdwn", "text": f"*{first}*"}


def test_a_question_says_how_to_answer_it_and_what_silence_means() -> None:
    """Who is asked need not be at the terminal."""
    asked = r.QuestionAsked("g1", "gate", "db", "Upgrade?", ("approve", "refuse"), "refuse", 600.0)
    message = message_of(asked, PLAN, "R1")
    assert message is not None
    assert message.moment == "question"
    assert message.lines == (
        "Saturday push (phacility): asks (db): Upgrade?",
        "answer with: fleetctl runs approve R1",
        "in 10 min 00 s without an answer: refuse",
    )


def test_only_what_was_asked_for_is_told() -> None:
    """`on: [finish]` leaves stops out."""
    with hook() as chat:
        told = notifier(chat.url, moments=("finish",))
        told.recorded([Recorded(1, 0.0, STOP)])
        told.send(Message("finish", ("done",)))
        assert told.close(30)
    assert chat.texts == ["done"]


def test_text_of_hosts_stays_text_and_stays_small() -> None:
    """Nobody is mentioned, linked or flooded by what a host said."""
    lines = tuple("<!channel> & " + "x" * 9000 for _ in range(900))
    message = Message("finish", lines)
    assert len(message.text.splitlines()) == LINES_MAX
    body = payload(message.text)
    assert b"<!channel>" not in body
    assert b"&lt;!channel&gt; &amp;" in body
    assert len(body) < 100_000


def test_a_refusing_webhook_is_tried_again_and_then_told_without_its_address() -> None:
    """The address is a secret, also where the server repeats it."""
    with hook(500) as chat:
        told = notifier(chat.url)
        told.send(Message("finish", ("done",)))
        assert told.close(30)
    assert len(chat.posted) == TRIES
    ((_, why),) = told.failed
    assert why.startswith("HTTP 500: no luck with /")
    assert "s3cr3tt0k3n" not in why


@pytest.mark.parametrize("bad", [silent, dripping])
def test_a_hanging_webhook_holds_nobody_up(bad: object) -> None:
    """Sending costs nothing; each try ends at its deadline though the server keeps it going."""
    assert callable(bad)
    with bad() as port:
        told = notifier(f"http://127.0.0.1:{port}/x", timeout_s=0.1)
        for _ in range(BACKLOG_MAX * 2):  # who stayed for a try would never be that far ahead
            told.send(Message("stop", ("stopping",)))
        assert not told.close(0.0)
        told.recorded([Recorded(1, 0.0, STOP)])
        wait_s = time.monotonic() + 30
        while not any("no answer" in one.why for one in told.failed):
            assert time.monotonic() < wait_s
            told.close(0.05)
    assert any(one.why == f"{BACKLOG_MAX} messages stand before it" for one in told.failed)


def test_nobody_there_is_told() -> None:
    """A refused connection is a reason as well."""
    with silent() as port:
        pass
    told = notifier(f"http://127.0.0.1:{port}/x")
    told.send(Message("finish", ("done",)))
    assert told.close(30)
    assert "refused" in told.failed[0].why


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http:", "nothing"])
def test_a_secret_that_is_no_address_is_not_opened(url: str) -> None:
    """Only http and https are spoken."""
    told = notifier(url)
    told.send(Message("finish", ("done",)))
    assert told.close(30)
    assert told.failed[0].why == "its secret is no http or https address"


def test_a_failed_message_is_noted_in_the_run_and_the_next_one_still_goes_out() -> None:
    """One record for what did not arrive; the channel is not given up for it."""
    with hook(500) as chat:
        told = notifier(chat.url)
        watch = Watch(told)
        watch.show([Recorded(1, 0.0, STOP)])
        wait_s = time.monotonic() + 30
        while (lost := watch.dropped()) is None:
            assert time.monotonic() < wait_s
            told.close(0.05)
        assert (lost.view, lost.cause[:14]) == ("message to chat", "stop: HTTP 500")
        assert watch.dropped() is None
        watch.show([Recorded(2, 0.0, STOP)])
        watch.close(30)
        assert told.close(30)
        assert watch.trouble == ""
    assert len(chat.posted) == 2 * TRIES
