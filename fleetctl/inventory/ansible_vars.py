"""What Ansible's variables mean for us: logins, tags, variables, and what has no place here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fleetctl.inventory.login import USER
from fleetctl.inventory.model import Scalar
from fleetctl.inventory.names import VARIABLE
from fleetctl.inventory.spread import ADDRESS

TAG_NAMES = ("zone", "shard", "pair")
"""Variables of these names become tags: batches are spread by them."""
SSH_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh")
_TEMPLATE = re.compile(r"\{\{|\{%")
_JUMP = re.compile(r"(?:[^@,]+@)?(\[[^\]]+\]|[^:,@]+)(?::[0-9]+)?")


class Unfit(ValueError):
    """A variable we would need has a value we cannot use."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


class Meaning(msgspec.Struct):
    """What the variables of one host amount to."""

    address: str = ""
    login: dict[str, Any] = msgspec.field(default_factory=dict)
    jump: str = ""
    """The host a ProxyJump names, as written; not yet looked up."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    variables: dict[str, Scalar] = msgspec.field(default_factory=dict)
    left: dict[str, str] = msgspec.field(default_factory=dict)
    """Variable -> why it is not carried over; never its value, which may be a secret."""
    foreign_connection: str = ""
    """A way of connecting we do not have: such a host is left out."""


def meaning(variables: Mapping[str, object]) -> Meaning:
    """Sort raw variables; raises Unfit when one that decides where we log in is unusable."""
    found = Meaning()
    for key, value in variables.items():
        known = _KNOWN.get(key)
        if known is not None:
            if isinstance(value, str) and _TEMPLATE.search(value):
                raise Unfit(key, "is a template, which only Ansible can fill")
            known(found, key, value)
        elif key.startswith("ansible_"):
            found.left[key] = "has no meaning here"
        else:
            _variable(found, key, value)
    return found


def _variable(found: Meaning, key: str, value: object) -> None:
    if not VARIABLE.fullmatch(key):
        found.left[key] = "is no name for a variable here"
    elif not isinstance(value, (str, int, float, bool)):
        found.left[key] = "is a list, a mapping or nothing; variables here are plain values"
    elif isinstance(value, str) and _TEMPLATE.search(value):
        found.left[key] = "is a template, which only Ansible can fill"
    elif key in TAG_NAMES and set(str(value)) & set("[]"):
        found.left[key] = "has brackets, which mean ranges in tags here"
    elif key in TAG_NAMES and str(value):
        found.tags[key] = str(value)
    else:
        found.variables[key] = value


def _address(found: Meaning, key: str, value: object) -> None:
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        raise Unfit(key, f'"{value}" is no address')
    found.address = value


def _port(found: Meaning, key: str, value: object) -> None:
    text = str(value)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Unfit(key, f'"{value}" is no port')
    found.login["port"] = int(text)


def _user(found: Meaning, key: str, value: object) -> None:
    if not USER.fullmatch(str(value)):
        raise Unfit(key, f'"{value}" is no user name')
    found.login["user"] = str(value)


def _identity(found: Meaning, key: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise Unfit(key, "is no path of a key file")
    found.login["identity"] = (value,)


def _timeout(found: Meaning, key: str, value: object) -> None:
    text = str(value)
    if not text.isdigit() or not int(text):
        raise Unfit(key, f'"{value}" is no number of seconds')
    found.login["connect_timeout_s"] = float(text)


def _connection(found: Meaning, key: str, value: object) -> None:
    word = str(value)
    if word == "local":
        found.login["transport"] = "local"
    elif word in _SSH:
        found.login["transport"] = "ssh"
    else:
        found.foreign_connection = word


def _ssh_arguments(found: Meaning, key: str, value: object) -> None:
    try:
        words = shlex.split(str(value))
    except ValueError as error:
        raise Unfit(key, str(error).lower()) from None
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-J", "-o") and words:
            word += words.pop(0)
        jump = _jump(word)
        if jump:
            found.jump = jump
            if "," in word:
                found.left[key] = "names a chain of jump hosts; only the last one is taken over"
        else:
            rest.append(word)
    if rest:
        found.left[key] = "holds more than a jump host; say the rest in ~/.ssh/config"


def _jump(word: str) -> str:
    """The host an argument jumps through: `-Jhost`, ProxyJump, or ProxyCommand with `ssh -W`."""
    text = ""
    if word.startswith("-J"):
        text = word[2:]
    option = re.fullmatch(r"-oProxy(Jump|Command)\s*[= ]\s*(.*)", word, re.IGNORECASE)
    if option and option[1].lower() == "jump":
        text = option[2]
    elif option and re.match(r"ssh\s.*-W\s*\S*%h", option[2]):
        text = next((w for w in reversed(option[2].split()) if "%" not in w), "")
    match = _JUMP.fullmatch(text.rpartition(",")[2]) if text else None
    return match[1].strip("[]") if match else ""


_KNOWN: dict[str, Callable[[Meaning, str, object], None]] = {
    "ansible_host": _address,
    "ansible_ssh_host": _address,
    "ansible_port": _port,
    "ansible_ssh_port": _port,
    "ansible_user": _user,
    "ansible_ssh_user": _user,
    "ansible_ssh_private_key_file": _identity,
    "ansible_private_key_file": _identity,
    "ansible_timeout": _timeout,
    "ansible_ssh_timeout": _timeout,
    "ansible_connection": _connection,
    **dict.fromkeys(SSH_ARGUMENTS, _ssh_arguments),
}
