"""Reading YAML that a person wrote: plain data that remembers where each piece stands.

YAML as its version 1.2 means it: `yes` and `on` are text, `0644` is text, `2026-11-22` is text;
only `true` and `false` are booleans. A key given twice is refused, where PyYAML keeps the last.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.base.lean import lately
from fleetctl.base.names import did_you_mean

with lately():
    import yaml

T = TypeVar("T")
Path = tuple[str | int, ...]
Hook = Callable[[type, Any], Any]
ERRORS_TOLD_MAX = 20


class _Loader(yaml.CSafeLoader):
    """PyYAML's C reader with the implicit types of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"^(?:{_pattern})$"),
        [*_first.replace("\0", ""), *([""] if "\0" in _first else [])],
    )


class Document:
    """One YAML document: `data` as plain Python values, and the place of every piece of it."""

    def __init__(self, data: Any, root: yaml.Node | None, file: str) -> None:
        self.data = data
        self.file = file
        self._root = root

    def at(self, path: Sequence[str | int]) -> Any:
        """The value at `path`; raises KeyError or IndexError when there is none."""
        value = self.data
        for part in path:
            value = value[part]
        return value

    def location(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at `path` begins; for a path that leads nowhere, its nearest parent."""
        node = self._root
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node = found[1]
        return self._mark(node)

    def key_location(self, path: Sequence[str | int]) -> Location:
        """Where the key at the end of `path` stands (for a list item: the item)."""
        node = self._root
        for part in path[:-1]:
            found = _child(node, part)
            if found is None:
                return self._mark(node)
            node = found[1]
        found = _child(node, path[-1]) if path else None
        return self._mark(found[0] if found else node)

    def _mark(self, node: yaml.Node | None) -> Location:
        if node is None:
            return Location(self.file)
        return Location(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def read(text: str, file: str) -> Document:
    """Parse `text`; `file` is only for naming places. Raises InputError."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        for mapping in _mappings(root):
            _refuse_repeated_keys(mapping, file)
        data = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file)
        raise InputError(f"not readable as YAML: {error.problem}", place) from None
    except yaml.YAMLError as error:
        raise InputError(f"not readable as YAML: {error}", Location(file)) from None
    finally:
        loader.dispose()
    return Document(data, root, file)


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an alias shows its node again
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            pending.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)


def _refuse_repeated_keys(mapping: yaml.MappingNode, file: str) -> None:
    seen: dict[str, yaml.Node] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            place = Location(file, key.start_mark.line + 1, key.start_mark.column + 1)
            raise InputError("a key must be plain text", place)
        if key.value in seen and key.value != "<<":
            place = Location(file, key.start_mark.line + 1, key.start_mark.column + 1)
            first = seen[key.value].start_mark.line + 1
            raise InputError(
                f'the key "{key.value}" stands twice', place, why=f"first: line {first}"
            )
        seen[key.value] = key


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key node and value node of `part` in `node`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def decode(
    document: Document,
    kind: type[T] | Any,
    path: Sequence[str | int] = (),
    hook: Hook | None = None,
) -> T:
    """The value at `path` as the type `kind`, every mistake told with its place.

    Several mistakes are collected where they do not hide each other. Raises InputError (one) or
    InputErrors (several). `hook` is msgspec's `dec_hook`.
    """
    base = tuple(path)
    data = copy.deepcopy(document.at(base))
    errors: list[InputError] = []
    removed: set[Path] = set()
    while len(errors) < ERRORS_TOLD_MAX:
        try:
            value: T = msgspec.convert(data, kind, dec_hook=hook)
        except msgspec.ValidationError as error:
            where, message = _place(str(error), data, kind, hook)
            if any(gone[: len(where)] == where for gone in removed) and "missing" in message:
                break
            errors.append(_told(document, base, where, message, kind))
            bad = _culprit(where, message)
            if not _remove(data, bad):
                break
            removed.add(bad)
        else:
            if not errors:
                return value
            break
    raise errors[0] if len(errors) == 1 else InputErrors(errors)


_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def _place(text: str, data: Any, kind: Any, hook: Hook | None) -> tuple[Path, str]:
    """msgspec's message split into the path meant and the message itself.

    msgspec writes `[...]` for a value of a mapping with free keys; which key it was is found by
    leaving only one of them in at a time and looking whether the same mistake remains.
    """
    match = _MESSAGE.match(text)
    assert match is not None
    in_key = (match["path"] or "").startswith("key in ")
    path: list[str | int] = []
    narrowed = copy.deepcopy(data)
    for name, index in _PART.findall(match["path"] or ""):
        if index == "...":
            path.append(_failing_key(narrowed, path, kind, text, hook))
        else:
            path.append(int(index) if index else name)
    if in_key:
        path.append(_failing_key(narrowed, path, kind, text, hook))
    return tuple(path), match["what"]


def _failing_key(data: Any, path: list[str | int], kind: Any, text: str, hook: Hook | None) -> Any:
    mapping = data
    for part in path:
        mapping = mapping[part]
    whole = dict(mapping)
    for key, value in whole.items():
        mapping.clear()
        mapping[key] = value
        try:
            msgspec.convert(data, kind, dec_hook=hook)
        except msgspec.ValidationError as error:
            if str(error) == text:
                return key
    raise AssertionError(f"no key of {path} explains: {text}")


_FIELD = re.compile(r"^Object (contains unknown|missing required) field `([^`]*)`$")
_TYPE = re.compile(r"^Expected `([^`]*)`, got `([^`]*)`$")
_ENUM = re.compile(r"^Invalid enum value (.*)$")
_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping",
}


def _culprit(where: Path, message: str) -> Path:
    field = _FIELD.match(message)
    return (*where, field[2]) if field and field[1].startswith("contains") else where


def _told(document: Document, base: Path, where: Path, message: str, kind: Any) -> InputError:
    path = (*base, *where)
    field = _FIELD.match(message)
    if field and field[1] == "contains unknown":
        return unknown_key(document, (*path, field[2]), _known_keys(kind, where))
    if field:
        return InputError(f'the key "{field[2]}" is missing{_under(path)}', document.location(path))
    kinds = _TYPE.match(message)
    if kinds:
        wanted = " or ".join(_TYPE_WORDS.get(word, word) for word in kinds[1].split(" | "))
        found = _shown(document, path, kinds[2])
        return InputError(
            f"expected {wanted}, found {found}{_under(path)}", document.location(path)
        )
    enum = _ENUM.match(message)
    if enum:
        word = enum[1].strip("'")
        what, hint = f'"{word}" is no word known', did_you_mean(word, _known_words(kind, where))
        return InputError(f"{what}{_under(path)}", document.location(path), hint=hint)
    return InputError(f"{message}{_under(path)}", document.location(path))


def unknown_key(document: Document, path: Sequence[str | int], known: Iterable[str]) -> InputError:
    """The error for the unknown key at the end of `path`, with what was probably meant."""
    word = str(path[-1])
    place = document.key_location(path)
    return InputError(
        f'unknown key "{word}"{_under(tuple(path)[:-1])}', place, hint=did_you_mean(word, known)
    )


def _known_words(kind: Any, path: Path) -> list[str]:
    """The words a choice at `path` inside `kind` is between."""
    members = _types_at(kind, path)
    choices = [each.values for each in members if isinstance(each, inspect.LiteralType)]
    return [str(word) for values in choices for word in values if word]


def _types_at(kind: Any, path: Path) -> list[inspect.Type]:
    types: list[inspect.Type] = [inspect.type_info(kind)]
    for part in path:
        types = [inner for each in types for inner in _inside(each, part)]
    return [each for outer in types for each in _members(outer)]


def _known_keys(kind: Any, path: Path) -> list[str]:
    """The keys the type found at `path` inside `kind` knows."""
    structs = _types_at(kind, path)
    return [
        field.encode_name
        for struct in structs
        if isinstance(struct, inspect.StructType)
        for field in struct.fields
    ]


def _members(outer: inspect.Type) -> tuple[inspect.Type, ...]:
    if isinstance(outer, inspect.Metadata):  # a type that carries a description
        return _members(outer.type)
    if isinstance(outer, inspect.UnionType):
        return tuple(inner for each in outer.types for inner in _members(each))
    return (outer,)


def _inside(outer: inspect.Type, part: str | int) -> Iterator[inspect.Type]:
    for each in _members(outer):
        if isinstance(each, inspect.StructType):
            yield from (field.type for field in each.fields if field.encode_name == part)
        elif isinstance(each, inspect.DictType):
            yield each.value_type
        elif isinstance(each, (inspect.ListType, inspect.VarTupleType)):
            yield each.item_type


def _shown(document: Document, path: Path, kind: str) -> str:
    value = document.at(path)
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:37]}..."'
    if value is None or isinstance(value, (dict, list)):
        return _TYPE_WORDS.get(kind, kind)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _under(path: Path) -> str:
    if not path:
        return ""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f" in {words.lstrip('.')}"


def _remove(data: Any, path: Path) -> bool:
    """Take the value at `path` out of `data`; False where that would shift or empty everything."""
    if not path or isinstance(path[-1], int):
        return False
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    return parent.pop(path[-1], None) is not None
