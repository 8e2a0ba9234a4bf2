"""What every tool is asked to do, and the proof that it did: six steps, a barrier after each.

A step leaves two marks on its host, one when it begins and one when it ends, with nothing but
built-ins of sh, so that the hosts cost as little as can be. The file system stamps the marks: its
clock is one for all hosts (they are one machine) and never goes backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.fleet import BenchFleet, BenchHost

STEPS_COUNT = 6
STEPS = tuple(
    f'echo >> "$HOME/marks/{number}.began"; echo >> "$HOME/marks/{number}.ended"'
    for number in range(1, STEPS_COUNT + 1)
)

MARKS = tuple(f"{number}.{word}" for number in range(1, STEPS_COUNT + 1)
              for word in ("began", "ended"))  # fmt: skip


@dataclass(frozen=True)
class Span:
    """When a step began and ended on a host, in ns of Unix time."""

    began_ns: int
    ended_ns: int


def wipe_marks(fleet: BenchFleet) -> None:
    """Empty the marks of earlier runs; what a tool keeps on a host stays, as in real life.

    They are not removed: a file system passes over what was removed lately whenever it makes a
    file, so each run would slow down the next, and most of all who makes files.
    """
    for host in fleet.hosts:
        folder = host.home / "marks"
        folder.mkdir(parents=True, exist_ok=True)
        for name in MARKS:
            (folder / name).write_bytes(b"")


def faults(fleet: BenchFleet) -> list[str]:
    """What is wrong with the marks: a step not run exactly once, or begun before its barrier."""
    found: list[str] = []
    spans: dict[int, list[Span]] = {number: [] for number in range(1, STEPS_COUNT + 1)}
    for host in fleet.hosts:
        for number, seen in spans.items():
            span, fault = span_of(host, number)
            if span is None:
                found.append(fault)
            else:
                seen.append(span)
    if not found:
        found.extend(out_of_lockstep(spans))
    return found


def span_of(host: BenchHost, number: int) -> tuple[Span | None, str]:
    """The span of a step that ran exactly once, or what is wrong with it."""
    marks = [host.home / "marks" / f"{number}.{word}" for word in ("began", "ended")]
    counts = [mark.stat().st_size if mark.exists() else 0 for mark in marks]
    if counts != [1, 1]:
        return None, f"{host.name}: step {number} began {counts[0]} times, ended {counts[1]} times"
    return Span(*(mark.stat().st_mtime_ns for mark in marks)), ""


def out_of_lockstep(spans: dict[int, list[Span]]) -> list[str]:
    """Steps that began on some host before the step before had ended on every host."""
    found = []
    for number in range(2, STEPS_COUNT + 1):
        barrier_ns = max(span.ended_ns for span in spans[number - 1])
        early = sum(span.began_ns < barrier_ns for span in spans[number])
        if early:
            found.append(f"step {number} began on {early} hosts before step {number - 1} was over")
    return found
