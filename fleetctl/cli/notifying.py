"""Who is told of a run besides the person at the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetctl.base.errors import FleetError
from fleetctl.cli.output import tell

if TYPE_CHECKING:
    from fleetctl.journal.store import Journal
    from fleetctl.plan.model import Plan
    from fleetctl.report.messages import Message
    from fleetctl.report.notifier import Notifier
    from fleetctl.transport.veil import Vault

GRACE_S = 1.0
"""How long a run that is over and told stays for its last messages; a process of its own goes on
with what takes longer."""


class Notifiers:
    """The notifiers of one run; without channels it costs nothing."""

    def __init__(self, plan: Plan, vault: Vault, run: str = "", *, quiet: bool = False) -> None:
        """`run`: its id when it is taken up again."""
        self.each: Sequence[Notifier] = ()
        self._plan = plan
        self._vault = vault
        if plan.channels and not quiet:
            from fleetctl.report.notifier import Notifier

            self.each = [Notifier(channel, vault.value, plan, run) for channel in plan.channels]

    def finish(self, journal: Journal, run: str) -> None:
        """Tell how the run went."""
        if not self.each:
            return
        from fleetctl.plan.history import History
        from fleetctl.report.messages import Message
        from fleetctl.report.page import slow_of
        from fleetctl.report.reading import read_entries
        from fleetctl.report.story import RunStory
        from fleetctl.report.summary import summary_lines

        story = RunStory(self._plan).take(read_entries(journal, run))
        history = History(journal.times(self._plan.fleet, before=run))
        self._send(Message("finish", tuple(summary_lines(story, slow_of(story, history)))))

    def break_off(self, error: FleetError) -> None:
        """Tell that the run ended by an error, if it had begun."""
        begun = [notifier for notifier in self.each if notifier.run]
        if not begun:
            return
        from fleetctl.report.messages import Message

        head = f"{self._plan.title} ({self._plan.fleet}): broke off: {error.what}"
        self._send(Message("finish", (head, *([error.hint] if error.hint else []))))
        self.leave()

    def leave(self) -> None:
        """Let the last messages go out, and tell which did not arrive."""
        if not self.each:
            return
        from fleetctl.report.courier import hand_over

        end_s = time.monotonic() + GRACE_S
        for notifier in self.each:
            left_s = 0.0 if notifier.failed else max(0.0, end_s - time.monotonic())
            try:
                done = notifier.close(left_s)
            except KeyboardInterrupt:  # all is said: it only spares the rest of this second
                done, end_s = notifier.close(0.0), 0.0
            if not done:
                rest = notifier.undelivered()
                on_its_way = hand_over(notifier.channel, rest, self._vault.value)
                word = "still tried by another process" if on_its_way else "given up"
                tell(f"{notifier.name}: {len(rest)} not there yet, {word}")
            for failure in notifier.failed:
                tell(f"{notifier.name} ({failure.message.moment}) did not arrive: {failure.why}")

    def _send(self, message: Message) -> None:
        for notifier in self.each:
            notifier.send(message)
