"""`fleetctl pools status --watch`: the picture anew every few seconds, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fleetctl.base.errors import ExitCode
from fleetctl.cli.output import colour_wanted
from fleetctl.cli.poolstatus import drawn
from fleetctl.cli.poolview import Answers, Scope, rows_of, verdict


def watch_status(ask: Callable[[], Answers], scope: Scope, every_s: float) -> ExitCode:
    """Ask and draw until Ctrl-C; the exit code of what was seen last."""
    console = Console(no_color=not colour_wanted(), highlight=False, markup=False)
    code = ExitCode.OK
    try:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                began_s = time.monotonic()
                rows = rows_of(ask(), scope)
                code = verdict(rows)
                live.update(_text(drawn(rows, scope), console.height, every_s), refresh=True)
                time.sleep(max(0.0, began_s + every_s - time.monotonic()))
    except KeyboardInterrupt:
        return code


def _text(lines: list[str], height: int, every_s: float) -> Text:
    """The picture, cut to the terminal, under the time it was taken."""
    head = time.strftime(f"%H:%M:%S, every {every_s:g} s, until Ctrl-C")
    room = max(1, height - 2)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"({len(lines) - room + 1} more lines)"]
    text = Text(head + "\n", no_wrap=True, overflow="ellipsis")
    text.append_text(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis"))
    return text
