"""The secrets of a plan, fetched from where it says: all of them, before any host is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fleetctl.base.disguises import VALUE_BYTES_MIN
from fleetctl.base.errors import Refused
from fleetctl.base.redaction import Redactor
from fleetctl.cli.output import tell
from fleetctl.plan.digest import canonical
from fleetctl.plan.model import Plan
from fleetctl.plan.words import channel_secrets_of, secrets_of
from fleetctl.playbook.operations import SecretSource
from fleetctl.transport.veil import Vault

VALUE_BYTES_MAX = 1024 * 1024
COMMAND_S = 120.0
"""A person may have to unlock a key ring meanwhile."""
_SAID_MAX = 300


def open_vault(plan: Plan) -> Vault:
    """The values of all secrets of the plan; raises Refused with all that is wrong with them.

    Variables they came from are taken out of the environment of whatever is started later.
    """
    sources = secrets_of(plan)
    values, wrong = fetch(sources)
    more_sources = {n: s for n, s in channel_secrets_of(plan).items() if n not in sources}
    more_values, missing = fetch(more_sources)
    sources, values = sources | more_sources, values | more_values
    for source in sources.values():
        if source.kind == "env":
            os.environ.pop(source.words[0], None)
    for place, what in missing:  # who is told of a push does not decide whether there is one
        tell(f"warning: {what} ({place}): who is to be told by it is not")
    if wrong:
        more = "".join(f"\n  and {what} ({place})" for place, what in wrong[1:])
        raise Refused(wrong[0][1] + more, where=wrong[0][0], why="nothing was touched")
    _refuse_clear_text(plan, values, sources)
    return Vault(values)


def fetch(sources: Mapping[str, SecretSource]) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The values by name; and place and words for each that is not to be had."""
    values: dict[str, bytes] = {}
    wrong: list[tuple[str, str]] = []
    for name, source in sources.items():
        try:
            values[name] = _checked(_FETCH[source.kind](source))
        except _UnusableError as error:
            wrong.append((source.place, f"secret {name}: {error}"))
    return values, wrong


class _UnusableError(Exception):
    """Why there is no value; holds none of it."""


def _checked(value: bytes) -> bytes:
    if len(value.strip()) < VALUE_BYTES_MIN:
        size = f"{len(value.strip())} bytes" if value.strip() else "nothing in it"
        raise _UnusableError(
            f"it has {size}, and less than {VALUE_BYTES_MIN} cannot be told from other text in what"
            " hosts say"
        )
    if len(value) > VALUE_BYTES_MAX:
        raise _UnusableError(
            f"it has {len(value)} bytes; more than {VALUE_BYTES_MAX} is a file to upload"
        )
    return value


def _from_environment(source: SecretSource) -> bytes:
    value = os.environb.get(os.fsencode(source.words[0]))
    if value is None:
        raise _UnusableError(f"the environment has no variable {source.words[0]}")
    return value


def _from_file(source: SecretSource) -> bytes:
    path = Path(source.words[0]).expanduser()
    try:
        with path.open("rb") as file:
            return file.read(VALUE_BYTES_MAX + 1)
    except OSError as error:
        raise _UnusableError(f"cannot read {path}: {error.strerror or error}") from None


def _from_command(source: SecretSource) -> bytes:
    import subprocess

    program = source.words[0]
    try:
        ended = subprocess.run(
            source.words, cwd=source.folder or None, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _UnusableError(f"{program} did not end within {COMMAND_S:g} s") from None
    except OSError as error:
        raise _UnusableError(f"cannot start {program}: {error.strerror or error}") from None
    if ended.returncode != 0:
        said = Redactor([ended.stdout]).redact(ended.stderr).decode("utf-8", "replace")
        last = said.strip().rpartition("\n")[2][:_SAID_MAX]
        raise _UnusableError(
            f"{program} ended with {ended.returncode}" + (f": {last}" if last else "")
        )
    return ended.stdout.removesuffix(b"\n")


_FETCH = {"env": _from_environment, "file": _from_file, "command": _from_command}


def _refuse_clear_text(
    plan: Plan, values: Mapping[str, bytes], sources: Mapping[str, SecretSource]
) -> None:
    """What the plan holds is shown and kept, so a secret may not stand in it."""
    text = canonical(plan)
    for name, value in values.items():
        clear = value.strip()
        written = canonical(clear.decode("utf-8", "replace"))[1:-1]
        if clear in text or written in text:
            raise Refused(
                f"the plan holds the value of secret {name} in clear",
                where=sources[name].place,
                why="plans are shown, saved and kept in the journal; nothing was touched",
                hint="take it out of playbook, inventory and --var; a common word is no secret",
            )
