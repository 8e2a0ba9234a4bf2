"""Steps and gates out of the document: one kind word each, the common options beside it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.base.marked import Document, decode, unknown_key
from fleetctl.playbook.kinds import GateKind, StepKind, gate_kinds, step_kinds
from fleetctl.playbook.model import Gate, Mistakes, Step, Written
from fleetctl.playbook.source import GateOptions, RetryText, StepOptions
from fleetctl.playbook.units import decode_unit

T = TypeVar("T")
Path = tuple[str | int, ...]


def try_decode(document: Document, kind: type[T], path: Path, mistakes: Mistakes) -> T | None:
    """The value at `path`, or None with its mistakes noted."""
    try:
        return decode(document, kind, path, decode_unit)
    except InputErrors as errors:
        mistakes.extend(errors.errors)
    except InputError as error:
        mistakes.extend([error])
    return None


@functools.cache
def step_shape(word: str) -> type[StepOptions]:
    """The whole mapping of a step of this kind: its word and the common options."""
    return _shape(StepOptions, step_kinds()[word])


@functools.cache
def gate_shape(word: str) -> type[GateOptions]:
    """The whole mapping of a gate of this kind."""
    return _shape(GateOptions, gate_kinds()[word])


def _shape(options: type[T], kind: StepKind | GateKind) -> type[T]:
    """`options` with one required field more; where an option has the kind's word, without it."""
    assert issubclass(options, msgspec.Struct)
    field = _field(kind.word)
    return msgspec.defstruct(  # type: ignore[return-value]
        f"{field.capitalize()}{options.__name__.removesuffix('Options')}",
        [(field, kind.model)],
        bases=(options,),
        rename={field: kind.word},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _field(word: str) -> str:
    """The word of a kind as Python can name a field."""
    return word.replace("-", "_")


def read_step(document: Document, path: Path, mistakes: Mistakes) -> Step | None:
    """The step at `path`, or None with its mistakes noted."""
    known = StepOptions.__struct_fields__
    word = _kind_word(document, path, ("step", step_kinds(), known), mistakes)
    shape = try_decode(document, step_shape(word), path, mistakes) if word else None
    if word is None or shape is None:
        return None
    retry = _read_retry(document, path, shape, mistakes)
    written = written_at(document, path)
    if retry and not shape.idempotent:
        mistakes.add(
            "retry without idempotent: true",
            document.key_location((*path, "retry")),
            why="a step that is tried again must be able to run twice without harm",
            hint="add `idempotent: true` if it is, else take retry away",
        )
    return Step(word, getattr(shape, _field(word)), shape, retry, written)


def _read_retry(
    document: Document, path: Path, options: StepOptions, mistakes: Mistakes
) -> RetryText | None:
    place = document.location((*path, "retry"))
    if options.retry is None:
        return None
    if isinstance(options.retry, dict):
        retry = try_decode(document, RetryText, (*path, "retry"), mistakes)
    else:
        attempts = try_decode(document, int, (*path, "retry"), mistakes)
        retry = None if attempts is None else RetryText(attempts=attempts)
    if retry and (retry.attempts < 1 or retry.factor < 1):
        mistakes.add("retry counts the tries in all: at least 1, factor at least 1", place)
    return retry


def read_gate(document: Document, path: Path, mistakes: Mistakes) -> Gate | None:
    """The gate at `path`, or None with its mistakes noted."""
    known = GateOptions.__struct_fields__
    word = _kind_word(document, path, ("gate", gate_kinds(), known), mistakes)
    shape = try_decode(document, gate_shape(word), path, mistakes) if word else None
    if word is None or shape is None:
        return None
    if word in known:  # `soak` is a kind and an option: beside its own kind the option is not meant
        return Gate(word, getattr(shape, word), GateOptions(
            **{name: getattr(shape, name) for name in known if name != word}
        ), written_at(document, path))  # fmt: skip
    return Gate(word, getattr(shape, word), shape, written_at(document, path))


def _kind_word(
    document: Document,
    path: Path,
    knowledge: tuple[str, Mapping[str, Any], tuple[str, ...]],
    mistakes: Mistakes,
) -> str | None:
    """The one key of the mapping at `path` that is a kind; None with the mistake noted."""
    what, kinds, options = knowledge
    value = document.at(path)
    if not isinstance(value, dict):
        mistakes.add(f"a {what} is a mapping such as `{min(kinds)}: ...`", document.location(path))
        return None
    words: list[str] = [key for key in value if key in kinds]
    unknown = [key for key in value if key not in kinds and key not in options]
    if len(words) > 1 or unknown:  # a kind's word that is an option too is then the option
        sure = [word for word in words if word not in options]
        words = sure or ([] if unknown else words)
    if len(words) == 1:
        return words[0]
    if len(words) > 1:
        both = f"this {what} has two kinds, {words[0]} and {words[1]}"
        hint = f"make them two {what}s"
        mistakes.add(both, document.key_location((*path, words[1])), hint=hint)
        return None
    for key in unknown:
        mistakes.extend([_unknown_kind(document, (*path, key), what, kinds)])
    if not unknown:
        kinds_known = ", ".join(sorted(kinds))
        mistakes.add(f"this {what} does nothing", document.location(path),
                     hint=f"give it one of: {kinds_known}")  # fmt: skip
    return None


def _unknown_kind(document: Document, path: Path, what: str, kinds: Iterable[str]) -> InputError:
    error = unknown_key(document, path, kinds)
    return InputError(f'unknown kind of {what} "{path[-1]}"', error.location, hint=error.hint)


def written_at(document: Document, path: Path) -> Written:
    """The places of everything at `path`."""
    places = {inner: document.location((*path, *inner)) for inner in _paths(document.at(path))}
    return Written(document.location(path), places)


def _paths(value: Any) -> Iterator[Path]:
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (key,)
        for path in _paths(inner):
            yield (key, *path)


def texts_at(document: Document, path: Path) -> Iterator[tuple[str, Location]]:
    """Every text at `path`, with its place."""
    value = document.at(path)
    if isinstance(value, str):
        yield value, document.location(path)
    for inner in _paths(value):
        text = document.at((*path, *inner))
        if isinstance(text, str):
            yield text, document.location((*path, *inner))
