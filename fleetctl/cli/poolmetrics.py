"""`fleetctl pools metrics`: figures of all overseers in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fleetctl.base.errors import ExitCode
from fleetctl.cli.output import tell, write
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Silent
    from fleetctl.pools.tallies import Group, Tally

Labels = Mapping[str, str]


class Figure(NamedTuple):
    """A family of samples: `fleetctl_` and its name, what it means."""

    name: str
    help: str


UP = Figure("overseer_up", "1: the overseer of the host told; 0: what it keeps is unknown.")
POOLS = Figure("kind_pools", "Pools by their word.")
SLOTS = Figure("kind_slots", "Slots by their state.")
TROUBLES = Figure("kind_troubled_pools", "Pools that rest after errors, by cause.")
CLAIMABLE = Figure("kind_claimable_tasks", "Tasks nobody has taken; not there where not counted.")
OLDEST = Figure("kind_oldest_task_seconds", "How long tasks have been there that nobody took.")
WAKE = Figure("kind_next_wake_seconds", "Until the first sleeper's time comes.")
MEMORY = Figure("kind_resident_bytes", "Resident memory of the processes that were measured.")
_COUNTS = {
    "places": Figure("kind_places", "Processes there may be at once."),
    "processes": Figure("kind_processes", "Processes there are."),
    "measured": Figure("kind_measured_processes", "Processes whose memory was measured."),
    "errors_15m": Figure("kind_errors_15m", "Errors in the last 15 minutes."),
    "uncertain": Figure("kind_uncertain_pools", "Pools whose tasks nobody can count just now."),
}


@click.command()
@selection_options
def metrics(choice: Choice) -> ExitCode:
    """Figures of all hosts that keep pools, with host, tier and kind as labels.

    A host that does not tell has only fleetctl_overseer_up 0: what is unknown is not zero.
    Exits 0 when all told, whatever they told; 1: an overseer is missing; 3: some host is unknown;
    4: some are unreachable.
    """
    from fleetctl.base.outcome import exit_code_of
    from fleetctl.cli.overseers import Silent, ask_overseers
    from fleetctl.cli.poolstatus import pick_keepers, read

    fleet, hosts = pick_keepers(choice)
    answers = read(ask_overseers(fleet, hosts, "tally"))
    write(exposition(answers, {host: fleet.hosts[host].tier for host in hosts}).rstrip("\n"))
    silent = {host: one for host, one in answers.items() if isinstance(one, Silent)}
    for host, one in silent.items():
        tell(f"{host}: {one.state}: {one.detail}")
    return exit_code_of(one.outcome for one in silent.values())


def exposition(answers: Mapping[str, Tally | Silent], tiers: Mapping[str, str]) -> str:
    """What overseers told, as Prometheus reads it: each family once, its samples together."""
    families: dict[Figure, list[str]] = {}
    for figure, labels, value in _samples(answers, tiers):
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        families.setdefault(figure, []).append(f"fleetctl_{figure.name}{{{told}}} {value:.10g}")
    lines = []
    for figure, samples in families.items():
        lines.append(f"# HELP fleetctl_{figure.name} {figure.help}")
        lines.append(f"# TYPE fleetctl_{figure.name} gauge")
        lines += samples
    return "\n".join(lines) + "\n"


def _samples(
    answers: Mapping[str, Tally | Silent], tiers: Mapping[str, str]
) -> Iterator[tuple[Figure, Labels, float]]:
    from fleetctl.cli.overseers import Silent
    from fleetctl.pools.overseer.metrics import family

    for host, answer in answers.items():
        labels = {"host": host, "tier": tiers[host]}
        yield UP, labels, float(not isinstance(answer, Silent))
        if isinstance(answer, Silent):
            continue
        for figure, told in answer.overseer.items():
            name, meaning, value = family(figure, float(told))
            yield Figure(name, meaning), labels, value
        for kind, group in answer.groups.items():
            yield from _of_kind(group, {**labels, "kind": kind})


def _of_kind(group: Group, labels: Labels) -> Iterable[tuple[Figure, Labels, float]]:
    for word, number in group.words.items():
        yield POOLS, {**labels, "state": word.lower()}, number
    for state, number in group.slots.items():
        yield SLOTS, {**labels, "state": state}, number
    for name, figure in _COUNTS.items():
        yield figure, labels, getattr(group, name)
    for one in group.troubles:
        yield TROUBLES, {**labels, "state": one.state.lower(), "cause": one.cause}, one.pools
    if group.uncounted + group.uncertain < group.pools:
        yield CLAIMABLE, labels, group.claimable
        yield OLDEST, labels, group.oldest_s or 0.0
    if group.next_wake_s is not None:
        yield WAKE, labels, group.next_wake_s
    if group.measured or not group.processes:
        yield MEMORY, labels, group.memory_mb * 1048576


def _escaped(text: Any) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
