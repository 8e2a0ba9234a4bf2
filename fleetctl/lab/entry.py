"""What stands between a login and its command: fault shims, all plain sh the reader can look at.

`fail` and `flood` act twice: on the command line a client sends (here in the `enter` script), and
on programs a running shell starts by name (a shim of that name, first on the host's PATH).
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from fleetctl.lab.faults import Fault, FaultKind
from fleetctl.lab.layout import LabHost, Layout

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
_REAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

_DF = """#!/bin/sh
# The lab's full disk: the real answer, with nothing free.
{program} -P "$@" | awk 'NR == 1 {{ print; next }} {{ $3 = $2; $4 = 0; $5 = "100%"; print }}'
"""


def command_argv(
    layout: Layout, host: LabHost, faults: Mapping[FaultKind, Fault], command: str
) -> tuple[str, ...]:
    """How the embedded server runs a command: through `enter` only while a fault asks for it."""
    if faults.keys() & {FaultKind.FAIL, FaultKind.FLOOD}:
        return ("sh", str(layout.enter(host.name)), command)
    return ("sh", "-c", command)


def write_entry(layout: Layout, host: LabHost, faults: Mapping[FaultKind, Fault]) -> None:
    """Bring `enter` and the shims of the host in line with its faults."""
    _replace(layout.enter(host.name), _enter_text(faults))
    shims = _shims(faults)
    folder = layout.shims(host.name)
    folder.mkdir(exist_ok=True)
    for stale in folder.iterdir():
        if stale.name not in shims:
            stale.unlink()
    for name, text in shims.items():
        _replace(folder / name, text)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(path)


def _enter_text(faults: Mapping[FaultKind, Fault]) -> str:
    """The command comes as `$1` (embedded) or in SSH_ORIGINAL_COMMAND (sshd's ForceCommand)."""
    lines = [
        "#!/bin/sh",
        'cd "$HOME" || exit 255',
        'if [ $# -gt 0 ]; then line=$1; elif [ -n "${SSH_ORIGINAL_COMMAND+x}" ]; then',
        "line=$SSH_ORIGINAL_COMMAND; unset SSH_ORIGINAL_COMMAND; else exec /bin/sh -i; fi",
        *_faults_for("$line", faults),
        'exec /bin/sh -c "$line"',
    ]
    return "\n".join(lines) + "\n"


def _faults_for(line: str, faults: Mapping[FaultKind, Fault]) -> list[str]:
    """sh lines that do to the command line in `line` what the faults say."""
    lines = []
    flood, fail = faults.get(FaultKind.FLOOD), faults.get(FaultKind.FAIL)
    if flood is not None:
        lines += [
            f'case "{line}" in {sh_pattern(flood.command or "*")})',
            f"yes 'the lab floods standard output' | head -c {flood.size}",
            f"yes 'the lab floods standard error' | head -c {flood.size} >&2 ;; esac",
        ]
    if fail is not None:
        lines += [
            f'case "{line}" in {sh_pattern(fail.command)})',
            f'printf "lab: fault fail: %s\\n" "{line}" >&2; exit {fail.exit_status} ;; esac',
        ]
    return lines


def _shims(faults: Mapping[FaultKind, Fault]) -> dict[str, str]:
    """Programs to put before the real ones, by name."""
    shims = {}
    for kind in (FaultKind.FAIL, FaultKind.FLOOD):
        fault = faults.get(kind)
        name = fault.command.partition(" ")[0] if fault is not None else ""
        if _PLAIN_NAME.fullmatch(name):
            shims[name] = _shim_text(name, faults)
    if FaultKind.FULL_DISK in faults:
        shims["df"] = _DF.format(program=_real(shutil.which("df", path=_REAL_PATH)))
    return shims


def _shim_text(name: str, faults: Mapping[FaultKind, Fault]) -> str:
    real = _real(shutil.which(name, path=_REAL_PATH))
    lines = ["#!/bin/sh", f'line="{name}${{*:+ $*}}"', *_faults_for("$line", faults)]
    return "\n".join([*lines, f'exec {real} "$@"']) + "\n"


def _real(program: str | None) -> str:
    return shlex.quote(program or "/nonexistent")


def sh_pattern(glob: str) -> str:
    """A glob as a pattern of sh's `case`: everything but `*` and `?` is quoted."""
    return re.sub(r"[^*?]+", lambda match: shlex.quote(match.group()), glob)
