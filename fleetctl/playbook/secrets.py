"""Named secrets: where they come from and which steps are given them; never their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from fleetctl.base.errors import Location
from fleetctl.base.marked import Document
from fleetctl.base.names import did_you_mean
from fleetctl.playbook.model import Mistakes, Phase
from fleetctl.playbook.operations import Exec, Foreach, SecretExec, SecretSource, SecretUse
from fleetctl.playbook.source import SecretsText, SecretText

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = frozenset(
    {"CDPATH", "ENV", "HOME", "IFS", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "SHELL"}
)
"""Variables a step lives by; a path in one of them would break it in odd ways."""
_KINDS = ("env", "command", "file")


def read_secrets(
    document: Document, texts: Mapping[str, SecretText], folder: str
) -> dict[str, SecretSource]:
    """The declared secrets, all of them checked."""
    return {
        name: _source(text, str(document.location(("secrets", name))), folder)
        for name, text in texts.items()
    }


def _source(text: SecretText, place: str, folder: str) -> SecretSource:
    if text.env:
        return SecretSource("env", (text.env,), place)
    if text.file:
        path = text.file if text.file.startswith("~/") else str(PurePosixPath(folder) / text.file)
        return SecretSource("file", (path,), place)
    argv = ("sh", "-c", text.command) if isinstance(text.command, str) else text.command
    return SecretSource("command", argv, place, folder)


def check_secrets(
    document: Document,
    texts: Mapping[str, SecretText],
    phases: Sequence[Phase],
    mistakes: Mistakes,
) -> None:
    """Note what is wrong with the declarations and with the steps that name them."""
    for name, text in texts.items():
        if not _NAME.fullmatch(name):
            place = document.key_location(("secrets", name))
            mistakes.add(f'"{name}" cannot be a secret: letters, digits, _ . - only', place)
        given = [kind for kind in _KINDS if getattr(text, kind)]
        if len(given) != 1:
            mistakes.add(
                f"secret {name} comes from {' and from '.join(given) or 'nowhere'}",
                document.location(("secrets", name)),
                hint="say exactly one of env, command, file",
            )
    for phase in phases:
        for step in phase.steps:
            uses = step.options.secrets
            if uses is not None:
                _check_use(uses, step.written.at, texts, mistakes)


def _check_use(
    uses: SecretsText,
    at: Callable[..., Location],
    texts: Mapping[str, SecretText],
    mistakes: Mistakes,
) -> None:
    if not uses.stdin and not uses.files:
        hint = "secrets: {stdin: NAME} or secrets: {files: {PW_FILE: NAME}}"
        mistakes.add("this step names no secret", at("secrets"), hint=hint)
    for name, path in _named(uses):
        if name not in texts:
            hint = did_you_mean(name, texts) if texts else "declare it under `secrets:` at the top"
            mistakes.add(f'no secret is named "{name}"', at(*path), hint=hint)
    for variable in uses.files:
        if not _VARIABLE.fullmatch(variable) or variable in _TAKEN:
            why = "" if variable in _TAKEN else "letters, digits and _ only"
            what = f'"{variable}" cannot be the variable for a file'
            mistakes.add(what, at("secrets", "files", variable), why=why)


def _named(uses: SecretsText) -> Iterator[tuple[str, tuple[str, ...]]]:
    if uses.stdin:
        yield uses.stdin, ("secrets", "stdin")
    for variable, name in uses.files.items():
        yield name, ("secrets", "files", variable)


def with_secrets(
    operation: Exec, uses: SecretsText | None, known: Mapping[str, SecretSource]
) -> Exec:
    """The operation with the secrets its step names, all of them known."""
    if uses is None:
        return operation
    variables = {"": uses.stdin, **uses.files}
    given = tuple(SecretUse(name, known[name], at) for at, name in variables.items() if name)
    if isinstance(operation, Foreach):
        return msgspec.structs.replace(operation, secrets=given)
    return SecretExec(operation.act, operation.check, operation.undo, operation.restore, given)
