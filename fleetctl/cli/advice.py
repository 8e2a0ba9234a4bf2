"""Commands we advise, as they must be typed to reach the journal that is in use."""

from __future__ import annotations

import os
import shlex

_flag = ""


def about(journal: str | None) -> None:
    """From now on advice is about this journal: the one a command was given, None: the usual."""
    global _flag
    usual = os.environ.get("FLEETCTL_JOURNAL") or None
    _flag = "" if journal in (None, usual) else f" --journal {shlex.quote(journal)}"


def advised(words: str) -> str:
    """`fleetctl runs resume RUN`, with `--journal` where it would go to another journal."""
    return f"{words}{_flag}"
