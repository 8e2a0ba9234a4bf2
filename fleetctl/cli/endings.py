"""How the program ends when something is raised: what is told on stderr, and the exit code."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from fleetctl.base.errors import ExitCode, FleetError, InputErrors, ReaderGone

TELLING_S = 3.0
"""How long the last words wait for somebody to read them, when nobody seems to."""


def tell_ending(ending: BaseException) -> int:
    """Say on stderr what ended the program; the exit code for it."""
    if isinstance(ending, FleetError):
        _say(told(ending))
        return int(ending.exit_code)
    if isinstance(ending, click.UsageError):
        ending.show()
        return int(ExitCode.USAGE)
    if isinstance(ending, click.ClickException):
        _say(f"error: {ending.format_message()}")
        return int(ExitCode.USAGE)
    if isinstance(ending, (KeyboardInterrupt, click.Abort)):
        _say("interrupted")
        return int(ExitCode.INTERRUPTED)
    if isinstance(ending, ReaderGone):
        silence_stdout()
        return int(ExitCode.INTERRUPTED)  # in the middle of whatever it was
    return _tell_bug(ending)


def told(error: FleetError) -> str:
    """An error as people read it: what, then where, why and a hint when known."""
    if isinstance(error, InputErrors):
        return "\n".join(told(one) for one in error.errors)
    lines = [f"error: {error.what}"]
    parts = (("where", error.where), ("why", error.why), ("hint", error.hint))
    lines += [f"  {word}: {text}" for word, text in parts if text]
    return "\n".join(lines)


def tell_and_leave(telling: Callable[[], object], code: ExitCode) -> NoReturn:
    """End the program though something sits on its output: tell for a moment, then go."""
    teller = threading.Thread(target=telling, daemon=True)
    teller.start()
    teller.join(TELLING_S)
    os._exit(int(code))


def silence_stdout() -> None:
    """The reader of our stdout is gone: what is still written goes nowhere, and hurts nobody."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        return


def _tell_bug(ending: BaseException) -> int:
    _say(
        f"error: fleetctl broke: {type(ending).__name__}: {ending}\n"
        f"  why: a bug of fleetctl, not a mistake of yours\n"
        f"  hint: please report it with {keep_traceback(ending)}"
    )
    return int(ExitCode.BUG)


def keep_traceback(ending: BaseException) -> str:
    """Write the traceback to a file only its owner reads; its path, or why there is none."""
    text = _veiled("".join(traceback.format_exception(ending)))
    try:
        path = _traceback_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        return f"what it said (the traceback could not be kept: {error})"
    return str(path)


def _traceback_path() -> Path:
    import platformdirs

    folder = Path(platformdirs.user_state_dir("fleetctl")) / "tracebacks"
    return folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"


def _veiled(text: str) -> str:
    """Without the secrets of this process; that it had some is told by the module being there."""
    module = sys.modules.get("fleetctl.cli.veil")
    return module.veiled(text) if module else text


def _say(text: str) -> None:
    try:
        click.echo(_veiled(text), err=True)
    except OSError:
        return  # nobody listens any more; the exit code still tells
