"""`upload`: a file of this machine laid down on the host, skipped where it is there already."""

from __future__ import annotations

from pathlib import PurePosixPath

import msgspec

from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.operations import Put
from fleetctl.playbook.substitute import names_in


class Upload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """`from` is relative to the playbook; `to` relative to the login's home."""

    source: str
    to: str
    mode: str = "0644"
    """Octal, in quotes or not."""


def _compile(value: Upload, context: KindContext) -> tuple[StepDraft, ...]:
    if names_in([value.source]):
        raise ValueError("`from` is read once, on this machine; it takes no names")
    source = str(PurePosixPath(context.folder) / value.source)
    try:
        sha256, size = context.measure(source)
    except OSError as error:
        raise ValueError(f"cannot read {value.source}: {error.strerror or error}") from None
    if not value.to or value.to.endswith("/"):
        raise ValueError(f'`to` names the file itself, not a folder: "{value.to}"')
    put = Put(source=source, sha256=sha256, size=size, dest=value.to, mode=_mode(value.mode))
    return (StepDraft(operation=put, title=f"upload {value.source} to {value.to}"),)


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise ValueError(f'"{text}" is no octal mode such as 0644')
    return mode


KIND = StepKind(word="upload", model=Upload, compile=_compile)
