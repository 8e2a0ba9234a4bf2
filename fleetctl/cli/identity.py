"""Who asks, and in which words: what the journal keeps about the person."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable

_SECRET_VARIABLE = re.compile(r"(?i)^([\w.-]*(?:pass|secret|token|credential|key)[\w.-]*)=.*", re.S)


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
    return _SECRET_VARIABLE.sub(r"\1=***", word)
