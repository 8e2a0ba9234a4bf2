"""The status of pools for people: a line a row, then what needs a person. Pure text."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.base.plaintext import hosts_word, printable
from fleetctl.cli.overseers import Silent
from fleetctl.cli.poolview import STATES, Row
from fleetctl.pools.tallies import Group, Hold, Trouble, total
from fleetctl.pools.words import FAULTS, HOST_LOOKS, LOOKS, Look, look_of

_HEADS = ("hosts", "pools", "slots", "errors 15m", "oldest task", "memory", "inst/host", "full")
CAUSES = {
    "exit": "exited with an error",
    "signal": "killed from outside",
    "oom": "killed for memory",
    "hang": "not heard of: hung",
    "stall": "idle beside work",
    "start_timeout": "not ready in time",
    "exec_error": "cannot be started",
    "config": "says its configuration is wrong",
    "lost": "ended unseen",
    "clean_unannounced": "ended without a word",
}


class Pen(NamedTuple):
    """What the output can show."""

    colour: bool = False
    unicode: bool = True
    width: int = 0
    """Columns a line may have; 0: as many as it needs."""

    def paint(self, text: str, look: Look) -> str:
        """Text in the colour of a state, where there is colour."""
        import click

        return click.style(text, fg=look.tone.colour) if self.colour else text

    def glyph(self, look: Look) -> str:
        """The sign of a state."""
        return look.glyph if self.unicode else look.mark


def picture(rows: Sequence[Row], by: str, pen: Pen) -> list[str]:
    """The table and, below it, what is wrong, held or not known."""
    return [*_table(rows, by, pen), *troubles(rows, by, pen)]


def _table(rows: Sequence[Row], by: str, pen: Pen) -> list[str]:
    told = [row for row in rows if row.hosts and (row.name or row.rest)]
    heads = [by, *_HEADS, "next wake"]
    cells: list[list[str]] = [_cells(row, by, pen) for row in told]
    cells += [_unknown(row, pen) for row in rows if row.silent]
    keep = [number for number, head in enumerate(heads) if not _useless(head, cells, number)]
    lines = _laid(heads, cells, keep)
    if not pen.width or max(map(_columns, lines)) <= pen.width:
        return lines
    slots, wakes = heads.index("slots"), heads.index("next wake")
    keep = [number for number in keep if number not in (slots, wakes)]
    # Heads as a row like others: tabulate gives those it knows as such more room.
    folded = [[_FOLDS.get(head, head).upper() for head in heads], *cells]
    lines = _laid(heads, folded, keep, headless=True)
    above = len(lines) - len(cells)
    below = [_folded(line[slots], line[wakes], pen.width) for line in cells]
    pairs = zip(lines[above:], below, strict=True)
    return [*lines[:above], *(line for first, rest in pairs for line in (first, *rest))]


_FOLDS = {
    "errors 15m": "errors\n15m",
    "oldest task": "oldest\ntask",
    "inst/host": "inst/\nhost",
}
"""Heads on a narrow terminal, where slots and next wake stand below their line."""


def _laid(
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    keep: Sequence[int],
    *,
    headless: bool = False,
) -> list[str]:
    """Some columns side by side."""
    from tabulate import tabulate

    text = tabulate(
        [[line[number] for number in keep] for line in cells],
        headers=[] if headless else [heads[number].upper() for number in keep],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if heads[number] in _NUMBERS else "left" for number in keep],
    )
    return [line.rstrip() for line in text.splitlines()]


def _folded(slots: str, wakes: str, width: int) -> Iterator[str]:
    """The counts of a row, indented, on as many lines as they need."""
    line, parts = "", slots.split(_BETWEEN)
    if wakes not in ("-", "?"):
        parts.append(f"next wake {wakes}")
    for part in parts:
        if line and _columns(line + _BETWEEN + part) + _INDENT > width:
            yield " " * _INDENT + line
            line = ""
        line += (_BETWEEN if line else "") + part
    yield " " * _INDENT + line


def _columns(line: str) -> int:
    """How much room a line takes, whatever its colours."""
    import click

    return len(click.unstyle(line))


_BETWEEN, _INDENT = "  ", 2
_NUMBERS = ("hosts", "pools", "errors 15m", "memory", "inst/host", "full")


def _useless(head: str, cells: Sequence[Sequence[str]], number: int) -> bool:
    """A column in which no row has anything, and which says nothing by that."""
    return head in ("inst/host", "full", "memory") and all(c[number] in ("-", "") for c in cells)


def _cells(row: Row, by: str, pen: Pen) -> list[str]:
    """One line of the table."""
    group = row.group
    full = "-" if row.fullness is None else f"{row.fullness[0]:.0f}%"
    if row.fullness and len(row.hosts) > 1:
        full += f" ({row.fullness[1]:.0f}%)"
    name = row.name or f"({row.rest:,} more)"
    hosts = fold(row.hosts) if by == "instance" and row.name else f"{len(row.hosts)}"
    return [
        *(printable(name), hosts, f"{group.pools:,}", slots_text(group.slots, pen)),
        *(_errors(group.errors_15m, pen), _oldest(group), _memory(group)),
        "-" if row.instances_per_host is None else f"{row.instances_per_host:g}",
        full,
        "-" if group.next_wake_s is None else f"in {format_duration(group.next_wake_s)}",
    ]


def _unknown(row: Row, pen: Pen) -> list[str]:
    """The line of hosts that told nothing: no number stands for them."""
    by_state: dict[str, int] = {}
    for one in row.silent.values():
        by_state[one.state] = by_state.get(one.state, 0) + 1
    parts = []
    for state, count in by_state.items():
        look = HOST_LOOKS.get(state, HOST_LOOKS["unknown"])
        parts.append(pen.paint(f"{pen.glyph(look)} {count} {look.label}", look))
    name = f"{row.name} (unknown)" if row.name and row.hosts else row.name or "(unknown)"
    return [
        printable(name),
        f"{len(row.silent)}",
        "?",
        _BETWEEN.join(parts),
        "?",
        "?",
        "?",
        "?",
        "?",
        "?",
    ]


def slots_text(slots: Mapping[str, int], pen: Pen) -> str:
    """`● 3 busy  ☾ 1,195 hibernating`: every state that is there, in the order of the words."""
    parts = []
    for state in STATES:
        if slots.get(state):
            look = LOOKS[state]
            parts.append(pen.paint(f"{pen.glyph(look)} {slots[state]:,} {look.label}", look))
    return _BETWEEN.join(parts) or "-"


def _errors(count: int, pen: Pen) -> str:
    return pen.paint(f"{count:,}", LOOKS["failed"]) if count else "0"


def _oldest(group: Group) -> str:
    """How long the oldest task has been there; `-`: none, `?`: its source fails."""
    if group.oldest_s is not None:
        text = f"{format_duration(group.oldest_s)} ({group.claimable:,})"
        return text + (" ?" if group.uncertain else "")
    if group.uncertain:
        return "?"
    return "not counted" if group.uncounted == group.pools else "-"


def _memory(group: Group) -> str:
    """Of the processes there are; `>` where not all could be measured."""
    if not group.processes:
        return "-"
    if not group.measured:
        return "?"
    size = group.memory_mb
    text = f"{size / 1024:.1f} GB" if size >= 10_000 else f"{size:.0f} MB"
    return text if group.measured >= group.processes else f">{text}"


def troubles(rows: Sequence[Row], by: str, pen: Pen) -> Iterator[str]:
    """What needs a person: errors with cause and next try, holds, hosts that told nothing."""
    for trouble, where in _gathered(rows, lambda group: group.troubles):
        assert isinstance(trouble, Trouble)
        look = look_of(trouble.state)
        text = f"{pen.glyph(look)} {_pools(trouble.pools)} {trouble.state}"
        cause = CAUSES.get(trouble.cause, trouble.cause)
        probe = "probe" if trouble.state == "FAILED" else "restart"
        yield (
            pen.paint(text, look)
            + f": {cause} ({trouble.cause}){_due(probe, trouble.next_s)}; {where}{_see(trouble)}"
        )
    for hold, where in _gathered(rows, lambda group: group.holds):
        assert isinstance(hold, Hold)
        yield f"{_hold_line(hold, pen)}; {where}{_way_out(hold)}"
    yield from _failing(rows, pen)
    yield from _silent(rows, pen)


def _see(trouble: Trouble) -> str:
    """Where the error itself can be read, of one that stands for all of its sort."""
    if not trouble.pool:
        return ""
    return f"; see: fleetctl pools log {printable(trouble.pool)} --host {trouble.host}"


def _hold_line(hold: Hold, pen: Pen) -> str:
    """Who keeps pools down, why, and for how long; of a run, whether it will let go."""
    look = look_of(hold.state)
    head = pen.paint(f"{pen.glyph(look)} {_pools(hold.pools)} {hold.state}", look)
    if hold.run:
        run = printable(hold.run)
        return f"{head} by run {run}{_STANDINGS[hold.standing]}"
    by_whom = f" by {printable(hold.by)}" if hold.by else ""
    left = "" if hold.left_s is None else f", {format_duration(hold.left_s)} left"
    return f'{head}{by_whom}: "{printable(hold.why)}"{left}'


_STANDINGS = {
    "": "",
    "live": ", which is at work",
    "over": ", which is over",
    "unknown": ", of which nothing is known",
}
"""What is said of a run that holds pools."""


def _way_out(hold: Hold) -> str:
    """What to type about a run that will not let go by itself: it ends the line, to be copied."""
    words = _WAYS_OUT.get(hold.standing, "") if hold.run else ""
    return words.format(run=printable(hold.run))


_WAYS_OUT = {
    "over": ": fleetctl runs resume {run}, or fleetctl pools release {run}",
    "unknown": ": fleetctl lock status, fleetctl pools release {run}",
}


def _failing(rows: Sequence[Row], pen: Pen) -> Iterator[str]:
    """Overseers that are in trouble themselves, once a fault."""
    faults: dict[str, dict[str, None]] = {}
    for row in rows:
        for host, its in row.failing.items():
            for fault in its:
                faults.setdefault(fault, {})[host] = None
    look = LOOKS["failed"]
    for fault, hosts in faults.items():
        text = pen.paint(f"{pen.glyph(look)} overseer in trouble", look)
        yield f"{text}: {fault} on {fold(hosts)}; {_WHERE[fault]}"


_WHERE = {
    FAULTS["lookouts_failing"]: "see logs/attention.* in its folder",
    FAULTS["sockets_failing"]: "`fleetctl pools --local status` there names it",
    FAULTS["log_failing"]: "is the disk full?",
}
"""Fault of an overseer -> where a person looks."""


def _gathered(
    rows: Sequence[Row], of: Callable[[Group], Sequence[Trouble | Hold]]
) -> Iterator[tuple[Trouble | Hold, str]]:
    """Equal ones of all rows together, and in which rows they are."""
    whole = total(row.group for row in rows)
    for one in of(whole):
        key = _same(one)
        where = [row.name for row in rows if any(_same(its) == key for its in of(row.group))]
        named = [printable(name) for name in where if name]
        shown = ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
        yield one, shown or "not listed"


def _same(one: Trouble | Hold) -> tuple[str, ...]:
    return (
        (one.state, one.cause)
        if isinstance(one, Trouble)
        else (*(one.state, one.why, one.by, one.run),)
    )


def _pools(count: int) -> str:
    return "1 pool" if count == 1 else f"{count:,} pools"


def _due(what: str, seconds: float | None) -> str:
    return "" if seconds is None else f", next {what} in {format_duration(seconds)}"


def _silent(rows: Sequence[Row], pen: Pen) -> Iterator[str]:
    """Hosts that told nothing, once a cause."""
    causes: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for host, one in row.silent.items():
            causes.setdefault((one.state, one.detail), []).append(host)
    for (state, detail), hosts in causes.items():
        look = HOST_LOOKS.get(state, HOST_LOOKS["unknown"])
        text = pen.paint(f"{pen.glyph(look)} {hosts_word(len(hosts))} {state}", look)
        hint = _HINTS.get(state, "").format(shlex.quote(fold(hosts)))
        yield f"{text}: {fold(hosts)}: {printable(detail)}{hint}"


_HINTS = {
    "absent": "; hint: fleetctl pools install {}",
    "stopped": "; hint: start it, or fleetctl pools install {}",
    "refused": "; hint: fleetctl pools upgrade {}, when it is an older one",
}


def summary(rows: Sequence[Row], silent: Mapping[str, Silent], told: int) -> str:
    """One line: how many told, what they keep, whether there were errors lately."""
    groups = [row.group for row in rows]
    whole = total(groups)
    words = sorted(whole.words.items(), key=lambda one: list(LOOKS).index(one[0].lower()))
    counts = ", ".join(f"{number:,} {word.lower()}" for word, number in words) or "none"
    hosts = hosts_word(told) if not silent else f"{told} of {hosts_word(told + len(silent))}"
    errors = f"{whole.errors_15m:,} error{'s' if whole.errors_15m > 1 else ''} in 15 min"
    lately = errors if whole.errors_15m else "no errors recently"
    keep = "keeps" if len(silent) == 1 else "keep"
    unknown = f"; what {hosts_word(len(silent))} {keep} is unknown" if silent else ""
    return f"{hosts} told: {_pools(whole.pools)}: {counts}; {lately}{unknown}"


def versions_note(versions: Mapping[str, str]) -> str:
    """That overseers are not all the same program (host -> which); empty when they are."""
    hosts: dict[str, list[str]] = {}
    for host, version in versions.items():
        hosts.setdefault(version or "one that does not tell", []).append(host)
    if len(hosts) < 2:
        return ""
    rarest = min(hosts.values(), key=len)
    return (
        f"note: overseers are of {len(hosts)} versions; another than most: {fold(rarest)}; "
        "fleetctl pools upgrade"
    )
