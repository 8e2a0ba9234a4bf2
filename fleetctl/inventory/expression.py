"""The selector language: `tier=db and not zone=b`, `db[001-004],web*`, `(all) and not @down.txt`.

Terms: a host name, glob or range; `tier=NAME`; `TAG=VALUE` (globs and ranges allowed); `@FILE`;
`all`. `not` binds tightest, then `and`, then `or`, which may be written as a comma.
"""

from __future__ import annotations

import re

import msgspec

from fleetctl.base.errors import FleetError, InputError, Location, UsageError

Place = Location | None
"""Where a term was written: a file of the user, or (None) the command line."""


class Everything(msgspec.Struct, frozen=True):
    """`all`: every host of the fleet."""


class Named(msgspec.Struct, frozen=True):
    """A host name, glob, range, or several of them."""

    pattern: str
    where: Place = None


class InTier(msgspec.Struct, frozen=True):
    """Hosts of the tiers a pattern names."""

    pattern: str
    where: Place = None


class Tagged(msgspec.Struct, frozen=True):
    """Hosts whose tag `key` has a value the pattern names."""

    key: str
    pattern: str
    where: Place = None


class FromFile(msgspec.Struct, frozen=True):
    """Hosts named by the lines of a file, each line an expression."""

    path: str
    where: Place = None


class Not(msgspec.Struct, frozen=True):
    """Every host but those of `inner`."""

    inner: Expression


class Both(msgspec.Struct, frozen=True):
    """`and`."""

    left: Expression
    right: Expression


class Either(msgspec.Struct, frozen=True):
    """`or`, or a comma."""

    parts: tuple[Expression, ...]


Expression = Everything | Named | InTier | Tagged | FromFile | Not | Both | Either

DEPTH_MAX = 50
_TOKEN = re.compile(r'\s*(?:([(),])|((?:"[^"]*"|\[[^\[\]]*\]|[^\s(),"\[\]])+))')


def mistake(what: str, where: Place, *, why: str = "", hint: str = "") -> FleetError:
    """An error about a selector: of a file when it was written in one, else of the command line."""
    if where is None:
        return UsageError(what, why=why, hint=hint)
    return InputError(what, where, why=why, hint=hint)


def parse(text: str, where: Place = None) -> Expression:
    """The expression `text` means; raises UsageError, or InputError at `where` when given."""
    return _Parser(text, where).whole()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, where: Place) -> None:
        self.text = text
        self.where = where
        self.tokens = self._tokens()
        self.index = 0
        self.depth = 0

    def _tokens(self) -> list[str]:
        tokens, at, end = [], 0, len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise self.refused(f"cannot read it from `{self.text[at:].strip()}` on")
            tokens.append(match[1] or match[2])
            at = match.end()
        return tokens

    def refused(self, why: str) -> FleetError:
        return mistake(
            f"the selector `{self.text}` is malformed",
            self.where,
            why=why,
            hint="write for example: tier=db and not zone=b, or: db[001-004],web*",
        )

    def whole(self) -> Expression:
        if not self.tokens:
            raise mistake("the selector is empty", self.where, hint="`all` means every host")
        found = self.either()
        if self.index < len(self.tokens):
            extra = self.tokens[self.index]
            if extra == ")":
                raise self.refused("a closing parenthesis without an opening one")
            raise self.refused(f"`and`, `or` or a comma is missing before `{extra}`")
        return found

    def peek(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def take(self, *wanted: str) -> bool:
        if self.peek() in wanted and self.index < len(self.tokens):
            self.index += 1
            return True
        return False

    def either(self) -> Expression:
        parts = [self.both()]
        while self.peek() in ("or", ","):
            comma = self.take(",")
            if not comma:
                self.take("or")
            if comma and self.peek() == "not":
                raise self.refused("`, not` reads as if it took away; it would add all others")
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def both(self) -> Expression:
        found = self.single()
        while self.take("and"):
            found = Both(found, self.single())
        return found

    def single(self) -> Expression:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.refused(f"nested more than {DEPTH_MAX} deep")
        try:
            if self.take("not"):
                return Not(self.single())
            if self.take("("):
                inner = self.either()
                if not self.take(")"):
                    raise self.refused("a closing parenthesis is missing")
                return inner
            return self.term()
        finally:
            self.depth -= 1

    def term(self) -> Expression:
        word = self.peek()
        if not word or word in {"and", "or", ")", ","}:
            raise self.refused(f"a term is missing before `{word}`" if word else "it ends early")
        self.index += 1
        if word == "all":
            return Everything()
        plain = word.replace('"', "")
        if plain.startswith("@"):
            if len(plain) == 1:
                raise self.refused("`@` wants the name of a file")
            return FromFile(plain[1:], self.where)
        key, equals, value = plain.partition("=")
        if not equals:
            return Named(plain, self.where)
        return self.keyed(key, value)

    def keyed(self, key: str, value: str) -> Expression:
        if not key or not value:
            raise self.refused(f"`{key}={value}` lacks its {'value' if key else 'key'}")
        return InTier(value, self.where) if key == "tier" else Tagged(key, value, self.where)
