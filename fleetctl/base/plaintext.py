"""Text of others made safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` without the power to move a terminal's cursor; tabs and newlines stay."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


def last_lines_of(stderr: bytes, stdout: bytes, count: int) -> list[str]:
    """The last lines of stderr, or of stdout when that says nothing; safe to show."""
    text = (stderr.strip() or stdout.strip()).decode("utf-8", "replace")
    return [printable(line.replace("\t", " ")) for line in text.splitlines()[-count:]]


def hosts_word(count: int) -> str:
    """`1 host`, `3 hosts`."""
    return f"{count} host" + ("" if count == 1 else "s")
