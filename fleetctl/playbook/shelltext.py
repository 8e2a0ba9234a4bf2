"""Where in a POSIX sh text a value would land, and how it must be quoted there.

The scanner follows quotes, `$(...)`, comments and here-documents. Where two shells could read a
text differently (backquotes, quotes inside `${...}`, `case` inside `$(...)`, ...) it gives up for
the rest of the text rather than guess: a name after that point is refused, with the way out. The
way out always works: take the value into a variable on the first line.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Context = Literal["bare", "double", "single"]


class Hole(msgspec.Struct, frozen=True):
    """A place for the value of `name`."""

    name: str
    context: Context


Piece = str | Hole
WAY_OUT = 'take it into a variable on the first line: v={{%s}}, then use "$v"'

_WORD_ENDS = " \t\n;&|()<>"
_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([A-Za-z0-9_.]+)'|\"([A-Za-z0-9_.]+)\"|([A-Za-z0-9_.]+))")
_PLAIN_PARAMETER = re.compile(r"\$\{[^'\"`\\{}()]*(?:\$\{[A-Za-z0-9_]*\}[^'\"`\\{}()]*)*\}")
_PLAIN_ARITHMETIC = re.compile(r"\$\(\((?:[^'\"`\\#()\n]|\([^'\"`\\#()\n]*\))*\)\)")
_CODE_TAKER = re.compile(
    r"\b(?:(?:sh|bash|dash|ash|ksh|zsh|su|runuser)\b[^;&|\n]*\s-[A-Za-z]*c|ssh\b[^;&|\n]*)\s+$"
)
_IN_EVAL = re.compile(r"(?:^|[\s;&|(])eval\s[^;&|\n]*$")


def quoted(value: str, context: Context) -> str:
    """`value` written so that the shell reads it as itself in `context`."""
    if context == "bare":
        return "'" + value.replace("'", "'\\''") + "'"
    if context == "single":
        return value.replace("'", "'\\''")
    return re.sub(r'([\\"$`])', r"\\\1", value)


def referred(variable: str, context: Context) -> str:
    """A reference to a shell variable that is one word there, as `quoted` makes of a value."""
    if context == "double":
        return "${" + variable + "}"
    return f'"${variable}"' if context == "bare" else f"'\"${variable}\"'"


def shell_pieces(parts: tuple[tuple[str, bool], ...]) -> tuple[Piece, ...]:
    """The text with its holes; `parts` are (literal text or name, whether it is a name).

    Raises ValueError for a name at a place that cannot be made safe.
    """
    scanner = _Scanner()
    pieces: list[Piece] = []
    for text, is_name in parts:
        if is_name:
            pieces.append(Hole(text, scanner.hole(text)))
        else:
            scanner.read(text)
            pieces.append(text)
    return tuple(pieces)


class _Scanner:
    """Reads literal texts in turn; between two of them, `hole` tells the context reached."""

    def __init__(self) -> None:
        self._stack: list[str] = ["bare"]
        """Innermost last: bare (also inside `$(`), `(`, double, single, comment, code."""
        self._before = ""
        """The text read so far, holes as one harmless character."""
        self._here: list[tuple[str, bool, bool]] = []
        """Here-documents announced on this line: end word, tabs stripped, body expanded."""
        self._body: tuple[str, bool, bool] | None = None
        self._unsure = ""
        self._code_quote = ""

    def hole(self, name: str) -> Context:
        """The context for a value here; the value then counts as part of a word."""
        refusal = self._refusal()
        if refusal:
            raise ValueError(f"{{{{{name}}}}} {refusal}; {WAY_OUT % name}")
        self._before += "x"
        top = self._stack[-1]
        return "double" if top == "double" else "single" if top == "single" else "bare"

    def _refusal(self) -> str:
        top = self._stack[-1]
        if self._body:
            return "stands in a here-document, where no value can be quoted"
        if self._unsure:
            return f"stands after {self._unsure}, from where fleetctl cannot be sure of the quoting"
        if top == "comment":
            return "stands in a comment, which a line break in the value would end"
        if top == "code" or _IN_EVAL.search(self._before):
            return "stands inside a text that another shell or eval reads as code"
        if top != "single" and self._before.endswith("$"):
            return "stands right after $"
        if top != "single" and _odd_backslashes(self._before):
            return "stands right after a backslash"
        return ""

    def read(self, text: str) -> None:
        """Take the next literal text in."""
        position = 0
        while position < len(text) and not self._unsure:
            if self._body:
                position = self._read_body(text, position)
                continue
            step = self._step(text, position)
            self._before += text[position : position + step]
            position += step
        if self._unsure:
            self._before += text[position:]

    def _step(self, text: str, at: int) -> int:
        """Handle what begins at `at`; the number of characters used up."""
        top, char = self._stack[-1], text[at]
        if top == "comment" or top == "single" or (top == "code" and self._code_quote == "'"):
            self._end_plain("\n" if top == "comment" else "'", char)
            return 1
        if char == "\\":
            return 2
        if char == "$":
            return self._dollar(text, at)
        if char == "`":
            return self._give_up("a backquote")
        if top not in ("double", "code"):
            return self._bare(text, at)
        if char == '"':
            self._stack.pop()
        elif char == "\n" and self._here:
            return self._give_up("a here-document that begins inside quotes")
        return 1

    def _end_plain(self, end: str, char: str) -> None:
        """Comments and single quotes know no escapes: only their end means anything."""
        if char == "\n" and self._here and end == "'":
            self._give_up("a here-document that begins inside quotes")
        elif char == end:
            self._stack.pop()
            if end == "\n":
                self._line_ends()

    def _bare(self, text: str, at: int) -> int:
        char = text[at]
        if char in "'\"":
            self._open_quote(char)
        elif char == "#" and self._at_word_start():
            self._stack.append("comment")
        elif char == "<" and text.startswith("<<", at):
            return self._heredoc(text, at)
        elif char == "\n":
            self._line_ends()
        elif char in "()":
            return self._parenthesis(text, at)
        elif self._at_word_start():
            return self._word(text, at)
        return 1

    def _word(self, text: str, at: int) -> int:
        if text.startswith("[[", at):
            return self._give_up("[[")
        inside = len(self._stack) > 1
        if inside and re.match(r"case(?=\s|$)", text[at:]):
            return self._give_up("a case inside $(...)")
        return 1

    def _parenthesis(self, text: str, at: int) -> int:
        if text.startswith("((", at) and self._at_word_start():
            return self._give_up("((")
        if len(self._stack) > 1:  # inside $(...): count, to find its end
            if text[at] == "(":
                self._stack.append("(")
            else:
                self._stack.pop()
                if self._here:
                    return self._give_up("a here-document inside $(...)")
        return 1

    def _dollar(self, text: str, at: int) -> int:
        for opening, plain, words in (
            ("${", _PLAIN_PARAMETER, "a ${...} with quotes or more inside"),
            ("$((", _PLAIN_ARITHMETIC, "a $((...)) with quotes or more inside"),
        ):
            if text.startswith(opening, at):
                match = plain.match(text, at)
                return len(match[0]) if match else self._give_up(words)
        if text.startswith("$[", at):
            return self._give_up("$[")
        if text.startswith("$'", at) and self._stack[-1] not in ("double", "code"):
            return self._give_up("$'")
        if text.startswith("$(", at):
            if self._stack[-1] == "code":
                return self._give_up("$(...) inside a text read as code")
            self._stack.append("(")
            return 2
        return 1

    def _open_quote(self, char: str) -> None:
        if _CODE_TAKER.search(self._before):
            self._code_quote = char
            self._stack.append("code")
        else:
            self._stack.append("single" if char == "'" else "double")

    def _heredoc(self, text: str, at: int) -> int:
        match = _HEREDOC.match(text, at)
        if match is None or text.startswith("<<<", at) or len(self._stack) > 1:
            return self._give_up("a here-document fleetctl cannot follow")
        after = text[match.end() : match.end() + 1]
        if after and after not in _WORD_ENDS:
            return self._give_up("a here-document with an unusual end word")
        self._here.append((match[2] or match[3] or match[4], bool(match[1]), bool(match[4])))
        return len(match[0])

    def _line_ends(self) -> None:
        if self._here:
            self._body = self._here.pop(0)

    def _read_body(self, text: str, at: int) -> int:
        """One line of a here-document's body; the position after it."""
        assert self._body is not None
        word, strips_tabs, expands = self._body
        end = text.find("\n", at)
        line = text[at:] if end < 0 else text[at:end]
        self._before += line + "\n"
        if expands and _odd_backslashes(line):
            self._unsure = "a here-document with a continued line"
        elif (line.lstrip("\t") if strips_tabs else line) == word:
            self._body = self._here.pop(0) if self._here else None
        return len(text) if end < 0 else end + 1

    def _give_up(self, words: str) -> int:
        self._unsure = words
        return 1

    def _at_word_start(self) -> bool:
        before = self._before
        while before.endswith("\\\n") and _odd_backslashes(before[:-1]):
            before = before[:-2]
        return not before or (before[-1] in _WORD_ENDS and not _odd_backslashes(before[:-1]))


def _odd_backslashes(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
