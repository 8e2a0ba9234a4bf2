"""Sh texts for the host: a word quoted, and an act behind its check. Pure."""

from __future__ import annotations


def quote(text: str) -> str:
    """`text` as one word of POSIX sh; raises ValueError for what sh cannot hold."""
    if "\0" in text:
        raise ValueError("a text for the host holds a NUL byte")
    return "'" + text.replace("'", "'\\''") + "'"


def checked(check: str, act: str) -> str:
    """A script that acts only when its check fails; keeps the output of the deciding part.

    Its arguments: the files of its two streams, and the file that tells it was the check.
    """
    return (
        f'if (eval {quote(check)}); then echo checked >"$3"; exit 0; fi\n'
        f'[ ! -f "$1" ] || : >"$1"\n[ ! -f "$2" ] || : >"$2"\nset --\neval {quote(act)}\n'
    )
