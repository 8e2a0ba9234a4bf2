"""One rehearsal from the playbook to the last word: a lab is raised, pushed to, taken down."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode, UsageError
from fleetctl.cli.assemble import Assembled, Wish, assemble
from fleetctl.cli.inputs import read_knowledge
from fleetctl.cli.output import room, tell
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.planview import WIDTH, hosts_of, plan_lines
from fleetctl.cli.session import Manner, rehearse_run
from fleetctl.cli.standing import Answering, Answers
from fleetctl.lab.layout import Layout
from fleetctl.lab.rehearsal.closed import closed
from fleetctl.lab.rehearsal.mishaps import Mishap, parse_mishaps
from fleetctl.lab.rehearsal.stage import Call, Prompter, read_calls, set_stage
from fleetctl.lab.rehearsal.twin import Staging, Stood, Stub, twin_of

if TYPE_CHECKING:
    from fleetctl.cli.rehearse import Play
    from fleetctl.inventory.model import Fleet
    from fleetctl.plan.history import History
    from fleetctl.plan.model import Plan, PlanPhase, PlanStep

FAST = 60.0
STEP_S = 0.2
"""What a stand-in takes for a step no earlier run is known of."""
_UNDERTAKER = 'read -r word || { kill -TERM "$1"; sleep 2; rm -rf -- "$2"; }'


class Script(NamedTuple):
    """What is to be rehearsed, and how."""

    wish: Wish
    play: Play
    answers: Answers


class Scene(NamedTuple):
    """A rehearsal that is set up."""

    layout: Layout
    twin: Plan
    stood: Stood
    mishaps: tuple[Mishap, ...]

    @property
    def journal(self) -> str:
        """Of the rehearsal alone; the real one is only read, for how long steps take."""
        return str(self.layout.folder / "journal.db")


def play_through(script: Script) -> ExitCode:
    """Everything a person could get wrong is told before anything starts."""
    assembled = assemble(script.wish)
    plan = assembled.plan
    mishaps = parse_mishaps(script.play.fault, plan)
    script.answers.check(plan)
    left = script.answers.leaves_open(plan)
    if left and not sys.stdin.isatty():
        raise UsageError(
            f"nobody is there to answer: {left[0]}", hint="--yes, or --answer NAME=approve"
        )
    tell("\n".join(plan_lines(plan, room(WIDTH))))
    with _lab(script.play, assembled.fleet) as layout:
        scene = _set(script, assembled, layout, mishaps)
        _tell_what_is_played(scene, script.play)
        with Prompter(layout, mishaps) as prompter, closed():
            code = _push(scene, script)
        _tell_what_was_played(scene, prompter, code)
        if script.play.keep:
            _tell_where(scene)
    return code


@contextlib.contextmanager
def _lab(play: Play, fleet: Fleet) -> Iterator[Layout]:
    """A lab of the fleet in a folder of its own; taken down on every way out but `--keep`."""
    from fleetctl.lab.inventory import InventoryChanges
    from fleetctl.lab.lifecycle import down, up
    from fleetctl.lab.prepare import LabRequest

    if play.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="fleetctl-rehearsal-")).resolve()
    else:
        folder = Path(play.folder).expanduser().resolve()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError("a rehearsal needs a new folder", where=str(folder))
    layout = Layout(folder)
    undertaker: subprocess.Popen[bytes] | None = None
    try:
        up(layout, fleet, LabRequest("embedded", changes=InventoryChanges()))
        if not play.keep:
            undertaker = _undertaker(layout)
        yield layout
    finally:
        if not play.keep:
            if layout.state.exists():
                down(layout)
            shutil.rmtree(folder, ignore_errors=True)
        if undertaker is not None:
            undertaker.communicate(b"over\n")


def _undertaker(layout: Layout) -> subprocess.Popen[bytes]:
    """Takes the lab down when we end without having done so, even killed."""
    keeper = layout.pid.read_text().strip()
    return subprocess.Popen(
        ["sh", "-c", _UNDERTAKER, "sh", keeper, str(layout.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _set(
    script: Script, assembled: Assembled, layout: Layout, mishaps: tuple[Mishap, ...]
) -> Scene:
    from fleetctl.inventory.load import read_inventory

    plan = assembled.plan
    set_stage(layout, plan.hosts, mishaps)
    staging = Staging(
        stub=_stub(layout.folder / "stub"),
        seconds=_seconds(plan, read_knowledge(script.wish.journal, plan.fleet).history),
        fast=FAST if script.play.fast else 1.0,
        real=script.play.real,
        items=tuple(f"item-{number}" for number in range(1, script.play.items + 1)),
    )
    hosts = read_inventory(layout.inventory).fleet.hosts
    twin, stood = twin_of(plan, hosts, str(layout.known_hosts), staging)
    return Scene(layout, twin, stood, mishaps)


def _stub(path: Path) -> Stub:
    data = b"this stands for a file of the push\n"
    path.write_bytes(data)
    return Stub(str(path), hashlib.sha256(data).hexdigest(), len(data))


def _seconds(plan: Plan, history: History) -> Callable[[PlanPhase, PlanStep], float]:
    """How long a step takes by earlier runs; never longer than half of its deadline."""
    from fleetctl.plan.history import names_of

    names = names_of(plan)

    def seconds(phase: PlanPhase, step: PlanStep) -> float:
        tiers = {plan.hosts[host].tier for batch in phase.batches for host in batch}
        times = [history.expected_s(names[step.key], tier) for tier in tiers]
        known = [seconds for seconds in times if seconds is not None]
        return min(max(known, default=STEP_S), step.timeout_s / 2)

    return seconds


def _push(scene: Scene, script: Script) -> ExitCode:
    from fleetctl.transport.open import open_transport

    way = partial(
        open_transport,
        scene.twin.hosts,
        fanout=scene.twin.fanout,
        known_hosts=scene.twin.known_hosts,
        live=True,
        # Not the user's own: it may send everything through a real bastion.
        ssh_config=scene.layout.folder / "no-ssh-config",
    )
    manner = Manner(script.play.output, scene.journal)
    answering = partial(Answering, script.answers)
    return rehearse_run(scene.twin, manner, lambda sink: way(sink), answering)


# --- what is told


def _tell_what_is_played(scene: Scene, play: Play) -> None:
    stood = scene.stood
    tell(
        f"\nrehearsal: {hosts_word(len(scene.twin.hosts))} on this machine; stand-ins for "
        f"{len(stood.replaced)} steps and gates, {len(stood.real)} run as they are"
    )
    tell("  played: every command of steps, checks, undos and gates; files are a few bytes")
    tell("  real: connections, leases, locks, order, batches, budgets, retries, questions")
    if stood.real:
        tell(f"  run as they are, on this machine: {'; '.join(dict.fromkeys(stood.real))}")
    if play.fast:
        tell(f"  stand-ins, pauses, soaks, a gate's tries and throttles go {FAST:g} times faster")
    for mishap in scene.mishaps:
        tell(f"  fault: {mishap.words}")
    tell("")


def _tell_what_was_played(scene: Scene, prompter: Prompter, code: ExitCode) -> None:
    calls = read_calls(scene.layout, scene.twin.hosts)
    touched = {call.host for call in calls if call.word in ("act", "undo", "restore")}
    whole = len(hosts_of(scene.twin))
    tell(f"\nrehearsal: the push would have ended with {int(code)}: {EXIT_CODE_WORDS[code]}")
    tell(f"  {len(touched)} of {whole} hosts touched; {_calls_words(calls)}")
    shown = prompter.shown()
    for mishap in scene.mishaps:
        if mishap in shown:
            times = [each.wall_s for each in prompter.happened if each.mishap is mishap]
            when = f" at {time.strftime('%H:%M:%S', time.localtime(times[0]))}" if times else ""
            tell(f"  fault shown{when}: {mishap.words}")
        else:
            tell(f"  fault whose moment never came: {mishap.words}")


def _calls_words(calls: list[Call]) -> str:
    words = {"act": "commands", "check": "checks", "undo": "undos", "restore": "restores"}
    counts = {word: sum(call.word == word for call in calls) for word in words}
    said = [f"{count} {words[word]}" for word, count in counts.items() if count]
    return f"{', '.join(said)} stood in for" if said else "no stand-in was called"


def _tell_where(scene: Scene) -> None:
    folder = scene.layout.folder
    tell(f"  the lab is up: fleetctl lab status --dir {folder}; end it with `lab down --wipe`")
    tell(f"  its journal: fleetctl runs show last --journal {scene.journal}")
    tell(f"  what hosts were asked to do: {folder}/hosts/HOST/home/rehearsal/calls")
