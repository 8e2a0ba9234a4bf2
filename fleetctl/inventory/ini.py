"""Reading Ansible's INI inventories, line by line; quick at hundreds of thousands of lines."""

from __future__ import annotations

import ast
import re
import shlex

from fleetctl.base.errors import Location
from fleetctl.base.names import did_you_mean
from fleetctl.inventory.foreign import REST, TOP, Foreign, Group, Raw, expand_ansible

_HEADER = re.compile(r"\[([^:\]\s]+)(?::([^\]\s]*))?\]\s*(?:[#;].*)?")
_PORT = re.compile(r"(?P<host>(?:[^\[\]:]|\[[^\]]*\])+):(?P<port>[0-9]+)")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_KINDS = ("hosts", "vars", "children")
_WORDS = {"True": True, "False": False, "None": None}


def read_ini(text: str, file: str) -> Foreign:
    """The groups and hosts of an INI inventory; raises InputError."""
    return _Ini(text, file).read()


class _Ini:
    """Goes over the lines once; a spot is a line number."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = text.split("\n")
        self.foreign = Foreign(file, "ansible ini", self.locate)
        self.group: Group = self.foreign.group(REST, 0)
        self.mentioned: list[tuple[str, int]] = []
        """Groups named as children or given variables; each must be defined somewhere."""
        self.defined = {TOP, REST}

    def locate(self, spot: object, key: str) -> Location:
        assert isinstance(spot, int)
        line = self.lines[spot - 1] if spot else ""
        at = re.search(rf"(?<![^\s]){re.escape(key)}", line) if key else re.search(r"\S", line)
        return Location(self.foreign.file, spot, at.start() + 1 if at else 1)

    def read(self) -> Foreign:
        kind = "hosts"
        for number, raw in enumerate(self.lines, start=1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            header = _HEADER.fullmatch(line) if line[0] == "[" else None
            if header is not None:
                kind = self.section(header[1], header[2] or "hosts", number)
            elif kind == "hosts":
                self.hosts(line, number)
            elif kind == "vars":
                self.variable(line, number)
            else:
                self.child(line, number)
        for name, number in self.mentioned:
            if name not in self.defined:
                self.foreign.refuse(f'there is no group "{name}"', number, name,
                                    hint=did_you_mean(name, self.defined))  # fmt: skip
        return self.foreign

    def section(self, name: str, kind: str, number: int) -> str:
        if kind not in _KINDS:
            self.foreign.refuse(f'unknown kind of section "{kind}" in [{name}:{kind}]', number,
                                hint=did_you_mean(kind, _KINDS))  # fmt: skip
        self.group = self.foreign.group(name, number)
        if kind == "vars":
            self.mentioned.append((name, number))
        else:
            self.defined.add(name)
        return kind

    def hosts(self, line: str, number: int) -> None:
        words = self.words(line, number)
        variables: Raw = {}
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if not equals or not key:
                self.foreign.refuse(f'expected KEY=VALUE, found "{word}"', number, word)
            variables[key] = plain(value)
        pattern = words[0]
        if ":" in pattern and (match := _PORT.fullmatch(pattern)) is not None:
            pattern = match["host"]
            variables.setdefault("ansible_port", int(match["port"]))
        if "[" not in pattern and "]" not in pattern:
            self.foreign.add_host(pattern, self.group, variables, number)
            return
        try:
            for name in expand_ansible(pattern):
                self.foreign.add_host(name, self.group, variables, number)
        except ValueError as error:
            self.foreign.refuse(str(error), number)

    def words(self, line: str, number: int) -> list[str]:
        if not ('"' in line or "'" in line or "#" in line or "\\" in line):
            return line.split()
        try:
            return shlex.split(line, comments=True)
        except ValueError as error:
            self.foreign.refuse("the line is not readable", number, why=str(error).lower())

    def variable(self, line: str, number: int) -> None:
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key:
            self.foreign.refuse(f'expected KEY=VALUE, found "{line}"', number)
        self.group.variables[key] = plain(value.strip())
        self.group.spots[key] = number

    def child(self, line: str, number: int) -> None:
        name = re.split(r"[\s#;]", line, maxsplit=1)[0]
        self.group.children.append(name)
        self.mentioned.append((name, number))


def plain(text: str) -> object:
    """A value as Ansible reads it: a Python literal when it is one, else the text itself."""
    if not text or text[0].isalpha():
        return _WORDS.get(text, text)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if text[0] in "\"'[{(" or "#" in text:
        try:
            value: object = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        return value
    return text
