"""The live picture on a terminal: a thread of its own draws what the records say.

It can neither block nor stop the run: it only reads the view, and trouble with the terminal ends
the picture, not the run.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fleetctl.cli.advice import advised
from fleetctl.cli.output import colour_wanted
from fleetctl.cli.picture import Glance, draw
from fleetctl.cli.progress import Asked, RunView, expected_s
from fleetctl.cli.prompting import Prompt
from fleetctl.cli.telling import Teller, about_words
from fleetctl.cli.watching import Follower, stamped
from fleetctl.plan.history import History
from fleetctl.report.asked import answer_with
from fleetctl.rollout import records as r
from fleetctl.rollout.observers import STUCK_S
from fleetctl.rollout.questions import BOX

TICK_S = 0.2
CLOSE_S = 1.0
Answer = Callable[[str, str, str], None]
"""Takes the key of a question, the choice, and what the person adds to it."""

_WORTH_A_LINE = (
    *(r.StepSettled, r.OrderLost, r.GateSettled, r.PhaseBegan, r.PhaseEnded),
    *(r.QuestionAsked, r.BoxTicked, r.QuestionAnswered),
    *(r.WordTaken, r.ViewDropped, r.StopOrdered, r.RunOpened, r.RunResumed, r.FoundDown),
)


class Screen(Follower):
    """An observer that draws on stderr; lines worth keeping scroll by above the picture."""

    name = "the live picture"

    def __init__(self, view: RunView, answer: Answer, history: History, seq: int = 0) -> None:
        super().__init__(view, seq)
        self._answer = answer
        self._history = history
        self._expected_s = expected_s(view.plan, history)
        self._teller = Teller(view)
        self._lines: deque[str] = deque()
        self._asked: set[tuple[str, float]] = set()
        """Questions answered here; after the next batch the same one is another."""
        self._closing = threading.Event()
        self._trouble = ""
        self._drawing_since_s: float | None = None
        colour = colour_wanted(sys.stderr)
        self._console = Console(stderr=True, no_color=not colour, highlight=False, markup=False)
        self._thread = threading.Thread(target=self._show, name="screen", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def close(self) -> None:
        """Draw no more; waits a moment for the terminal, not longer."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    @property
    def blocked(self) -> bool:
        """Whether the terminal takes nothing, though the picture is closed."""
        return self._thread.is_alive()

    def saw(self, seq: int, wall_s: float, record: r.Record) -> None:
        if isinstance(record, _WORTH_A_LINE):
            text = self._teller.line(record)
            if text:
                self._lines.append(stamped(wall_s, text))

    def notice(self, text: str) -> None:
        self._lines.append(stamped(time.time(), text))

    def trouble(self) -> str:
        """That the thread that draws is gone, or sits on the terminal."""
        since_s = self._drawing_since_s
        if since_s is not None and time.monotonic() - since_s > STUCK_S:
            return f"the terminal took nothing for {STUCK_S:.0f} s"
        return self._trouble

    def _show(self) -> None:
        try:
            while not self._closing.is_set():
                self._draw_until_question()
                question = self._question()
                if question is not None:
                    self._ask(question)
        except Exception as error:  # noqa: BLE001 - the picture ends, and the run does not
            self._trouble = f"{type(error).__name__}: {error}"

    def _draw_until_question(self) -> None:
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                last = self._closing.wait(TICK_S)
                self._drawing_since_s = time.monotonic()
                self._print_lines(live)
                if last or self._question() is not None:
                    self._drawing_since_s = None
                    return
                live.update(self._picture(), refresh=True)
                self._drawing_since_s = None

    def _print_lines(self, live: Live) -> None:
        while self._lines:
            live.console.print(Text(self._lines.popleft()), soft_wrap=True)

    def _picture(self) -> Text:
        width, height = self._console.size
        glance = Glance(time.time(), width, height, self._expected_s, self._history)
        with self.guard:
            lines = draw(self.view, glance)
        text = Text(no_wrap=True, overflow="ellipsis")
        for line in lines:
            text.append(line.text + "\n", style=line.style)
        text.rstrip()
        return text

    def _question(self) -> Asked | None:
        """A question that is open and was not answered here yet."""
        with self.guard:
            open_ = list(self.view.asked.values())
        return next((a for a in open_ if (a.question.key, a.asked_s) not in self._asked), None)

    def _ask(self, asked: Asked) -> None:
        """Ask on the terminal until answered here, or elsewhere, or the run ends."""
        question = asked.question
        prompt = Prompt(question, about_words(self.view, question))
        ticked = set(self.view.boxes.get(question.key, ()))
        elsewhere = advised(answer_with(self.view.run, question))
        _forget_typed()
        self._console.print(self._picture())
        self._console.print("\n" + "\n".join(prompt.lines(ticked, elsewhere)))
        self._console.print(f"{prompt.choices}: ", end="")
        while self._question() == asked and not self._closing.is_set():
            line = _typed_line(TICK_S)
            if line is None:
                continue
            typed = prompt.read(line, ticked | self.view.boxes.get(question.key, set()))
            if typed.trouble:
                self._console.print(f"{typed.trouble}: ", end="")
                continue
            self._answer(question.key, typed.choice, typed.why)
            if typed.choice.startswith(BOX):
                ticked.add(int(typed.choice.removeprefix(BOX)))
                self._console.print(f"{prompt.choices}: ", end="")
                continue
            self._asked.add((question.key, asked.asked_s))
            self._console.print()


def _forget_typed() -> None:
    """What was typed before the question was there is no answer to it."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _typed_line(wait_s: float) -> str | None:
    """A line typed within `wait_s`, stripped; None when there is none."""
    if not sys.stdin.isatty():
        time.sleep(wait_s)
        return None
    ready, _, _ = select.select([sys.stdin], [], [], wait_s)
    if not ready:
        return None
    typed = os.read(sys.stdin.fileno(), 4096)
    if not typed:  # end of input: always readable, never an answer
        time.sleep(wait_s)
        return None
    return typed.decode("utf-8", "replace").strip()
