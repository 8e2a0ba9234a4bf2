"""What names tell: what somebody meant by one that does not exist, and which sound secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_SECRET = re.compile(r"pass|secret|token|credential|key", re.IGNORECASE)


def sounds_secret(name: str) -> bool:
    """Whether a variable of this name is likely to hold what others may not see."""
    return _SECRET.search(name) is not None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, or None when nothing is close."""
    import difflib  # only who is told of a mistake waits for it

    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean_file(path: Path) -> str:
    """A hint such as `did you mean "books/push.yaml"?`, or nothing; `path` is no file or folder."""
    try:
        match = nearest(path.name, [beside.name for beside in path.parent.iterdir()])
    except OSError:
        return ""
    return "" if match is None else f'did you mean "{path.with_name(match)}"?'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as `did you mean "web001"?`; names some of what exists when nothing is close."""
    choices = sorted(known)
    match = nearest(word, choices)
    if match is not None:
        return f'did you mean "{match}"?'
    if not choices:
        return ""
    shown = ", ".join(choices[:6])
    return f"known: {shown}" + (", ..." if len(choices) > 6 else "")
