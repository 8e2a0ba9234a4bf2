"""The report in a real browser: it draws, fetches nothing, and needs no pointer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fleetctl.plan.history import History
from fleetctl.report.page import render_page
from tests.report.weekend import Troubles, weekend_story

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TROUBLES = Troubles(failing=("repo002", "repo003"), retried=("db004",), lost=("db007",))


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
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a push with every trouble."""
    path = tmp_path_factory.mktemp("report") / "run.html"
    path.write_text(render_page(weekend_story(TROUBLES), History()), encoding="utf-8")
    return path


def opened(browser: Browser, file: Path, **how: Any) -> tuple[Page, list[str], list[str]]:
    """The page, what it asked the network for, and what it complained about."""
    page = browser.new_page(**how)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    return page, asked, complaints


def test_it_fetches_nothing_and_complains_of_nothing(browser: Browser, file: Path) -> None:
    """One file is all there is: no request but for itself, with scripts switched off."""
    page, asked, complaints = opened(browser, file, java_script_enabled=False)
    assert asked == [file.as_uri()]
    assert complaints == []
    assert page.title().startswith("Saturday push, run 1122-0600-k3f: Stopped by gate or budget")
    page.close()


def test_its_bars_are_drawn_inside_the_picture(browser: Browser, file: Path) -> None:
    """Every bar has a size on the screen, lies within its chart, and tells what it is."""
    page, _, _ = opened(browser, file)
    found = page.evaluate(
        """() => [...document.querySelectorAll('svg.chart')].map(svg => {
            const frame = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('rect.bar')].map(bar => {
                const box = bar.getBoundingClientRect();
                return [bar.querySelector('title').textContent, box.width, box.height,
                        box.left >= frame.left - 1 && box.right <= frame.right + 1 &&
                        box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1];
            });
        })"""
    )
    (bars,) = found
    assert len(bars) > 100
    assert all(
        told and width > 0.5 and height > 2 and within for told, width, height, within in bars
    )
    assert any("repo002 (repo): upgrade the schemas" in told and "failed" in told
               for told, *_ in bars)  # fmt: skip
    page.close()


def test_the_keyboard_reaches_the_table_and_opens_it(browser: Browser, file: Path) -> None:
    """What the chart shows is in a table that Tab and Enter open."""
    page, _, _ = opened(browser, file)
    row = page.get_by_role("rowheader", name="db007").first
    assert not row.is_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("The timeline as"):
            break
    page.keyboard.press("Enter")
    assert row.is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, file: Path, scheme: Any) -> None:
    """By day and by night, body, quiet and alarming text have a contrast of 4.5 at least."""
    page, _, _ = opened(browser, file, color_scheme=scheme)
    found = page.evaluate(
        """() => ['body', '.kicker', '.account.bad', 'summary'].map(name => {
            const seen = getComputedStyle(document.querySelector(name)).color;
            const ground = getComputedStyle(document.body).backgroundColor;
            const light = text => {
                const part = text.match(/\\d+/g).slice(0, 3).map(v => v / 255)
                    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                return .2126 * part[0] + .7152 * part[1] + .0722 * part[2];
            };
            const [low, high] = [light(seen), light(ground)].sort((a, b) => a - b);
            return (high + .05) / (low + .05);
        })"""
    )
    assert min(found) >= 4.5
    page.close()


def test_it_prints_on_paper(browser: Browser, file: Path, tmp_path: Path) -> None:
    """Printing gives a document of a few pages, as wide as the paper."""
    page, _, _ = opened(browser, file)
    page.pdf(path=tmp_path / "run.pdf", format="A4", print_background=True)
    assert (tmp_path / "run.pdf").stat().st_size > 10_000
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()
