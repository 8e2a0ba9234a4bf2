"""A runbook as people keep it today: a text of commands, read line by line. Pure.

Understood: one command a line, with or without `$ ` or `user@host:~$ ` before it; numbered lists
and bullets; `ssh HOST COMMAND`, and `ssh HOST` with what is typed there until `exit`; headings and
comments; lines continued with a backslash, here-documents, fenced blocks. What reads like a
sentence is something a person does. Nothing is dropped: what is not understood is kept as text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

import msgspec

_BOX = r"\[[ xX]?\]\s+"
_BULLET = re.compile(rf"\s*(?:\d+[.)]|[-*+•]|\(\d+\)|[a-z]\))\s+(?:{_BOX})?|\s*{_BOX}")
_PROMPT = re.compile(
    r"(?:\[?(?P<user>[\w.-]+)@(?P<host>[\w.-]+)[^\]$#%>]{0,80}\]?\s?[$#%]|[$%>])\s+(?P<rest>.*)",
    re.S,
)
_RULE = re.compile(r"\s*([-=_*~#+.|]\s?){3,}\s*")
_HEADING = re.compile(r"\s*#{2,6}\s+(.*?)[\s#]*|\s*(?:==+|\*\*)\s*(.*?)\s*(?:==+|\*\*:?)\s*")
_COMMENT = re.compile(r"\s*(?:#+!?|//|--)\s+(.*)|\s*#(?!!)(.*)")
_COMMAND_WORD = re.compile(r"[a-z0-9_./~$({\[-][\w./+:@={}$()\[-]*")
_ENDS_SESSION = frozenset({"exit", "logout", "^D"})
_SSH_WITH_VALUE = frozenset("bcDEeFIiJLlmOopQRSWw")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_SENTENCE = frozenset({
    "after", "and", "before", "call", "check", "do", "go", "if", "look", "note", "now", "once",
    "please", "press", "remember", "repeat", "see", "tell", "then", "verify", "when", "you",
})  # fmt: skip
"""First words that begin a sentence more often than a command, where more than a name follows."""


class Entry(msgspec.Struct, frozen=True):
    """One thing to do."""

    line: int
    heading: str
    host: str = ""
    """Of the inventory, where it is typed; empty: on the machine of who types."""
    command: str = ""
    text: str = ""
    unsure: str = ""
    """Why it was kept as text, where a command may have been meant."""


class Runbook(msgspec.Struct, frozen=True):
    """What was read."""

    entries: tuple[Entry, ...]
    strange: Mapping[int, str]
    """Line -> names of hosts it would reach that no inventory has."""
    left_out: Mapping[int, str]
    """Line -> what stands there and says nothing to do: rules, tables."""


def read_runbook(text: str, hosts: Mapping[str, str]) -> Runbook:
    """The entries in order; `hosts`: every name or address a line may use -> the host's name."""
    reader = _Reader(hosts)
    for number, line in _logical_lines(text):
        reader.read(number, line)
    return Runbook(tuple(reader.entries), reader.strange, reader.left_out)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that go on joined: after a backslash, and to the end of here-documents."""
    lines = iter(enumerate(text.expandtabs(4).splitlines(), 1))
    for number, line in lines:
        whole = line
        while whole.endswith("\\") and (more := next(lines, None)) is not None:
            whole += "\n" + more[1]
        heredoc = _HEREDOC.search(whole)
        if heredoc is not None:
            for _, more_line in lines:
                whole += "\n" + more_line
                if more_line.strip() == heredoc[2]:
                    break
        yield number, whole


class _Reader:
    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.entries: list[Entry] = []
        self.strange: dict[int, str] = {}
        self.left_out: dict[int, str] = {}
        self._hosts = hosts
        self._heading = ""
        self._session = ""
        """The host of an `ssh HOST` that is still open."""
        self._remark = ""
        """A comment right above what comes next."""
        self._after_blank = True
        self._fenced = False

    def read(self, number: int, line: str) -> None:
        if not line.strip():
            self._after_blank, self._remark = True, ""
            return
        if line.strip().startswith("```"):
            self._fenced = not self._fenced
            return
        heading = None if self._fenced else _heading_in(line, self._after_blank)
        if heading is not None:
            self._heading, self._session, self._remark = heading, "", ""
        elif _RULE.fullmatch(line):
            self.left_out[number] = line.strip()
        elif (comment := _COMMENT.fullmatch(line)) is not None:
            said = (comment[1] or comment[2] or "").strip()
            self._remark = f"{self._remark} {said}".strip()
        else:
            self._read_item(number, line)
        self._after_blank = False

    def _read_item(self, number: int, line: str) -> None:
        if line.lstrip().startswith("|"):
            self.left_out[number] = line.strip()
            return
        bullet = _BULLET.match(line)
        said = line[bullet.end() :] if bullet else line.strip()
        ticked = re.fullmatch(r"`([^`]+)`[.;]?", said.strip())
        prompt = _PROMPT.match(said)
        host, sure = self._session, bool(ticked or prompt or self._fenced)
        if ticked:
            said = ticked[1]
        elif prompt:
            said = prompt["rest"]
            host = self._hosts.get(prompt["host"] or "", host)
        if said.strip() in _ENDS_SESSION and self._session:
            self._session = ""
            return
        if not sure and not _is_command(_without_comment(said)[0]):
            self._add_text(number, said.strip())
            return
        self._add_command(number, said.strip(), host)

    def _add_text(self, number: int, said: str) -> None:
        """A sentence; about a host when it names exactly one."""
        named = {self._hosts[word] for word in re.findall(r"[\w.-]+", said) if word in self._hosts}
        unsure = "" if said[:1].isupper() or " " in said else "one word"
        host = named.pop() if len(named) == 1 else ""
        self.entries.append(Entry(number, self._heading, host, "", self._with_remark(said), unsure))

    def _add_command(self, number: int, said: str, host: str) -> None:
        command, remark = _without_comment(said)
        target = _ssh_target(command)
        if target is not None:
            name, rest = target
            known = self._hosts.get(name)
            if known is None:
                self.strange[number] = name
            elif rest:
                host, command = known, rest
            else:
                self._session = known
                return
        entry = Entry(number, self._heading, host, command, self._with_remark(remark))
        self.entries.append(entry)

    def _with_remark(self, said: str) -> str:
        remark, self._remark = self._remark, ""
        return " ".join(part for part in (remark, said) if part)


def _heading_in(line: str, after_blank: bool) -> str | None:
    """The heading a line is: by its marks, or a comment or `Words:` with a blank line before."""
    found = _HEADING.fullmatch(line)
    if found is not None:
        return str(found[1] or found[2] or "").strip(" :") or None
    if not after_blank:
        return None
    comment = re.fullmatch(r"#\s*([^!#].*?)[\s#]*", line.strip())
    if comment is not None:
        return comment[1].strip(" :")
    words = line.strip()
    is_title = words.endswith(":") and len(words) < 60 and re.match(r"[A-Z0-9]", words)
    return words.strip(" :") if is_title else None


def _is_command(said: str) -> bool:
    """Whether a line without a prompt is typed: its first word looks like a program's name."""
    first, _, rest = said.strip().partition(" ")
    if re.match(r"[A-Za-z_]\w*=\S*", first):
        return True
    if not _COMMAND_WORD.fullmatch(first) or first.endswith((":", ",", ".")):
        return False
    more = rest.split()
    if first in _SENTENCE and len(more) > 1 and not re.search(r"[-/|&;$=]", rest):
        return False
    return not (len(more) > 3 and said.rstrip().endswith(".") and not re.search(r"[-/|]", rest))


def _without_comment(command: str) -> tuple[str, str]:
    """The command, and what is said behind ` # `; a `#` in quotes is none."""
    quote = ""
    for at, char in enumerate(command if "\n" not in command else ""):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and at and command[at - 1].isspace() and command[at + 1 : at + 2] == " ":
            return command[:at].strip(), command[at + 1 :].strip()
    return command, ""


def _ssh_target(command: str) -> tuple[str, str] | None:
    """Host and command of `ssh [options] [user@]HOST [COMMAND]`, when all of the line is that."""
    if not re.match(r"ssh\s", command):
        return None
    try:
        words = shlex.split(command)
        marks = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    except ValueError:
        return None
    if any(mark and not set(mark) - set("();<>|&") for mark in marks):
        return None  # what stands behind the sign is done on this machine
    if re.search(r"[$`]", re.sub(r"'[^']*'", "", command)):
        return None  # filled in on this machine
    at = 1
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        takes_value = words[at][-1] in _SSH_WITH_VALUE and words[at][1] in _SSH_WITH_VALUE
        at += 2 if takes_value and len(words[at]) == 2 else 1
    if at >= len(words):
        return None
    return words[at].rpartition("@")[2], " ".join(words[at + 1 :])
