"""The console over HTTP: a real server on this machine, asked as browsers and strangers do."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fleetctl.journal.store import Journal
from fleetctl.report.reading import Entry
from fleetctl.rollout import records as r
from tests.console.served import (
    ENDED,
    LIVE,
    TOKEN,
    Served,
    World,
    driven,
    form_token,
    keep_run,
    make_world,
)
from tests.report.weekend import Troubles, Weekend, weekend_plan

pytestmark = pytest.mark.slow
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A journal whose second run is driven by this very process."""
    made = make_world(tmp_path_factory.mktemp("world"))
    with driven(made):
        yield made


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    """A console that only looks."""
    with Served(world) as one:
        yield one


@pytest.fixture(scope="module")
def acting(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console that may act; its program writes down the words it was given."""
    told = tmp_path_factory.mktemp("acted") / "words"
    text = f"import sys; open({str(told)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    with Served(world, token=TOKEN, program=(sys.executable, "-c", text)) as one:
        one.told = told
        yield one


def logged_in(served: Served) -> str:
    """The cookie of a fresh session."""
    answer = served.ask("/login", {"token": TOKEN, "next": "/runs"})
    assert (answer.status, answer.headers["location"]) == (303, "/runs")
    return answer.headers["set-cookie"].partition(";")[0]


def test_pages_tell_the_fleet_the_push_and_the_runs(served: Served) -> None:
    """Each page is there, and tells what it is for."""
    fleet = served.ask("/").text
    assert "Running: phase repo" in fleet
    assert "2 hosts failed at “upgrade the schemas” in phase repo, same error" in fleet
    assert "UNKNOWN" in fleet
    runs = served.ask("/runs").text
    assert runs.index(LIVE) < runs.index(ENDED)
    assert "stopped by gate or budget" in runs
    assert "Stopped by gate or budget: 2 hosts lost" in served.ask(f"/runs/{ENDED}").text
    assert "<svg" in served.ask(f"/runs/{ENDED}/report").text
    assert served.ask("/runs/nope").status == 404
    assert served.ask("/nope").status == 404


def test_no_page_has_a_word_that_a_host_said(served: Served) -> None:
    """The failing hosts said why; the journal has it, no page does."""
    for path in ("/", "/runs", f"/runs/{LIVE}", f"/runs/{ENDED}", f"/runs/{ENDED}/report"):
        assert "1114" not in served.ask(path).text


@pytest.mark.parametrize("path", ["/", f"/runs/{ENDED}/report", "/assets/live.js", "/nope"])
def test_each_answer_is_strict_with_browsers(served: Served, path: str) -> None:
    """Nothing from elsewhere, no frames, no guessing of types, no referrer, nothing kept."""
    headers = served.ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_another_name_is_not_answered(served: Served) -> None:
    """A page that points its own name at this machine gets nothing."""
    answer = served.ask("/", host="evil.example")
    assert answer.status == 421
    assert "phacility" not in answer.text
    assert served.ask("/", host="localhost:1").status == 200


def test_only_looking_has_no_forms_and_takes_none(served: Served) -> None:
    """Without --allow-actions there is nothing to press, and nothing is done for who tries."""
    assert "/act/" not in served.ask(f"/runs/{LIVE}").text
    assert served.ask(f"/act/drain?run={LIVE}").status == 404
    assert served.ask("/act/drain", {"run": LIVE, "number": "44"}).status == 404
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("DELETE", "/")
    assert connection.getresponse().status == 405
    connection.close()


def test_names_and_reasons_of_others_stay_text(tmp_path: Path) -> None:
    """Markup in titles, reasons and read-back releases is shown, never run."""
    plan = msgspec.structs.replace(weekend_plan({"db": 2}), title=EVIL)
    entries = Weekend(plan, Troubles(), "evil").play()[:-1]
    entries = [
        one._replace(record=msgspec.structs.replace(one.record, release=EVIL))
        if isinstance(one.record, r.HostSettled) else one
        for one in entries
    ]  # fmt: skip
    stop = r.StopOrdered("drain", f"because {EVIL}\x1b[2J\u202e", EVIL)
    entries.append(Entry(entries[-1].seq + 1, entries[-1].wall_s, stop))
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        keep_run(journal, plan, "evil", entries)
    evil = make_world(tmp_path / "other")._replace(path=path, plan=plan)
    with driven(evil, "evil"), Served(evil) as served:
        for page in ("/", "/runs", "/runs/evil", "/runs/evil/report"):
            text = served.ask(page).text
            assert "&lt;script&gt;" in text
            assert "<script>alert" not in text
            assert "\x1b" not in text
            assert "\u202e" not in text or page.endswith("report")


def test_without_the_token_there_is_only_the_form(acting: Served) -> None:
    """Pages lead to the form, streams and posts are refused, nothing is told of the fleet."""
    answer = acting.ask(f"/runs/{LIVE}")
    assert (answer.status, answer.headers["location"]) == (303, f"/login?next=/runs/{LIVE}")
    assert acting.ask("/live").status == 401
    assert acting.ask("/act/drain", {"run": LIVE, "number": "44"}).status == 401
    wrong = acting.ask("/login", {"token": "wrong"})
    assert wrong.status == 403
    assert "set-cookie" not in wrong.headers
    assert acting.ask("/", cookie="console=made-up").status == 303


def test_the_token_opens_a_session_kept_from_scripts(acting: Served) -> None:
    """The cookie is no token, unreadable to scripts, and sent by our own pages alone."""
    answer = acting.ask("/login", {"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = cookie.partition(";")[0]
    page = acting.ask("/", cookie=session)
    assert page.status == 200
    form = {"form": form_token(page.text)}
    assert acting.ask("/logout", form, cookie=session).headers["location"] == "/login"
    assert acting.ask("/", cookie=session).status == 303


def test_the_form_for_the_token_leads_nowhere_else(acting: Served) -> None:
    """A link to the form with another site behind it ends on our own first page."""
    answer = acting.ask("/login", {"token": TOKEN, "next": "//evil.example/"})
    assert answer.headers["location"] == "/"


def test_an_action_asks_and_starts_the_command(acting: Served, world: World) -> None:
    """The page says what will be done to how many; only the typed number does it, once."""
    cookie = logged_in(acting)
    assert f"/act/drain?run={LIVE}" in acting.ask(f"/runs/{LIVE}", cookie=cookie).text
    asked = acting.ask(f"/act/drain?run={LIVE}", cookie=cookie).text
    assert "It is about 44 hosts" in asked
    form = {"form": form_token(asked), "run": LIVE, "number": "43"}
    refused = acting.ask("/act/drain", form, cookie=cookie)
    assert refused.status == 400
    assert "nothing was touched" in refused.text
    assert not acting.told.exists()
    done = acting.ask("/act/drain", form | {"number": "44"}, cookie=cookie)
    assert (done.status, done.headers["location"]) == (303, "/runs")
    words = f"runs abort {LIVE} --journal {world.path}\n"
    assert _within(lambda: acting.told.exists() and acting.told.read_text() == words)
    assert _within(lambda: "exit 0" in acting.ask("/runs", cookie=cookie).text)


def test_pools_are_acted_on_where_they_are(acting: Served, world: World) -> None:
    """The hosts with pools of the tier are counted; the words are those of the command line."""
    cookie = logged_in(acting)
    path = "/act/hibernate?kind=taskmaster&tier=repo"
    asked = acting.ask(path, cookie=cookie).text
    assert "It is about 16 hosts" in asked
    assert "UNKNOWN what 16 hosts of these keep" in asked, "nobody has asked them"
    assert (
        "fleetctl pools hibernate taskmaster --tier repo --why &#39;asked on the console&#39; --yes"
        f" --inventory acme.yaml --journal {world.path}" in asked
    )
    for wrong in ("kind=--now&tier=repo", "kind=x&tier=nope", "kind=x&tier=db", "kind="):
        assert acting.ask(f"/act/hibernate?{wrong}", cookie=cookie).status == 400


def test_the_number_typed_is_held_against_a_fresh_count(world: World, tmp_path: Path) -> None:
    """What overseers tell at the moment of acting counts, not what was told when the page came."""
    told, now = tmp_path / "words", [15]
    program = (sys.executable, "-c", f"open({str(told)!r}, 'a').write('x')")
    with Served(
        world, token=TOKEN, program=program, count=lambda kind, hosts: hosts[: now[0]]
    ) as one:
        cookie = logged_in(one)
        asked = one.ask("/act/wake?kind=pull&tier=repo", cookie=cookie).text
        assert "It is about 16 hosts" in asked
        form = {"form": form_token(asked), "kind": "pull", "tier": "repo", "number": "16"}
        refused = one.ask("/act/wake", form, cookie=cookie)
        assert refused.status == 400
        assert (
            "&#34;16&#34; was typed, and it is about 15 hosts now; nothing was touched"
            in refused.text
        )
        assert 'It is about 15 hosts: <span class="hosts">repo[001-015]' in refused.text
        now[0] = 14
        assert one.ask("/act/wake", form | {"number": "15"}, cookie=cookie).status == 400
        assert not told.exists()
        assert one.ask("/act/wake", form | {"number": "14"}, cookie=cookie).status == 303
        assert _within(lambda: "exit 0" in one.ask("/runs", cookie=cookie).text)
        assert told.exists()


def test_a_form_without_its_token_does_nothing(acting: Served) -> None:
    """A page elsewhere cannot know it; one that claims to be ours from elsewhere is refused."""
    cookie = logged_in(acting)
    form = {"run": LIVE, "number": "44"}
    before = acting.told.read_text() if acting.told.exists() else ""
    assert acting.ask("/act/drain", form, cookie=cookie).status == 400
    assert acting.ask("/act/drain", form | {"form": "0" * 64}, cookie=cookie).status == 400
    good = form | {"form": form_token(acting.ask("/", cookie=cookie).text)}
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert acting.ask("/act/drain", good, cookie=cookie, **headers).status == 403
    large = good | {"more": "x" * 20_000}
    assert acting.ask("/act/drain", large, cookie=cookie).status == 400
    assert (acting.told.read_text() if acting.told.exists() else "") == before


def test_open_streams_do_not_hold_up_the_server(world: World) -> None:
    """With forty pages that listen, pages are answered; and leaving takes no time."""
    with Served(world) as served:
        listening = [http.client.HTTPConnection("127.0.0.1", served.port) for _ in range(40)]
        for one in listening:
            one.request("GET", "/live")
        answers = [one.getresponse() for one in listening]
        assert all(answer.status == 200 for answer in answers)
        assert all(b"hello" in answer.readline() + answer.readline() for answer in answers)
        assert served.ask("/runs").status == 200
        served.server.config.timeout_graceful_shutdown = 600  # it is not that which ends them
    for one in listening:
        one.close()


def _within(holds: object, seconds: float = 30.0) -> bool:
    assert callable(holds)
    end_s = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True
