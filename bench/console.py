"""How long the console's pages take over 100 hosts with 400 instances of 3 pools each.

Run it as `python -m bench.console`; exits 1 when a page takes a second or more. Chromium's times
are told where there is one.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fleetctl.pools.cache import remember
from tests.console.crowd import by_instance, crowd
from tests.console.served import LIVE, Served, World, driven, fleet_of, half_of, keep_run
from tests.report.weekend import weekend_plan

HOSTS, INSTANCES = 100, 400
LEAST_S = 1.0
TIMES = 7
PAGES = ("/", "/pools", "/pools?by=host", "/pools?by=instance", "/pools?by=instance&page=200",
         "/runs", f"/runs/{LIVE}")  # fmt: skip


def main() -> int:
    """Ask each page a few times, the first time apart: it reads what is kept afterwards."""
    with tempfile.TemporaryDirectory() as folder, crowded(Path(folder)) as served:
        slowest = 0.0
        for path in PAGES:
            times = [_asked_s(served, path) for _ in range(TIMES)]
            slowest = max(slowest, *times)
            size = len(served.ask(path).text) / 1024
            print(f"{path:32} first {times[0] * 1000:5.0f} ms, then "
                  f"{statistics.median(times[1:]) * 1000:5.0f} ms, {size:4.0f} KiB")  # fmt: skip
        slowest = max(slowest, _tabs_s(served), *_in_browser(served))
    print(f"slowest {slowest:.2f} s; aim < {LEAST_S:g} s")
    return 0 if slowest < LEAST_S else 1


@contextlib.contextmanager
def crowded(folder: Path) -> Iterator[Served]:
    """A console over a push that goes on and what a hundred hosts told."""
    from fleetctl.journal.store import Journal

    plan = weekend_plan({"db": 16, "repo": HOSTS})
    world = World(fleet_of(plan), plan, folder / "journal.db", half_of(plan, LIVE))
    with Journal(world.path) as journal:
        keep_run(journal, plan, LIVE, world.live)
    keepers = [name for name, host in world.fleet.hosts.items() if host.pools is not None]
    remember(folder, plan.fleet, crowd(plan.fleet, keepers, INSTANCES, time.time()).hosts)
    tallies = by_instance(keepers, INSTANCES)
    with (
        driven(world),
        Served(world, refresh=lambda wanted: tallies if wanted else {}, every_s=60) as served,
    ):
        served.desk.start()
        served.ask("/pools?by=instance")
        while served.desk.instances() is None:
            time.sleep(0.05)
        yield served
        served.desk.close()


def _asked_s(served: Served, path: str) -> float:
    began_s = time.perf_counter()
    assert served.ask(path).status == 200
    return time.perf_counter() - began_s


def _tabs_s(served: Served) -> float:
    """A page while twenty others listen."""
    import http.client

    listening = [http.client.HTTPConnection("127.0.0.1", served.port) for _ in range(20)]
    for one in listening:
        one.request("GET", "/live")
        one.getresponse()
    took_s = statistics.median(_asked_s(served, "/pools") for _ in range(TIMES))
    print(f"/pools while 20 tabs listen      {took_s * 1000:5.0f} ms")
    for one in listening:
        one.close()
    return took_s


def _in_browser(served: Served) -> list[float]:
    """From asking to `load` in Chromium, in seconds."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return []
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        for path in PAGES[:5]:
            times = []
            for _ in range(TIMES):
                page.goto(served.url + path)
                script = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
                times.append(float(page.evaluate(script)))
            found.append(statistics.median(times))
            print(f"{path:32} loaded in Chromium after {found[-1] * 1000:5.0f} ms")
        browser.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
