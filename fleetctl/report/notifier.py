"""An observer that tells a channel of a run: it never holds the run up, whatever the channel does.

Records come from a thread of the run; messages stand in a bounded queue for a thread of their own,
and every try has a deadline after which it is left to itself.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from fleetctl.plan.model import Plan
from fleetctl.playbook.channels import Channel
from fleetctl.report.delivery import DeliveryFailed, Secret, deliver
from fleetctl.report.messages import Message, message_of
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import RunOpened
from fleetctl.transport.protocol import Said

BACKLOG_MAX = 50
TRIES = 3
DELAYS_S = (1.0, 4.0)
"""Between two tries."""


class Failure(NamedTuple):
    """A message that did not arrive."""

    message: Message
    why: str


class Notifier:
    """Tells one channel; an Observer."""

    goes_on = True
    """One message that failed does not end it."""

    def __init__(
        self, channel: Channel, secret: Secret, plan: Plan | None = None, run: str = "",
        delays_s: Sequence[float] = DELAYS_S,
    ) -> None:  # fmt: skip
        self.name = f"message to {channel.name}"
        self.channel = channel
        self.failed: list[Failure] = []
        self._plan = plan
        self.run = run
        self._secret = secret
        self._delays_s = delays_s
        self._queue: queue.Queue[Message] = queue.Queue(BACKLOG_MAX)
        self._told = 0
        self._pending: list[Message] = []
        """Taken, and neither delivered nor failed."""
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="notifier", daemon=True).start()

    # ---- as an observer

    def recorded(self, batch: Sequence[Recorded]) -> None:
        """Take the messages these records are worth."""
        for _, _, record in batch:
            if isinstance(record, RunOpened):
                self.run = record.run
            message = message_of(record, self._plan, self.run) if self._plan else None
            if message is not None:
                self.send(message)

    def said(self, said: Said) -> None:
        """Lines of steps are not told."""

    def notice(self, text: str) -> None:
        """Lines for the terminal are not told."""

    def trouble(self) -> str:
        """Why a message did not arrive, each told once."""
        with self._changed:
            fresh = self.failed[self._told :]
            self._told = len(self.failed)
        return "; ".join(f"{one.message.moment}: {one.why}" for one in fresh)

    # ---- messages

    def send(self, message: Message) -> None:
        """Take a message, if the channel is told of such; never blocks."""
        if message.moment not in self.channel.moments:
            return
        with self._changed:
            self._pending.append(message)
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._settle(message, Failure(message, f"{BACKLOG_MAX} messages stand before it"))

    def undelivered(self) -> list[Message]:
        """What has neither arrived nor failed."""
        with self._changed:
            return list(self._pending)

    def close(self, wait_s: float) -> bool:
        """Whether every message has arrived or failed; waits for that, at most `wait_s`."""
        end_s = time.monotonic() + wait_s
        with self._changed:
            while self._pending and (left_s := end_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            return not self._pending

    def _settle(self, message: Message, failure: Failure | None) -> None:
        with self._changed:
            self._pending.remove(message)
            if failure is not None:
                self.failed.append(failure)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            message = self._queue.get()
            self._settle(message, self._deliver(message))

    def _deliver(self, message: Message) -> Failure | None:
        why = ""
        for number in range(TRIES):
            if number:
                time.sleep(self._delays_s[min(number, len(self._delays_s)) - 1])
            failed = self._try(message)
            if failed is None:
                return None
            why = str(failed)
            if not failed.again:
                break
        return Failure(message, why)

    def _try(self, message: Message) -> DeliveryFailed | None:
        """Why it did not arrive; a try that takes too long is left to itself."""
        outcome: queue.SimpleQueue[DeliveryFailed | None] = queue.SimpleQueue()

        def attempt() -> None:
            try:
                deliver(self.channel, message.text, self._secret)
            except DeliveryFailed as failed:
                outcome.put(failed)
            else:
                outcome.put(None)

        threading.Thread(target=attempt, name="delivery", daemon=True).start()
        try:
            return outcome.get(timeout=self.channel.timeout_s)
        except queue.Empty:
            return DeliveryFailed(f"no answer within {self.channel.timeout_s:g} s")
