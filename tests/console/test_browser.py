"""The console in a real browser: with and without scripts, by keyboard, in every light."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.journal.store import Journal
from fleetctl.pools.cache import remember
from fleetctl.report.reading import Entry
from fleetctl.rollout import records as r
from tests.console.crowd import by_instance, crowd
from tests.console.served import ENDED, LIVE, TOKEN, Served, World, add, driven, make_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATHS = ("/", "/pools?by=host", f"/runs/{LIVE}", f"/runs/{ENDED}/report")
CONTRAST = """names => names.flatMap(name => [...document.querySelectorAll(name)]).map(one => {
    const light = text => {
        const part = text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * part[0] + .7152 * part[1] + .0722 * part[2];
    };
    let under = one, ground = 'rgba(0, 0, 0, 0)';
    while (ground === 'rgba(0, 0, 0, 0)') {
        ground = getComputedStyle(under).backgroundColor;
        under = under.parentElement;
    }
    const [low, high] = [light(getComputedStyle(one).color), light(ground)].sort((a, b) => a - b);
    return [one.className + ' ' + one.textContent.trim().slice(0, 30), (high + .05) / (low + .05)];
})"""
CUT_OFF = """[...document.querySelectorAll('main .scroll')]
    .filter(one => one.scrollWidth > one.clientWidth).map(one => one.id)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a screen."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here; tests/install-servers installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A push that goes on, and pools of its repo hosts told of just now."""
    made = make_world(tmp_path_factory.mktemp("world"))
    keepers = [name for name, host in made.fleet.hosts.items() if host.pools is not None]
    told = crowd(made.fleet.name, keepers[:-1], 25, time.time())
    remember(made.path.parent, made.fleet.name, told.hosts)
    with driven(made):
        yield made


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    """A console that only looks."""
    with Served(world) as one:
        yield one


def opened(browser: Browser, url: str, **how: Any) -> tuple[Page, list[str], list[str]]:
    """The page, what it asked the network for, and what it complained about."""
    page = browser.new_page(**how)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, asked, complaints


def test_pages_are_whole_without_scripts_and_ask_nobody_else(
    browser: Browser, served: Served
) -> None:
    """Each page tells its facts with scripts off, and asks its own server alone."""
    page, asked, complaints = opened(browser, served.url, java_script_enabled=False)
    assert "Running: phase repo" in page.inner_text("main")
    assert "reload to see what is new" in page.inner_text("#live")
    for path in PATHS:
        page.goto(served.url + path)
        assert page.inner_text("h1")
    page.goto(served.url)
    page.get_by_role("link", name="Pools").click()
    page.select_option("#by", "host")
    page.get_by_role("button", name="Show").click()
    assert "repo003" in page.inner_text("tbody tr:first-child")
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {
        urlsplit(served.url).netloc
    }
    assert complaints == []
    page.close()


def test_a_record_in_the_journal_is_on_the_page_at_once(
    browser: Browser, served: Served, world: World
) -> None:
    """The page follows a live run without a reload, and the focus stays where it was."""
    page, asked, complaints = opened(browser, served.url)
    page.get_by_text("● live").wait_for()
    assert page.locator("#busy-table tbody tr").count() == 2
    page.focus("#busy-table")
    last = world.live[-1]
    settled = r.HostSettled("repo", "repo004", Outcome.CHANGED, "2026-11-22-bb")
    with Journal(world.path) as journal:
        add(journal, LIVE, Entry(last.seq + 1, last.wall_s + 9, settled))
    page.locator("#busy-table").get_by_text("repo004").wait_for(state="detached")
    assert page.locator("#busy-table tbody tr").count() == 1
    assert page.evaluate("document.activeElement.id") == "busy-table"
    assert complaints == []
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(served.url).netloc}
    page.close()


def test_many_tabs_share_one_stream(browser: Browser, world: World) -> None:
    """More tabs than a browser opens connections to one server are all live."""
    with Served(world) as one:
        context = browser.new_context()
        tabs = [context.new_page() for _ in range(7)]
        for tab in tabs:
            tab.goto(one.url + "/runs", wait_until="commit")
        for tab in tabs:
            tab.get_by_text("● live").wait_for()
        assert one.bell.streams == 1
        context.close()


def test_text_stands_out_and_no_page_is_wider_than_its_window(
    browser: Browser, served: Served
) -> None:
    """By day and by night a contrast of 4.5; on a phone, too, each cell is seen, with its name."""
    names = ["p", "h1", "h2", "h3", "td", "th", "a", "li", ".state", ".badge", ".label", "button"]
    page, _, _ = opened(browser, served.url)
    for path in ("/", "/pools", "/runs", f"/runs/{ENDED}"):
        page.goto(served.url + path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert [one for one in page.evaluate(CONTRAST, names) if one[1] < 4.5] == []
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.evaluate(CUT_OFF) == []
    page.close()


def test_states_are_told_without_colour(browser: Browser, served: Served) -> None:
    """Each state has a word, and a glyph no other state on the page has."""
    page, _, _ = opened(browser, served.url + "/pools")
    shares = page.locator(".shares .share").all_inner_texts()
    words = {text.split()[-1]: text.split()[0] for text in shares}
    assert words == {"busy": "●", "hibernating": "☾", "failed": "✖"}
    page.set_viewport_size({"width": 390, "height": 800})
    script = "getComputedStyle(document.querySelector('td[data-head]'), '::before').content"
    assert page.evaluate(script) == '"Hosts: "'
    page.goto(served.url)
    cells = page.locator(".map li").all_inner_texts()
    assert {text.strip().split()[0] for text in cells} <= {"✓", "?", "≠", "·"}
    assert all("UNKNOWN" in text for text in cells if text.strip().startswith("?"))
    page.close()


def test_the_keyboard_alone_signs_in_and_acts(
    browser: Browser, world: World, tmp_path: Path
) -> None:
    """Token, page, confirmation and the number: all without a pointer, and the command starts."""
    import sys

    told = tmp_path / "words"
    text = f"import sys; open({str(told)!r}, 'w').write(' '.join(sys.argv[1:]))"
    program = (sys.executable, "-c", text)
    with Served(world, token=TOKEN, program=program) as acting:
        page, _, complaints = opened(browser, acting.url + "/pools")
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#pools-table")
        assert urlsplit(page.url).path == "/pools"
        _tab_to(page, "hibernate-pull")
        page.keyboard.press("Enter")
        page.wait_for_selector("#number")
        page.keyboard.type("15")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        page.keyboard.type("16")
        page.keyboard.press("Enter")
        page.wait_for_selector("#started")
        assert "fleetctl pools hibernate pull" in page.inner_text("main")
        page.locator("#main").get_by_text("exit 0").wait_for()
        page.close()
    assert told.read_text().startswith("pools hibernate pull --why")
    assert all("400" in text for text in complaints)  # the refused form, and nothing else


def test_instances_appear_when_they_were_asked_for(browser: Browser, world: World) -> None:
    """The page of instances says that they are being asked, and shows them without a reload."""
    keepers = [name for name, host in world.fleet.hosts.items() if host.pools is not None]

    def refresh(wanted: bool) -> Any:
        return by_instance(keepers, 25) if wanted else {}

    with Served(world, refresh=refresh, every_s=600) as asking:
        asking.desk.start()
        page, _, _ = opened(browser, asking.url + "/pools?by=instance")
        page.wait_for_selector("#pools-table")
        assert "i001-0007" in page.inner_text("tbody tr:first-child")
        page.click("#page-next")
        page.get_by_text("Page 2 of 4").wait_for()
        asking.desk.close()
        page.close()


def _tab_to(page: Page, name: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"Tab does not lead to {name}")
