"""What a playbook needs of each host, as questions for it: one sh text a host. Pure.

Texts of the author are compiled and rendered by the plan's own compiler, so that a name means here
what it means in a push.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import resources
from shlex import quote
from typing import Any

import msgspec
from msgspec.structs import replace

from fleetctl.base.errors import InternalError
from fleetctl.inventory.model import Fleet
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_step
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.daemons import Daemons
from fleetctl.playbook.gates.disk import DiskGate
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.model import Check, Phase, Playbook, Step, Used
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.source import BudgetText, PhaseText, StepOptions
from fleetctl.playbook.steps.deploy import Deploy
from fleetctl.playbook.steps.schema_upgrade import SchemaUpgrade
from fleetctl.playbook.substitute import names_in, shell_template_of

LINES, LIVE = "lines", "live"
HOME = "_disk home .fleetctl ''"
"""Where our own records go on every host."""
DEPLOY_NEEDS = ("tar", "gzip", "sha256sum")
_SUDO = re.compile(r"(?:^|[\s;&|(])sudo\s")
_BEFORE = re.compile(
    r"(?:^|(?<=[\s;&|(]))(?:sudo|then|do|else|exec|if|while|until|time|!)\s+(?:-\S+\s+)*"
)
_COMMAND = re.compile(
    r"(?:^|[;&|(\n])\s*"
    r"([a-z][a-z0-9_.+-]*)(?=[\s;&|)]|$)"
)
_OF_THE_SHELL = frozenset(
    """alias bg break case cd command continue do done echo elif else esac eval exec exit export
    false fg fi for getopts hash if in jobs kill local printf pwd read readonly return set shift
    source sudo test then time times trap true type ulimit umask unalias unset until wait
    while""".split()  # noqa: SIM905  # sixty words, not sixty lines
)


class Wants(msgspec.Struct):
    """What one host is asked beside the usual, rendered."""

    lines: dict[str, None] = msgspec.field(default_factory=dict)
    """Calls of the prelude's sections, each once."""
    live: str = ""
    checks: dict[str, str] = msgspec.field(default_factory=dict)
    """Name of an author's check -> its sh text."""
    patience_s: float = 0.0
    """What its own checks may take."""


def wants_of(
    fleet: Fleet,
    playbook: Playbook,
    hosts: Collection[str],
    text_of: Callable[[Deploy], str],
    read_file: Callable[[str], str],
    sizes: Mapping[str, int],
) -> dict[str, Wants]:
    """Host -> what it is asked. `text_of` says how a deploy's live release is read; `sizes` how
    many bytes a phase uploads, where that is known.

    Raises InputErrors and UsageError as compiling the playbook itself would.
    """
    phases = [_asking(phase, text_of, sizes.get(phase.name, 0)) for phase in playbook.phases]
    phases += [_checking(check, number) for number, check in enumerate(playbook.checks, 1)]
    chosen = tuple(phase for phase in phases if phase.steps)
    wants: dict[str, Wants] = {name: Wants() for name in hosts}
    if not chosen or not hosts:
        return wants
    plan = _compiled(fleet, replace(playbook, phases=chosen, budget=None), hosts, read_file)
    patience = {check.text.name: float(check.text.timeout) for check in playbook.checks}
    for phase, step, host in _each(plan):
        _add(wants[host], step, _rendered(plan, phase, step, host), patience)
    return wants


def script_of(wants: Wants, *, bastion: bool) -> str:
    """The whole sh text for one host."""
    calls = [*wants.lines, HOME]
    if bastion:
        calls.append("_bastion")
    if wants.live:
        calls.append(f"_text live live {quote(wants.live)}")
    calls += [f"_text check {quote(name)} {quote(text)}" for name, text in wants.checks.items()]
    beside = "\n".join(f"{call} &" for call in calls)
    end = "wait\nread -r _up _rest </proc/uptime\nprintf '::end\\t%s\\n' \"$_up\"\n"
    return f"{prelude()}{beside}\n{end}"


def prelude() -> str:
    """The sections, without their comments."""
    text = resources.files("fleetctl.doctor").joinpath("prelude.sh").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"


def _compiled(
    fleet: Fleet, playbook: Playbook, hosts: Collection[str], read_file: Callable[[str], str]
) -> Plan:
    return compile_plan(
        PlanRequest(
            fleet=fleet, playbook=playbook, measure=_no_file, artifact=_no_release,
            read_file=read_file, hosts=hosts,
        )
    )  # fmt: skip


def _each(plan: Plan) -> Iterator[tuple[Any, Any, str]]:
    for phase in plan.phases:
        for host in (host for batch in phase.batches for host in batch):
            for step in phase.steps:
                yield phase, step, host


def _rendered(plan: Plan, phase: Any, step: Any, host: str) -> str:
    operation = render_step(plan, phase, step, host)
    assert isinstance(operation, Exec)
    return operation.act


def _add(wants: Wants, step: Any, text: str, patience: Mapping[str, float]) -> None:
    if step.title == LINES:
        wants.lines.update(dict.fromkeys(text.splitlines()))
    elif step.title == LIVE:
        wants.live = wants.live or text
    else:
        name = step.title.removeprefix("check ")
        wants.checks[name] = text
        wants.patience_s = max(wants.patience_s, patience[name])


# --- a phase of questions for each phase of the playbook


def _asking(phase: Phase, text_of: Callable[[Deploy], str], size: int) -> Phase:
    deploys = [step.value for step in phase.steps if isinstance(step.value, Deploy)]
    lines = [*_disk_lines(phase), *_root_lines(deploys, size), *_program_lines(phase, deploys)]
    texts = [(LINES, "\n".join(lines))] if lines else []
    if deploys:
        texts.append((LIVE, text_of(deploys[0])))
    return _phase_of(phase, texts)


def _checking(check: Check, number: int) -> Phase:
    phase = Phase(
        text=PhaseText(name=f"doctor-{number}", hosts=check.text.hosts, steps=()),
        hosts=check.hosts,
        needs=(),
        budget=BudgetText(),
        gates=(),
        steps=(),
        used=check.used,
        written=check.written,
    )
    return _phase_of(phase, [(f"check {check.text.name}", shell_of(check.text.run))])


def _phase_of(phase: Phase, texts: Iterable[tuple[str, str]]) -> Phase:
    steps = tuple(
        Step("run", text, StepOptions(name=title), None, phase.written) for title, text in texts
    )
    # A name only other texts of the phase use has no value here and needs none.
    names = names_in([text for _, text in texts])
    used: tuple[Used, ...] = tuple(used for used in phase.used if used.name in names)
    return replace(phase, steps=steps, gates=(), needs=(), used=used)


def _disk_lines(phase: Phase) -> Iterator[str]:
    for gate in phase.gates:
        if isinstance(gate.value, DiskGate):
            words = shell_template_of([gate.value.path, gate.value.free])
            yield f"_disk gate {words}"


def _root_lines(deploys: Iterable[Deploy], size: int) -> Iterator[str]:
    for deploy in deploys:
        yield f"_disk root {shell_template_of([deploy.to, str(size or '')])}"


def _program_lines(phase: Phase, deploys: Collection[Deploy]) -> Iterator[str]:
    texts = [text for step in phase.steps for text in _texts_of(step)]
    surely = {name for name in map(_first_word, _argvs_of(phase)) if name}
    surely.update(name for step in phase.steps for name in _of_kind(step.value))
    if deploys:
        surely.update(DEPLOY_NEEDS)
    likely = {name for text in texts for name in _programs_in(text)} - _OF_THE_SHELL - surely
    if any(_SUDO.search(text) for text in texts) or "sudo" in surely:
        yield "_sudo"
    for strictness, names in (("must", surely - {"sudo", ""}), ("may", likely)):
        if names:
            yield f"_programs {strictness} {' '.join(sorted(names))}"


def _programs_in(text: str) -> list[str]:
    """Words where sh expects a command; a guess, for a warning."""
    return _COMMAND.findall(_BEFORE.sub("; ", text))


def _of_kind(value: Any) -> Iterator[str]:
    """Programs a kind of step uses by itself."""
    if isinstance(value, Daemons) and value.systemd:
        yield "systemctl"
    elif isinstance(value, SchemaUpgrade) and value.engine:
        yield _first_word((value.python,))


def _texts_of(step: Step) -> Iterator[str]:
    """Every sh text of a step; an argv as one line."""
    for command in (*_commands_of(step.value), step.options.check, step.options.undo):
        if isinstance(command, str):
            yield command
        elif isinstance(command, tuple) and all(isinstance(word, str) for word in command):
            yield " ".join(command)


def _commands_of(value: Any) -> tuple[Any, ...]:
    match value:
        case Deploy():
            return value.restart, value.live
        case Daemons():
            own = value.command
            return (own.stop, own.start, own.status, value.reports) if own else (value.reports,)
        case SchemaUpgrade():
            return value.pending, value.upgrade, value.backup
        case _:
            return (value,)


def _argvs_of(phase: Phase) -> Iterator[tuple[str, ...]]:
    for step in phase.steps:
        value = step.value.restart if isinstance(step.value, Deploy) else step.value
        if isinstance(value, tuple) and value and all(isinstance(word, str) for word in value):
            yield value


def _first_word(argv: tuple[str, ...]) -> str:
    """The program an argv names to be found on PATH; empty when it names it by its place."""
    return argv[0] if re.fullmatch(r"[A-Za-z0-9_.+-]+", argv[0]) else ""


def _no_file(path: str) -> tuple[str, int]:
    raise FileNotFoundError(path)


def _no_release(release: str) -> Artifact:
    raise InternalError(f"nothing is deployed here, yet {release} was asked for")
