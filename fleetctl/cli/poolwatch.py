"""`fleetctl pools status --watch`: the picture anew every few seconds, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fleetctl.base.errors import ExitCode
from fleetctl.cli.output import colour_wanted
from fleetctl.cli.poolpicture import picture
from fleetctl.cli.poolstatus import pen, summed_up
from fleetctl.cli.poolview import Answers, Scope, rows_of, verdict


def watch_status(ask: Callable[[], Answers], scope: Scope, every_s: float) -> ExitCode:
    """Ask and draw until Ctrl-C; the exit code of what was seen last."""
    console = Console(no_color=not colour_wanted(), highlight=False, markup=False)
    code, shows = ExitCode.OK, pen()  # as long as stdout is the terminal's own
    try:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                began_s = time.monotonic()
                answers = ask()
                rows = rows_of(answers, scope)
                code = verdict(rows)
                lines = picture(rows, scope.by, shows._replace(width=console.width))
                head = f"{summed_up(answers, rows)}\n"
                live.update(_text(head, lines, console.height, every_s), refresh=True)
                time.sleep(max(0.0, began_s + every_s - time.monotonic()))
    except KeyboardInterrupt:
        return code


def _text(head: str, lines: list[str], height: int, every_s: float) -> Text:
    """The picture, cut to the terminal, under the time it was taken and what it comes to."""
    taken = time.strftime(f"%H:%M:%S, every {every_s:g} s, until Ctrl-C")
    room = max(1, height - 3)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"({len(lines) - room + 1} more lines)"]
    text = Text(f"{taken}\n{head}", no_wrap=True, overflow="ellipsis")
    text.append_text(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis"))
    return text
