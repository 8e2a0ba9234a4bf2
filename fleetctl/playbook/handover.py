"""How a step is handed its secrets: sh text that lays them down, for the step's own time. Pure.

The values are written by the shell's own `printf`, in a script that only the login can read: they
never are in the arguments or the environment of any process. Standard input is a file too, already
removed, so that a step that does not read it can hold up nobody, however large it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetctl.playbook.operations import SecretUse

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.,:/+=@")
_STDIN = "0"
"""No variable is named so."""

# Beside the script of the run, for the login alone; the runner removes it however the step ends.
_FOLDER = '"${0%script}secret.$$"'
_HEAD = """case $(command -v printf) in
printf) ;;
*)
echo "fleetctl: printf is no builtin of this sh, it would show secrets to others" >&2
exit 78
;;
esac
(umask 077 && mkdir {folder}{files}) || {{
rm -rf {folder}
echo "fleetctl: the secrets of this step cannot be written on the host" >&2
exit 74
}}
"""
_STANDARD_INPUT = "exec <{folder}/0 && rm -f {folder}/0 || exit 74\n"
_VARIABLE = "{name}={folder}/{name}\nexport {name}\n"
_TAIL = """(
eval {act}
)
set -- $?
rm -rf {folder}
exit "$1"
"""


def handed(act: str, uses: Sequence[SecretUse], value: Callable[[str], bytes]) -> str:
    """The sh text `act` with its secrets in its hands, which are gone when it ends.

    `value` gives a secret's value by its name; any bytes are delivered as they are.
    """
    names = {use.variable or _STDIN: use.name for use in uses}
    files = "".join(
        f" && printf '{_printf_format(value(name))}' >{_FOLDER}/{at}" for at, name in names.items()
    )
    parts = [_HEAD.format(folder=_FOLDER, files=files)]
    for at in names:
        template = _STANDARD_INPUT if at == _STDIN else _VARIABLE
        parts.append(template.format(folder=_FOLDER, name=at))
    quoted = "'" + act.replace("'", "'\\''") + "'"
    return "".join([*parts, _TAIL.format(folder=_FOLDER, act=quoted)])


def _printf_format(value: bytes) -> str:
    """A format that prints exactly these bytes and can stand in single quotes, nested ones too."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in value)
