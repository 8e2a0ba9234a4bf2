"""Who asks, and in which words: what the journal keeps about the person."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable

from fleetctl.base.names import sounds_secret

_VARIABLE = re.compile(r"([\w.-]+)=.*", re.DOTALL)


def whoami() -> str:
    """user@machine pid"""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} {os.getpid()}"


def spoken_words(argv: Iterable[str]) -> tuple[str, ...]:
    """The command line for the journal; values of variables that sound secret are taken out."""
    words: list[str] = []
    for word in argv:
        option, equals, rest = word.partition("=")
        if word.startswith("--") and equals and "=" in rest:
            words.append(f"{option}={_masked(rest)}")
        else:
            words.append(_masked(word))
    return tuple(words)


def _masked(word: str) -> str:
    found = _VARIABLE.fullmatch(word)
    return f"{found[1]}=***" if found and sounds_secret(found[1]) else word
