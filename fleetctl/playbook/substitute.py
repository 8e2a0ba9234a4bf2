"""`{{host.name}}` and the like: finding names in a text and putting values in, by kind of text.

One plain syntax everywhere: `{{` name `}}`, spaces allowed inside; `{{{{` writes two braces. A sh
text is quoted by context (see `shelltext`); an argv element, a path and a question take the value
as it is; a URL takes it percent-encoded.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

import msgspec

from fleetctl.base.names import did_you_mean
from fleetctl.playbook.shelltext import Piece, quoted, referred, shell_pieces

ITEM = "item"
"""The item of a foreach step; only in the sh texts of such a step."""
POOLS = ("pools.home", "pools.python")
"""What the inventory says of a host's overseer."""
FIXED_NAMES = (
    *("fleet.name", "host.address", "host.name", ITEM, *POOLS, "release.id", "tier.name"),
)
ITEM_VARIABLE = "FLEETCTL_ITEM"
"""Holds the item while a foreach step's text runs for it; exported."""
FREE_ROOTS = ("tag", "var")
"""`tag.KEY` and `var.KEY`: the keys are the owner's."""
HOST_ROOTS = frozenset({"host", "tier", "tag", "pools"})
"""Names with these roots have a value only once a host is known."""
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})

Values = Callable[[str], str]
"""The value of a known name."""

_FREE_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OPENING = re.compile(r"\{\{\{\{|\{\{")


class Name(msgspec.Struct, frozen=True):
    """A placeholder: a name whose value is put in for each host."""

    text: str

    @property
    def root(self) -> str:
        return self.text.partition(".")[0]


Part = str | Name


@functools.lru_cache(maxsize=4096)
def parse(template: str) -> tuple[Part, ...]:
    """Literal texts and names in turn; raises ValueError on an unknown or unreadable name."""
    if "\0" in template:
        raise ValueError("a NUL character cannot reach a host")
    parts: list[Part] = []
    position = 0
    while (opening := _OPENING.search(template, position)) is not None:
        parts.append(template[position : opening.start()])
        if opening[0] == "{{{{":
            parts.append("{{")
            position = opening.end()
            continue
        closing = template.find("}}", opening.end())
        if closing < 0:
            raise ValueError("{{ is never closed; two plain braces are written {{{{")
        parts.append(_name(template[opening.end() : closing].strip()))
        position = closing + 2
    parts.append(template[position:])
    return tuple(_joined(parts))


def _name(text: str) -> Name:
    root, dot, key = text.partition(".")
    if text in FIXED_NAMES or (root in FREE_ROOTS and dot and _FREE_KEY.fullmatch(key)):
        return Name(text)
    if root in ("secret", "secrets"):
        raise ValueError(
            f"{{{{{text}}}}}: a secret never stands in a text, where process lists show it; "
            f"give it to the step with `secrets: {{stdin: {key or 'NAME'}}}` or "
            f"`secrets: {{files: {{PW_FILE: {key or 'NAME'}}}}}`"
        )
    hint = did_you_mean(text, [*FIXED_NAMES, *(f"{root}.NAME" for root in FREE_ROOTS)])
    raise ValueError(f"{{{{{text}}}}} names nothing; {hint}")


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Neighbouring literal texts made one, empty ones left out."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part:
            joined.append(part)
    return joined


def names_in(templates: Iterable[str]) -> frozenset[str]:
    """Every name these templates use."""
    return frozenset(
        part.text for text in templates for part in parse(text) if isinstance(part, Name)
    )


def fill_plain(template: str, values: Values) -> str:
    """For an argv element, a path, a question: the value goes in as it is."""
    return "".join(
        part if isinstance(part, str) else _safe(values(part.text)) for part in parse(template)
    )


def fill_url(template: str, values: Values) -> str:
    """For a URL: the value goes in percent-encoded, `/` kept; an IPv6 address gets its brackets."""
    return "".join(
        part if isinstance(part, str) else _in_url(part.text, _safe(values(part.text)))
        for part in parse(template)
    )


def _in_url(name: str, value: str) -> str:
    encoded = quote(value, safe=":/")
    return f"[{encoded}]" if name == "host.address" and ":" in encoded else encoded


def fill_shell(template: str, values: Values) -> str:
    """For a POSIX sh text: every value arrives as itself, whatever it holds.

    `{{item}}` becomes a reference to the variable the host sets for each item. Raises ValueError
    where a placeholder stands at a place that cannot be made safe.
    """
    return "".join(_filled(piece, values) for piece in _shell_template(template))


def _filled(piece: Piece, values: Values) -> str:
    if isinstance(piece, str):
        return piece
    if piece.name == ITEM:
        return referred(ITEM_VARIABLE, piece.context)
    return quoted(_safe(values(piece.name)), piece.context)


def check_shell(template: str) -> None:
    """Raises ValueError when `fill_shell` would."""
    _shell_template(template)


@functools.lru_cache(maxsize=4096)
def _shell_template(template: str) -> tuple[Piece, ...]:
    parts = parse(template)
    if all(isinstance(part, str) for part in parts):
        return tuple(part for part in parts if isinstance(part, str))
    return shell_pieces(tuple((p, False) if isinstance(p, str) else (p.text, True) for p in parts))


def fill_argv(argv: Sequence[str], values: Values) -> tuple[str, ...]:
    """Each element filled; the text after `sh -c` is a sh text and quoted as one."""
    script = shell_script_at(argv)
    return tuple(
        (fill_shell if index == script else fill_plain)(element, values)
        for index, element in enumerate(argv)
    )


def shell_script_at(argv: Sequence[str]) -> int:
    """Index of the element that is a script of `sh -c`; -1 when there is none."""
    for index, word in enumerate(argv[:-2]):
        if word.rpartition("/")[2] in SHELLS and re.fullmatch(r"-[a-z]*c", argv[index + 1]):
            return index + 2
    return -1


def shell_template_of(argv: Sequence[str]) -> str:
    """An argv as a sh template: each element one quoted word, its names still names."""
    if shell_script_at(argv) >= 0 and "{{" in argv[shell_script_at(argv)]:
        raise ValueError(
            "a name inside a script for sh -c would be read as code; "
            'pass it as an argument: [sh, -c, \'echo "$1"\', "-", "{{host.name}}"]'
        )
    return " ".join(_word(element) for element in argv)


def _word(element: str) -> str:
    inside = (
        "{{" + part.text + "}}"
        if isinstance(part, Name)
        else part.replace("'", "'\\''").replace("{{", "{{{{")
        for part in parse(element)
    )
    return "'" + "".join(inside) + "'"


def _safe(value: str) -> str:
    if "\0" in value:
        raise ValueError("a value holds a NUL character, which cannot reach a host")
    return value
