"""The ground a run stands on: its transport, and the leases of the tiers it works on.

A lease is kept on the fleet's bastions (or on a tier's first hosts), renewed by a heartbeat, and
ends by itself when its holder is gone. Orders that would change a host go out only while we know
that ours holds; when somebody else's does, they are refused as a host would, and the run stops.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from fleetctl.base.errors import LockHeld, Unreachable
from fleetctl.rollout.controls import Command
from fleetctl.rollout.verdict import Verdict, judge, tiers_of
from fleetctl.transport.lease import (
    TTL_S,
    Answer,
    Claimant,
    Tenure,
    drop_text,
    read_answer,
    show_text,
    take_text,
)
from fleetctl.transport.protocol import (
    Answered,
    Ask,
    Connected,
    Event,
    Look,
    Looked,
    Lost,
    Order,
    Refused,
    RunSegment,
    Said,
    Sink,
    StepBegan,
    Transport,
)

Reply = Looked | Answered | Refused | Lost
"""The final event of a question of ours."""
HEARTBEAT_S = 5.0
"""So late at most a holder hears that its lease was stolen."""
_AGAIN_S = 3.0
"""Between heartbeats when one found too few hosts."""
_SURE_S = TTL_S * 0.8
"""So long after asking we rely on a granted lease: less than its host does, whatever clocks do."""
_GIVE_UP_S = 4 * TTL_S
_LOOK_S = 15.0
_DROP_S = 5.0
_STRAGGLER_S = 1.0
"""Once a majority has granted everything, the others have this long to object: a hung keeper must
not hold up the run, and nobody else can have a majority."""


def uptime_s() -> float:
    """A clock that goes on while the machine sleeps: a laptop's lid must not make a lease young."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Ground:
    """A transport whose changing orders need a lease; without keepers it hands everything on."""

    def __init__(
        self,
        open_transport: Callable[[Sink], Transport],
        fleet: str,
        keepers: Mapping[str, Sequence[str]],
        claimant: Claimant,
        now_s: Callable[[], float] = uptime_s,
        heartbeat_s: float = HEARTBEAT_S,
        is_over: Callable[[Tenure], bool] = lambda tenure: False,
    ) -> None:
        self._fleet = fleet
        self._keepers = keepers
        self._claimant = claimant
        self._now_s = now_s
        self._heartbeat_s = heartbeat_s
        self._is_over = is_over
        self._lock = threading.Lock()
        self._asked: dict[int, queue.SimpleQueue[Reply | None]] = {}
        """Tickets of our questions that are out -> where who asked takes the answer; None: there
        will be none, we leave."""
        self._ticket = 0
        """Ours count downwards, so the driver's never meet them."""
        self._sure_until_s = float("inf") if not keepers else 0.0
        self._since_s = time.time()
        self._refusal: Refused | None = None
        self._held_back: list[RunSegment] = []
        self._post: Callable[[Event | Command], None] | None = None
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._transport = open_transport(self._hear)

    # --- taking, giving back

    @property
    def is_leased(self) -> bool:
        """Whether leases are asked for at all."""
        return bool(self._keepers)

    def other_leg(self, known: int) -> Tenure | None:
        """A live lease of this very run, of a leg with a higher fence than any `known` here."""
        hosts = tiers_of(self._keepers)
        answers = self._ask(dict.fromkeys(hosts, show_text(self._fleet)), _LOOK_S)
        for answer in answers.values():
            for tenure in answer.tenures:
                ours = tenure.word == "held" and tenure.run == self._claimant.run
                if ours and tenure.number > known:
                    return tenure
        return None

    def take(self) -> None:
        """Get every lease, or raise LockHeld or Unreachable with nothing changed on any host.

        One left by a leg that `is_over` is given back for it.
        """
        if not self._keepers:
            return
        verdict = self._round()
        for _ in self._keepers:
            if verdict.tenure is None or not self._is_over(verdict.tenure):
                break
            left = verdict.tenure  # whose keeper was too busy to take it back
            self._drop(Claimant(left.run, left.number, left.by))
            verdict = self._round()
        if verdict.word == "granted":
            return
        self.give_back()
        if verdict.tenure is not None:
            raise held(verdict.tenure)
        raise Unreachable(
            "cannot learn who else works on this fleet",
            why=verdict.trouble,
            hint="its leases are kept there; if nobody else works on it, --no-lease goes on",
        )

    def give_back(self) -> None:
        """Drop what we hold, as far as its hosts can be reached soon; else it ends by itself.

        Who lost one lease may still hold others; a host drops what is ours and nothing else.
        """
        if not self._keepers:
            return
        with self._lock:
            self._sure_until_s = 0.0
        self._drop(self._claimant)

    def _drop(self, claimant: Claimant) -> None:
        tiers = tiers_of(self._keepers)
        self._ask({host: drop_text(self._fleet, tiers[host], claimant) for host in tiers}, _DROP_S)

    def listen(self, post: Callable[[Event | Command], None]) -> None:
        """Give events to `post` from here on, and keep the leases alive."""
        self._post = post
        if self._keepers:
            self._thread = threading.Thread(target=self._keep, name="fleetctl-lease", daemon=True)
            self._thread.start()

    # --- a transport

    def submit(self, order: Order) -> None:
        """Take an order; answers come to whoever listens. Never blocks."""
        if isinstance(order, RunSegment):
            with self._lock:
                refusal = self._refusal
                if refusal is None and self._now_s() >= self._sure_until_s:
                    self._held_back.append(order)
                    self._wake.set()
                    return
            if refusal is not None:
                self._refuse(order, refusal)
                return
        self._transport.submit(order)

    def close(self, linger_s: float = 0.0) -> None:
        """Give the leases back and close every connection; finite. Idempotent.

        `linger_s`: the connections are closed so long afterwards, unless the process has ended
        then; taking them down one by one would hold up its end.
        """
        if not self._closed.is_set():
            self._closed.set()
            self._wake.set()
            with self._lock:
                asked = list(self._asked.values())
            for heard in asked:
                heard.put(None)
            if self._thread is not None:
                self._thread.join(_LOOK_S + _DROP_S)
            with contextlib.suppress(OSError, queue.Empty):
                self.give_back()
        if linger_s:
            last = threading.Timer(linger_s, self._transport.close)
            last.daemon = True
            last.start()
        else:
            self._transport.close()

    def _hear(self, event: Event) -> None:
        if isinstance(event, (StepBegan, Said, Connected)) or event.ticket >= 0:
            if self._post is not None:
                self._post(event)
        elif isinstance(event, Reply):
            with self._lock:
                asked = self._asked.pop(event.ticket, None)
            if asked is not None:
                asked.put(event)

    # --- heartbeats

    def _keep(self) -> None:
        lost_at_s = self._now_s() + _GIVE_UP_S
        pause_s = self._heartbeat_s
        while not self._closed.is_set() and self._refusal is None:
            self._wake.wait(pause_s)
            self._wake.clear()
            if self._closed.is_set():
                return
            verdict = self._round()
            pause_s = self._heartbeat_s if verdict.word == "granted" else _AGAIN_S
            if verdict.word == "granted":
                lost_at_s = self._now_s() + _GIVE_UP_S
            elif verdict.tenure is not None:
                self._lose(words_of(verdict.tenure), verdict.tenure)
            elif self._now_s() >= lost_at_s:
                self._lose(f"its lease could not be renewed: {verdict.trouble}", None)

    def _round(self) -> Verdict:
        """Ask all keepers once; what was held back goes when they grant it."""
        asked_s = self._now_s()
        tiers = tiers_of(self._keepers)
        texts = {
            host: take_text(self._fleet, tiers[host], self._claimant, self._since_s)
            for host in tiers
        }
        verdict = judge(self._keepers, self._ask(texts, _LOOK_S))
        if verdict.word == "granted":
            with self._lock:
                self._sure_until_s = asked_s + _SURE_S
                going, self._held_back = self._held_back, []
            for order in going:
                self.submit(order)
        return verdict

    def _ask(self, texts: Mapping[str, str], within_s: float) -> dict[str, Answer]:
        """The answers that came in time; hosts that could not be reached are told as troubled."""

        def is_granted(replies: Mapping[str, Reply]) -> bool:
            return judge(self._keepers, _answers(replies)).word == "granted"

        asks = {host: Look(0, host, text, within_s) for host, text in texts.items()}
        return _answers(self.put(asks, within_s, is_granted))

    def look(self, texts: Mapping[str, str], within_s: float) -> dict[str, Reply]:
        """What hosts say to these texts, all asked at once; who does not answer is missing.

        From any thread; finite.
        """
        asks = {host: Look(0, host, text, within_s) for host, text in texts.items()}
        return self.put(asks, within_s)

    def put(
        self,
        questions: Mapping[str, Look | Ask],
        within_s: float,
        is_enough: Callable[[Mapping[str, Reply]], bool] = lambda replies: False,
    ) -> dict[str, Reply]:
        """The answers to these orders by host, whatever their tickets; as `look`.

        Once the answers are enough, the others have a moment left.
        """
        heard: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()
        tickets = [self._submit_ours(question, heard) for question in questions.values()]
        replies: dict[str, Reply] = {}
        # Hosts to be connected to first get time for that; who leaves does not wait so long.
        connect_s = 0.0 if self._closed.is_set() else _LOOK_S
        deadline_s = time.monotonic() + within_s + connect_s
        while len(replies) < len(questions) and (left_s := deadline_s - time.monotonic()) > 0:
            try:
                reply = heard.get(timeout=left_s)
            except queue.Empty:
                break
            if reply is None:
                break
            replies[reply.host] = reply
            if is_enough(replies):
                deadline_s = min(deadline_s, time.monotonic() + _STRAGGLER_S)
        with self._lock:
            for ticket in tickets:
                self._asked.pop(ticket, None)
        return replies

    def _submit_ours(self, question: Look | Ask, heard: queue.SimpleQueue[Reply | None]) -> int:
        with self._lock:
            self._ticket -= 1
            ticket = self._ticket
            self._asked[ticket] = heard
        self._transport.submit(msgspec.structs.replace(question, ticket=ticket))
        return ticket

    def _lose(self, why: str, tenure: Tenure | None) -> None:
        by = tenure.by if tenure is not None else ""
        run = tenure.run if tenure is not None else ""
        with self._lock:
            self._refusal = Refused(0, "", "fence", why, 0, run)
            left, self._held_back = self._held_back, []
        if self._post is not None:
            self._post(Command("lost", by, means=why))
        for order in left:
            self._refuse(order, self._refusal)

    def _refuse(self, order: RunSegment, why: Refused) -> None:
        if self._post is not None:
            self._post(Refused(order.ticket, order.host, "fence", why.detail, 0, why.holder))


def _answers(replies: Mapping[str, Reply]) -> dict[str, Answer]:
    return {
        host: read_answer(reply.stdout.head)
        if isinstance(reply, Looked)
        else Answer(False, (), getattr(reply, "detail", "no answer"))
        for host, reply in replies.items()
    }


def words_of(tenure: Tenure) -> str:
    """Who has the lease of a tier, in words."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(tenure.since_s))
    match tenure.word:
        case "stolen":
            return (
                f"{tenure.by} took the lease of tier {tenure.tier} away at {when}: {tenure.reason}"
            )
        case "newer":
            return f"{tenure.by} goes on with this run, since {when}"
        case _:
            return f"run {tenure.run} by {tenure.by} holds tier {tenure.tier}, since {when}"


def held(tenure: Tenure) -> LockHeld:
    """The error of whoever comes second."""
    if tenure.word == "held":
        error = LockHeld(
            f"somebody else works on tier {tenure.tier}",
            why=f"{words_of(tenure)}; seen {TTL_S - tenure.left_s:.0f} s ago",
            hint=f"if they are gone, it ends by itself in {tenure.left_s:.0f} s; or: fleetctl lock "
            f'steal --tier {tenure.tier} --reason "..."',
        )
        error.run = tenure.run
        return error
    return LockHeld(f"the lease of tier {tenure.tier} is lost", why=words_of(tenure))
