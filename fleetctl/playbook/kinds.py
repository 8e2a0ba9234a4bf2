"""The registry of step and gate kinds: a kind is one file that defines `KIND`.

The kinds are found by listing the folders `steps` and `gates`; adding one is adding a file.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from fleetctl.playbook.operations import Once, Operation, Probe, Retry

Kind = TypeVar("Kind")


class Artifact(msgspec.Struct, frozen=True):
    """A release as a file on this machine."""

    release: str
    path: str
    """Absolute path of the gzipped tar archive."""
    sha256: str
    size: int
    content: str = ""
    """sha256 of what is in it, the same on every machine that made it from the same files."""
    schema: int = 0
    """The number of the newest migration it needs; 0: none is said."""


class KindContext(msgspec.Struct, frozen=True):
    """What a kind may know when it compiles what the author wrote."""

    folder: str
    """Absolute path of the playbook's folder; relative paths of the author start here."""
    artifact: Artifact | None
    """The release of the phase; None when no release is pinned or named."""
    measure: Callable[[str], tuple[str, int]]
    """sha256 and size of a file on this machine; raises OSError."""


class StepDraft(msgspec.Struct, frozen=True):
    """One step as a kind compiles it; the common options of the step are laid over it later."""

    operation: Operation
    title: str
    part: str = ""
    """Names it among the drafts of one authored step: `switch` gives key `...-deploy.switch`."""
    timeout_s: float | None = None
    retry: Retry | None = None
    once: Once = ""
    reads_release: bool = False
    expects: str = ""
    restores_itself: bool = False
    """Its own success ends the need of its operation's `restore`."""
    leaves: str = ""
    undo_last: bool = False
    undo_reads_release: bool = False


class GateDraft(msgspec.Struct, frozen=True):
    """One gate as a kind compiles it."""

    probe: Probe
    title: str
    when: Literal["before", "after"] = "after"
    timeout_s: float = 60.0
    interval_s: float = 2.0
    soak_s: float = 0.0


RELEASE: Literal["release"] = "release"
"""In place of a number of a migration: the one the release says it needs."""
SchemaNumber = Annotated[int, msgspec.Meta(ge=1)] | Literal["release"]


class SchemaWords(msgspec.Struct, frozen=True):
    """What a step says of the schema of instances."""

    needs: SchemaNumber | None = None
    """The code it puts in place runs on this and later; None: it does not say."""
    upgrades: bool = False
    to: SchemaNumber | None = None
    """Where it brings instances; None: to the newest there is."""


class StepKind(msgspec.Struct, frozen=True):
    """A kind of step: its word in the playbook, the shape of its value, and what it comes down to.

    `compile` may raise ValueError; the caller adds the place in the file.
    """

    word: str
    model: Any
    """A type msgspec can convert the YAML value to."""
    compile: Callable[[Any, KindContext], tuple[StepDraft, ...]]
    needs_release: bool = False
    fans_out: bool = False
    """It compiles to a Listing (part `list`) and a Foreach after it: its texts may name
    `{{item}}`."""
    schema: Callable[[Any], SchemaWords] | None = None
    names: Callable[[Any], tuple[str, ...]] | None = None
    """What its texts name of a host, beside what the author wrote."""


class GateKind(msgspec.Struct, frozen=True):
    """A kind of gate; as StepKind."""

    word: str
    model: Any
    compile: Callable[[Any, KindContext], tuple[GateDraft, ...]]


@functools.cache
def step_kinds() -> Mapping[str, StepKind]:
    """Every kind of step by its word."""
    return {kind.word: kind for kind in _found("fleetctl.playbook.steps", StepKind)}


@functools.cache
def gate_kinds() -> Mapping[str, GateKind]:
    """Every kind of gate by its word."""
    return {kind.word: kind for kind in _found("fleetctl.playbook.gates", GateKind)}


def _found(package_name: str, kind_type: type[Kind]) -> list[Kind]:
    package = importlib.import_module(package_name)
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    kinds = [importlib.import_module(f"{package_name}.{name}").KIND for name in names]
    assert all(isinstance(kind, kind_type) for kind in kinds)
    return kinds
