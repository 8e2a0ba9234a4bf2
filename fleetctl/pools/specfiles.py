"""Spec files kept on this machine, made ready for a host: names filled in, checked, as JSON.

JSON, because TOML needs Python 3.11 on the host and the overseer does not.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.pools.overseer import specs

INSTANCES = "instances"
"""The file on the host that `names_from` of spec files may name."""
Fill = Callable[[str], str]
"""Puts the values of names such as `{{var.root}}` into a text; raises ValueError."""
_MISTAKE = re.compile(r"(?P<file>[^\n:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<what>.*)", re.S)
_UNSAFE = re.compile(r"[\"'\\\x00-\x1f]")


class SpecFiles:
    """The folder of spec files of one tier, read once for all its hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            names = sorted(path.name for path in folder.iterdir())
            spoken = [name for name in names if name.endswith((".toml", ".json"))]
            self.texts = {name: (folder / name).read_text(encoding="utf-8") for name in spoken}
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            place = Location(str(folder))
            raise InputError("cannot read the spec files", place, why=why) from None
        if not self.texts:
            raise InputError("there is no spec file", Location(str(folder)), hint="docs/pools.md")
        self._made: dict[tuple[object, ...], dict[str, str]] = {}

    def made_for(self, fill: Fill, instances: Sequence[str] | None) -> Mapping[str, str]:
        """Name -> text of every file on the host; raises InputErrors with every mistake.

        `instances`: those listed for the host; None where they are not known yet: then only what
        does not depend on them is checked.
        """
        filled = {name: self._filled(name, fill) for name in self.texts}
        key = (*filled.items(), None if instances is None else tuple(instances))
        if key not in self._made:
            self._made[key] = self._make(filled, instances)
        return self._made[key]

    def _filled(self, name: str, fill: Fill) -> str:
        """A file's text with its names filled in, line by line."""
        lines, mistakes = [], []
        for number, line in enumerate(self.texts[name].split("\n"), 1):
            try:
                lines.append(fill(line) if "{{" in line else line)
            except ValueError as error:
                mistakes.append(
                    InputError(str(error), Location(str(self.folder / name), number, 1))
                )
        if mistakes:
            raise InputErrors(mistakes)
        return "\n".join(lines)

    def _make(self, filled: Mapping[str, str], names: Sequence[str] | None) -> dict[str, str]:
        contents = {name: _parsed(name, text) for name, text in filled.items()}
        if names is None:
            overridden = {
                key.partition("/")[0] for each in contents.values() for key in _pools(each)
            }
            names = sorted(overridden) or ["instance"]
        self._check(filled, names)
        made = {}
        for name, content in contents.items():
            assert content is not None  # it was checked
            self._name_here(content)
            made[f"{name.rpartition('.')[0]}.json"] = json.dumps(content, indent=1) + "\n"
        return {**made, INSTANCES: "".join(f"{name}\n" for name in names)}

    def _check(self, filled: Mapping[str, str], names: Sequence[str]) -> None:
        """Have them read by what reads them on the host; raises InputErrors."""
        with tempfile.TemporaryDirectory(prefix="fleetctl-") as made:
            here = Path(made)
            for path in self.folder.iterdir():
                if path.name not in filled and path.is_file():
                    (here / path.name).symlink_to(path.resolve())
            (here / INSTANCES).unlink(missing_ok=True)
            (here / INSTANCES).write_text("\n".join(names))
            for name, text in filled.items():
                (here / name).write_text(text, encoding="utf-8")
            try:
                specs.read(made)
            except specs.SpecError as error:
                told = str(error).replace(f"{made}/", f"{self.folder}/")
                raise InputErrors(
                    [*map(self._mistake, re.split(r"\n(?!  hint: )", told))]
                ) from None

    def _mistake(self, told: str) -> InputError:
        what, _, hint = told.partition("\n  hint: ")
        hint = re.sub(r"\{(\{\w+\})\}$", r"{{{\1}}}", hint)  # two braces are ours, in these files
        found = _MISTAKE.fullmatch(what)
        if found is None:
            return InputError(what, Location(str(self.folder)), hint=hint)
        place = Location(found["file"], int(found["line"]), int(found["column"] or 1))
        return InputError(found["what"], place, hint=hint)

    def _name_here(self, content: dict[str, Any]) -> None:
        """Write out the names of files that are only on this machine."""
        groups = content.get("instances", [])
        for group in groups if isinstance(groups, list) else [groups]:
            file = group.get("names_from", INSTANCES)
            if file != INSTANCES:
                del group["names_from"]
                own = (self.folder / file).read_text(encoding="utf-8").split()
                group["names"] = [*group.get("names", []), *own]


def _parsed(name: str, text: str) -> dict[str, Any] | None:
    """A file's content; None when it cannot be read, which the check tells with its place."""
    try:
        content = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _pools(content: dict[str, Any] | None) -> list[str]:
    found = (content or {}).get("pool")
    return list(found) if isinstance(found, dict) else []


def pool_names(files: Mapping[str, str]) -> frozenset[str] | None:
    """The pools that files on a host make; None when they make no sense."""
    with tempfile.TemporaryDirectory(prefix="fleetctl-") as made:
        for name, text in files.items():
            (Path(made) / name).write_text(text, encoding="utf-8")
        try:
            return frozenset(specs.read(made).pools)
        except specs.SpecError:
            return None


def safe(value: str) -> str:
    """A value that may stand in any text of a spec file; raises ValueError for others."""
    if _UNSAFE.search(value):
        raise ValueError(f"a value of it cannot stand in a spec file: {value!r}")
    return value


def in_lines(files: Mapping[str, str]) -> list[str]:
    """What spec files say, one thing a line and in order, so that a person can compare them."""
    lines = []
    for name, text in sorted(files.items()):
        if name.endswith(".json"):
            try:
                lines += _flat(json.loads(text), "")
            except ValueError:
                lines.append(f"{name} cannot be read")
        elif name != INSTANCES:
            lines.append(f"{name}, {len(text)} bytes")
    return sorted(lines)


def _flat(value: object, path: str) -> list[str]:
    if isinstance(value, dict) and value:
        return [
            line
            for key, inner in value.items()
            for line in _flat(inner, f"{path}.{key}" if path else str(key))
        ]
    return [f"{path} = {json.dumps(value, ensure_ascii=False)}"]
