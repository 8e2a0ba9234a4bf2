"""The timeline of a run: a row a host, its steps as bars; batches, gates and people above. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from fleetctl.base.durations import format_duration
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import hosts_word
from fleetctl.report.axis import Axis
from fleetctl.report.lanes import HEAD, LANES, draw_lanes
from fleetctl.report.pieces import WORK, HostStory, Span
from fleetctl.report.shapes import Box, Chart, Label, Rule, Sign, cut
from fleetctl.report.story import RunStory

WIDTH = 1200.0
LEFT = 118.0
RIGHT = 1010.0
"""Between them is the time; names stand before it, ends after it."""
ROW = 15.0
ROWS_MAX = 48
"""Hosts of one chart; more make several, each with its own axis."""
BAR = 9.0
WIDTH_MIN = 1.6
_SIGN_OF = {
    Outcome.FAILED: "cross",
    Outcome.TIMED_OUT: "cross",
    Outcome.UNREACHABLE: "cross",
    Outcome.UNKNOWN: "question",
}


def draw_charts(story: RunStory, slow: Collection[tuple[str, str]] = ()) -> list[Chart]:
    """The charts of a run; `slow`: host and step title of what took too long."""
    rows = row_order(story)
    if not story.legs or not rows:
        return []
    count = -(-len(rows) // ROWS_MAX)
    size = -(-len(rows) // count)
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [_draw(story, axis_of(story, part if count > 1 else ()), part, slow, count)
            for part in parts]  # fmt: skip


def axis_of(story: RunStory, hosts: Collection[str] = ()) -> Axis:
    """Over all legs, or the part of them these hosts were worked on; never of no length."""
    stretches = [(leg.began_s, max(leg.ended_s, leg.began_s)) for leg in story.legs]
    begin_s, end_s = stretches[0][0], stretches[-1][1]
    wanted = frozenset(hosts)
    mine = [host for host in story.hosts.values() if host.host in wanted]
    if mine:
        begin_s = min(host.began_s for host in mine)
        end_s = max(host.settled_s or story.now_s for host in mine)
    shown = [
        (max(begin, begin_s), min(end, end_s))
        for begin, end in stretches
        if begin <= end_s and end >= begin_s
    ] or [(begin_s, begin_s)]
    if all(begin == end for begin, end in shown):
        shown[0] = (shown[0][0], shown[0][0] + 1.0)
    return Axis(shown, LEFT, RIGHT, story.began_s)


def row_order(story: RunStory) -> list[str]:
    """Hosts something was done on, in the order of the phase they spent most time in."""
    main: dict[str, tuple[float, int, int]] = {}
    order = {name: place for place, name in enumerate(story.phases)}
    for host in story.hosts.values():
        if not host.begun:
            continue
        took_s = sum(span.seconds for span in host.spans if span.kind in WORK)
        place = (took_s, -order[host.phase], -host.batch)
        main[host.host] = max(main.get(host.host, place), place)
    planned = {name: at for at, name in enumerate(story.outcomes())}
    return sorted(main, key=lambda name: (-main[name][1], -main[name][2], planned.get(name, 0)))


def _draw(
    story: RunStory, axis: Axis, rows: Sequence[str], slow: Collection[tuple[str, str]], count: int
) -> Chart:
    by_name: dict[str, list[HostStory]] = {name: [] for name in rows}
    for host in story.hosts.values():
        if host.host in by_name:
            by_name[host.host].append(host)
    top = HEAD + LANES
    place = {host: top + at * ROW for at, host in enumerate(rows)}
    bottom = top + len(rows) * ROW
    part = f", {rows[0]} to {rows[-1]}" if count > 1 else ""
    chart = Chart(
        f"Timeline of {hosts_word(len(rows))}{part}", WIDTH, bottom + 6, [], [], [], [], []
    )  # fmt: skip
    _draw_axis(chart, axis, bottom)
    draw_lanes(chart, story, axis, bottom)
    for band, words in _bands(story, axis, place):
        chart.bands.append(band)
        if band.width > len(words) * 5 + 8:
            chart.labels.append(Label(band.x + band.width - 3, band.y + 10, words, "batch"))
    for name, y in place.items():
        mine = by_name[name]
        chart.rules.append(Rule(LEFT, y + ROW, RIGHT, y + ROW, "row"))
        chart.labels.append(Label(LEFT - 6, y + 11, cut(name, LEFT - 8), "name", name))
        for host in mine:
            _draw_host(chart, axis, host, y, slow)
        is_slow = any((name, span.title) in slow for host in mine for span in host.spans)
        chart.labels.append(_end(mine, y, is_slow))
    return chart


def _draw_axis(chart: Chart, axis: Axis, bottom: float) -> None:
    for x, seconds in axis.ticks():
        chart.rules.append(Rule(x, HEAD - 4, x, bottom, "tick"))
        words = "0" if not seconds else _tick_words(seconds)
        chart.labels.append(Label(x, HEAD - 8, words, "tick"))
    for left, right in axis.gaps():
        told = "nobody was at it in between"
        chart.bands.append(Box(left, HEAD, right - left, bottom - HEAD, "gap", told))


def _tick_words(seconds: float) -> str:
    """`30 s`, `5 min`, `1 h 30 min`."""
    words = f"{seconds:g} s" if seconds < 10 else format_duration(seconds)
    return words.removesuffix(" 00 s").removesuffix(" 00 min").replace(" ", "\u00a0")


def _bands(story: RunStory, axis: Axis, place: dict[str, float]) -> Iterator[tuple[Box, str]]:
    """Each batch behind its hosts: where they stand together, one band."""
    for batch in story.batches.values():
        ended_s = batch.ended_s or story.now_s
        if not axis.shows(batch.began_s, ended_s):
            continue
        left, right = axis.x(batch.began_s), axis.x(ended_s)
        phase = story.phases[batch.phase].plan
        of = len(phase.batches)
        told = (
            f"{batch.phase}, batch {batch.batch + 1} of {of}: {hosts_word(len(batch.hosts))}, "
            f"{format_duration(max(0.0, ended_s - batch.began_s))}"
        )
        look = "even" if batch.batch % 2 else "odd"
        for first, last in _stretches(sorted(place[h] for h in batch.hosts if h in place)):
            band = Box(left, first, max(WIDTH_MIN, right - left), last - first + ROW, look, told)
            yield band, f"{batch.batch + 1}/{of}"


def _stretches(ys: Sequence[float]) -> Iterator[tuple[float, float]]:
    """First and last of rows that follow one another."""
    start = before = None
    for y in ys:
        if before is not None and start is not None and y - before > ROW + 0.1:
            yield start, before
            start = y
        start = y if start is None else start
        before = y
    if start is not None and before is not None:
        yield start, before


def _draw_host(
    chart: Chart, axis: Axis, host: HostStory, y: float, slow: Collection[tuple[str, str]]
) -> None:
    for number, span in enumerate(host.spans):
        left, right = axis.x(span.begin_s), axis.x(span.end_s)
        told = _span_words(host, span)
        if span.kind in ("held", "pause"):
            middle = y + ROW / 2
            chart.rules.append(Rule(left, middle, right, middle, span.kind, told))
            continue
        width = max(WIDTH_MIN, right - left)
        left = min(left, axis.right - width)
        box = Box(left, y + (ROW - BAR) / 2, width, BAR, _look(span, number), told)
        chart.boxes.append(box)
        sign = _SIGN_OF.get(span.outcome) if span.outcome is not None else None
        if sign is not None:
            chart.signs.append(Sign(min(right, axis.right - 4), y + ROW / 2, sign, told))
        elif (host.host, span.title) in slow and span.kind == "step":
            at = min(right, axis.right - 4)
            chart.signs.append(Sign(at, y + ROW / 2, "slow", f"{told}, slower than usual"))
    for mark in host.marks:
        told = f"{host.host}: {mark.text}"
        chart.signs.append(Sign(axis.x(mark.at_s), y + ROW / 2, mark.kind, told))


def _look(span: Span, number: int) -> str:
    if span.kind == "doubt":
        return "doubt"
    word = span.outcome.replace(" ", "-") if span.outcome is not None else ""
    parts = [word, *(["undo"] * (span.kind in ("undo", "restore"))), *(["second"] * (number % 2))]
    return " ".join(part for part in parts if part)


def _span_words(host: HostStory, span: Span) -> str:
    what = span.title if span.kind not in ("undo", "restore") else f"{span.kind} of {span.title}"
    outcome = f", {span.outcome}" if span.outcome is not None else ""
    cause = f": {span.cause}" if span.cause else ""
    return f"{host.host} ({host.phase}): {what}, {format_duration(span.seconds)}{outcome}{cause}"


def _end(mine: Iterable[HostStory], y: float, slow: bool) -> Label:
    """The host's worst end, and how long it was worked on."""
    hosts = list(mine)
    outcomes = [host.outcome for host in hosts]
    lost = [one for one in outcomes if one is not None and one.lost]
    words = str(lost[0] if lost else outcomes[-1] or "no end")
    took_s = sum(span.seconds for host in hosts for span in host.spans)
    retries = sum(host.retries for host in hosts)
    parts = [words, format_duration(took_s), *(["slow"] * slow)]
    parts += [f"{retries} more {'try' if retries == 1 else 'tries'}"] * bool(retries)
    text = ", ".join(parts)
    return Label(RIGHT + 8, y + 11, cut(text, WIDTH - RIGHT - 10), "bad" if lost else "end", text)
