"""`disk`: each host must have space left; asked before the phase touches a host."""

from __future__ import annotations

import re

import msgspec

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import HostProbe
from fleetctl.playbook.substitute import check_shell, shell_template_of

_SIZE = re.compile(r"([0-9]+)([KMGT])i?B?|([0-9]+)%")
_KIB = {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}
_SCRIPT = """path={path}
df -Pk -- "$path" | {{
  read -r heading
  read -r name size used free rest || exit 1
  need={enough}
  [ "$free" -ge "$need" ] || {{ echo "$path: $free KiB free, $need KiB needed" >&2; exit 1; }}
}}"""


class DiskGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`free` is a size such as 5G or 500M, or a share of the file system such as 10%."""

    path: str
    free: str


def _compile(value: DiskGate, context: KindContext) -> tuple[GateDraft, ...]:
    size = _SIZE.fullmatch(value.free)
    if size is None:
        raise ValueError(f'"{value.free}" is no size; write 5G, 500M or 10%')
    if size[3] and int(size[3]) > 100:
        raise ValueError(f"{value.free} of a file system are more than all of it")
    if not value.path:
        raise ValueError("the path is empty")
    # df -P: one line a file system, -k: in KiB; columns are name, size, used, free, use, mount.
    enough = f"$((size * {size[3]} / 100))" if size[3] else str(int(size[1]) * _KIB[size[2]])
    script = _SCRIPT.format(path=shell_template_of([value.path]), enough=enough)
    check_shell(script)
    title = f"{value.free} free at {value.path}"
    return (GateDraft(probe=HostProbe(script=script), title=title, when="before"),)


KIND = GateKind(word="disk", model=DiskGate, compile=_compile)
