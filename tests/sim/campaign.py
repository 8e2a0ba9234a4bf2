"""Many seeds, in several processes: what was played, what went wrong in it, what broke."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.sim.case import Case, save
from tests.sim.play import Report, play
from tests.sim.scenarios import make_case

REGRESSIONS = Path(__file__).parent / "regressions"
_MEMORY = Path("/dev/shm")


class Failure(NamedTuple):
    """A seed that broke a promise, and how to see it again."""

    seed: int
    size: int | None
    said: str
    command: str


class Summary(NamedTuple):
    """What came of many seeds."""

    played: int
    events: int
    legs: int
    virtual_s: float
    faults: Counter[str]
    exit_codes: Counter[int]
    failures: list[Failure]
    took_s: float


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder for journals; in memory where there is such a place, since a crash is simulated."""
    place = str(_MEMORY) if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fleetctl-sim-", dir=place) as folder:
        yield Path(folder)


def play_case(case: Case) -> Report:
    """Play one case in a folder of its own."""
    with workshop() as folder:
        return play(case, folder)


def play_all(
    seeds: Iterable[int], size: int | None = None, processes: int = 1, seconds: float = 1e9
) -> Summary:
    """Play the seeds, as many as can be begun within `seconds`; failures are kept as files."""
    began_s = time.monotonic()
    summary = Summary(0, 0, 0, 0.0, Counter(), Counter(), [], 0.0)
    for outcome in _outcomes(seeds, size, processes, began_s + seconds):
        if isinstance(outcome, Failure):
            summary.failures.append(outcome)
            summary = summary._replace(played=summary.played + 1)
            continue
        summary.faults.update(outcome.faults)
        summary.exit_codes[outcome.exit_code] += 1
        summary = summary._replace(
            played=summary.played + 1, events=summary.events + outcome.events,
            legs=summary.legs + outcome.legs, virtual_s=summary.virtual_s + outcome.virtual_s,
        )  # fmt: skip
    return summary._replace(took_s=time.monotonic() - began_s)


def describe(summary: Summary) -> str:
    """The figures, and how often each kind of fault was injected."""
    rate = summary.played / max(summary.took_s, 1e-9)
    lines = [
        f"{summary.played} pushes in {summary.took_s:.0f} s ({rate:.1f}/s), "
        f"{summary.legs} resumes, {summary.events} events, {summary.virtual_s / 3600:.0f} h of "
        f"virtual time, exit codes {dict(sorted(summary.exit_codes.items()))}",
        f"{summary.faults.total()} faults and interferences:",
        *(f"  {count:>9}  {kind}" for kind, count in sorted(summary.faults.items())),
        f"{len(summary.failures)} broken",
        *(f"  seed {f.seed}: {f.said}\n    replay: {f.command}" for f in summary.failures),
    ]
    return "\n".join(lines)


def command_for(seed: int, size: int | None) -> str:
    """The one command that plays a seed again, exactly."""
    return f"python -m tests.sim --seed {seed}" + (f" --hosts {size}" if size else "")


def _outcomes(
    seeds: Iterable[int], size: int | None, processes: int, until_s: float
) -> Iterator[Report | Failure]:
    wanted = ((seed, size) for seed in seeds)
    if processes <= 1:
        for seed, hosts in wanted:
            if time.monotonic() > until_s:
                return
            yield _play_seed((seed, hosts))
        return
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=2000) as pool:
        for outcome in pool.imap_unordered(_play_seed, wanted, chunksize=8):
            yield outcome
            if time.monotonic() > until_s:
                pool.terminate()
                return


def _play_seed(wanted: tuple[int, int | None]) -> Report | Failure:
    seed, size = wanted
    case = make_case(seed, size)
    try:
        return play_case(case)
    except Exception as error:  # noqa: BLE001 - whatever breaks a case is a finding
        save(case, REGRESSIONS / (f"seed-{seed}" + (f"-{size}" if size else "") + ".json"))
        said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if not isinstance(error, AssertionError):
            said += "".join(traceback.format_tb(error.__traceback__)[-1:]).replace("\n", " ")
        return Failure(seed, size, said, command_for(seed, size))
