"""One file of specs: what it holds, and where in it something stands."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Union

    Place = tuple[Union[str, int], ...]

HINT = "\n  hint: "
TOLD_MOST = 20
"""With more mistakes, the first ones are told."""
_KNOWN_MOST = 20_000
FOUND_MOST = 40
_EXPECTED = {
    "Invalid value": "expected a value: a text in quotes, a number, true, false,"
    " a list [...] or a table {...}",
    "Invalid statement": "expected KEY = VALUE or [TABLE]",
    "Invalid initial character for a key part": "expected a key: letters, digits, `_` and `-`,"
    " or a text in quotes",
    "Cannot overwrite a value": "this key has a value already",
    "Invalid date or datetime": "expected a value: dates are no values of ours",
}
"""Words of Python's tomllib that leave open what it expected."""
_UNQUOTED = {ord("'"): None, ord('"'): None}
_GROUP = re.compile(r"\s*\[\[instances\]\]")


class Sheet:
    """One file: its text, to find lines in."""

    def __init__(self, path: str, text: str, mistakes: list[str]) -> None:
        self.path = path
        self.lines = text.split("\n")
        self.mistakes = mistakes

    def wrong(self, place: Place, what: str, hint: str = "") -> None:
        """Remember a mistake at a place such as ("kind", "pull", "max")."""
        where = f"{self.path}:{self._line(place)}"
        self.mistakes.append(f"{where}: {what}" + (f"{HINT}{hint}" if hint else ""))

    def _line(self, place: Place) -> int:
        """The line the last part of a place stands in, found part by part; 1 if not at all."""
        found, start = 1, 0
        for part in place:
            if isinstance(part, int):  # the groups of instances are told apart by number
                heads = [n for n, line in enumerate(self.lines) if _GROUP.match(line)]
                if part < len(heads):
                    found, start = heads[part] + 1, heads[part]
                continue
            pattern = re.compile(rf'(?<![\w-])"?{re.escape(part)}"?(?![\w-])')
            for number in range(start, len(self.lines)):
                text = self.lines[number].split("#")[0]
                if pattern.search(text):
                    found, start = number + 1, number
                    break
        return found


def parse(file: Sheet, path: str, text: str) -> dict[str, Any]:
    """The content of a file; empty with a mistake told when it cannot be read."""
    try:
        if path.endswith(".json"):
            content = json.loads(text or "{}")
        else:
            import tomllib

            content = tomllib.loads(text)
    except ImportError:
        file.wrong((), "TOML needs Python 3.11 on the host", "write it as JSON")
    except json.JSONDecodeError as error:
        file.mistakes.append(f"{path}:{error.lineno}:{error.colno}: {error.msg}")
    except ValueError as error:
        line = re.search(r"at line (\d+), column (\d+)", str(error))
        where = f"{path}:{line[1]}:{line[2]}" if line else path
        found = text.split("\n")[int(line[1]) - 1][int(line[2]) - 1 :].strip() if line else ""
        what = _fuller(str(error).partition(" (at ")[0], found)
        file.mistakes.append(f"{where}: {what}")
    else:
        if isinstance(content, dict):
            return content
        file.wrong((), "the file must be a table")
    return {}


def _fuller(what: str, found: str) -> str:
    """What the reader of TOML says, with what it would have liked to see, and what there is."""
    there = f"; there is {found[:FOUND_MOST]!r}" if found else "; the line ends here"
    twice = re.fullmatch(r"Cannot declare \((.*?),?\) twice", what)
    if twice:
        return f"[{twice[1].replace(', ', '.').translate(_UNQUOTED)}] is there already"
    return _EXPECTED[what] + there if what in _EXPECTED else what


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant."""
    import difflib
    from itertools import islice

    listed = list(islice(known, _KNOWN_MOST))
    close = difflib.get_close_matches(word, listed, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(listed[:12])}"


def told(mistakes: list[str]) -> str:
    """Mistakes as they are told together."""
    more = len(mistakes) - TOLD_MOST
    return "\n".join(mistakes[:TOLD_MOST] + ([f"and {more} more mistakes"] if more > 0 else []))
