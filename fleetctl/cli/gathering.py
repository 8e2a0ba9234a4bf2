"""Many flags of one command as one typed object."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def gather(name: str, kind: Any) -> Callable[[Command], Command]:
    """Pass the flags named like the fields of the NamedTuple `kind` as one argument `name`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathered(*args: Any, **kwargs: Any) -> Any:
            flags = kind(**{field: kwargs.pop(field) for field in kind._fields})
            return command(*args, **{name: flags}, **kwargs)

        return gathered  # type: ignore[return-value]  # same call, but for the flags made one

    return decorate
