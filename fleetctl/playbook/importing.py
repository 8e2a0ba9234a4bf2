"""A runbook made into a playbook: a phase a heading and place, every line a manual step. Pure."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fleetctl.base.hostrange import fold
from fleetctl.playbook.runbook import Entry, Runbook

_NAME_MAX = 40


class Chunk(msgspec.Struct, frozen=True):
    """What becomes one phase."""

    heading: str
    hosts: tuple[str, ...]
    """Worked on one after the other; none: nobody's."""
    entries: tuple[Entry, ...]


def write_playbook(title: str, source: str, runbook: Runbook, tiers: Mapping[str, str]) -> str:
    """The YAML of it; `source` names the runbook, `tiers`: host -> tier."""
    chunks = chunk_up(runbook.entries)
    lines = [
        f"# Imported from {_one_line(source)}: {len(runbook.entries)} steps, all done by a person.",
        "# To automate one, make it a `run` step of a phase that has hosts:",
        '#   - manual: { command: "X" }   ->   - run: "X"',
        f"title: {_quoted(title)}",
        "phases:",
    ]
    names: set[str] = set()
    for chunk in chunks:
        lines += ["", *_phase_lines(chunk, _name(chunk, names), tiers)]
    if runbook.left_out:
        lines += ["", "# Lines that say nothing to do:"]
        lines += [f"#   {line}: {_one_line(text)}" for line, text in runbook.left_out.items()]
    return "\n".join(lines) + "\n"


def chunk_up(entries: Sequence[Entry]) -> list[Chunk]:
    """Neighbours of one heading and host; the same on one host after the other is one chunk."""
    chunks: list[Chunk] = []
    groups = itertools.groupby(entries, key=lambda entry: (entry.heading, entry.host))
    for (heading, host), group in groups:
        mine = tuple(group)
        before = chunks[-1] if chunks else None
        if before is not None and host and before.hosts and host not in before.hosts:
            same = [_said(e) for e in before.entries] == [_said(e) for e in mine]
            if same and before.heading == heading:
                chunks[-1] = Chunk(heading, (*before.hosts, host), before.entries)
                continue
        chunks.append(Chunk(heading, (host,) if host else (), mine))
    return chunks


def _said(entry: Entry) -> tuple[str, str]:
    return entry.command, entry.text.replace(entry.host, "\0") if entry.host else entry.text


def _phase_lines(chunk: Chunk, name: str, tiers: Mapping[str, str]) -> Iterator[str]:
    if chunk.heading:
        yield f"  # {_one_line(chunk.heading)}"
    yield f"  - name: {name}"
    if chunk.hosts:
        yield f"    hosts: {_quoted(_selector(chunk.hosts, tiers))}"
        if len(chunk.hosts) > 1:
            yield "    batches: 1"
    yield "    steps:"
    for entry in chunk.entries:
        if entry.unsure:
            yield f"      # line {entry.line}: {entry.unsure}, kept as text"
        yield f"      - manual: {_value(chunk, entry)}"


def _value(chunk: Chunk, entry: Entry) -> str:
    """The step; of several hosts it names the host, so that it is asked for each."""
    text = _escaped(entry.text)
    if len(chunk.hosts) > 1:
        text = text.replace(entry.host, "{{host.name}}")
        if "{{host.name}}" not in text:
            text = f"On {{{{host.name}}}}: {text}" if text else "On {{host.name}}"
    if not entry.command:
        return _quoted(text)
    said = f"text: {_quoted(text)}, " if text else ""
    return f"{{ {said}command: {_quoted(_escaped(entry.command))} }}"


def _selector(hosts: Sequence[str], tiers: Mapping[str, str]) -> str:
    tier = tiers[hosts[0]]
    if len(hosts) > 1 and {name for name, of in tiers.items() if of == tier} == set(hosts):
        return f"tier={tier}"
    return fold(list(hosts))


def _name(chunk: Chunk, taken: set[str]) -> str:
    """A phase name made of the heading, and the tier or host where the heading has several."""
    slug = re.sub(r"[^a-z0-9]+", "-", chunk.heading.lower()).strip("-")[:_NAME_MAX].strip("-")
    slug = re.sub(r"^(step-)?\d+-(?=[a-z])", "", slug) or "runbook"
    tries = itertools.chain(
        [slug], [f"{slug}-{chunk.hosts[0]}".lower()] if chunk.hosts else [],
        (f"{slug}-{number}" for number in itertools.count(2)),
    )  # fmt: skip
    name = next(each for each in tries if each not in taken)
    taken.add(name)
    return name


def _escaped(text: str) -> str:
    """Two braces of the runbook are no name of ours."""
    return text.replace("{{", "{{{{")


def _quoted(text: str) -> str:
    """A YAML text in double quotes: JSON's are the same."""
    return json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())
