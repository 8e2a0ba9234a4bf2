"""What truly happened on the hosts: every effect, whoever ordered it and whoever heard of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Exec, Foreach
from fleetctl.rollout.records import AskSent, SegmentSent, StepSettled
from fleetctl.transport.protocol import Ask, ItemOrder, Round, RunSegment, StepEnd, StepOrder
from fleetctl.transport.simhost import Blind
from fleetctl.transport.simulated import World
from tests.sim.books import HostBook, base_of, demand
from tests.sim.items import ItemWitness

if TYPE_CHECKING:
    from tests.sim.referee import Referee


@dataclass(slots=True)
class Effect:
    """One act, begun; `end` is None while it runs, and for ever when a reboot took it."""

    host: str
    run: str
    key: str
    """With `.undo`, without the number of its try."""
    ticket: int
    fence: int
    leg: int
    repeatable: bool
    boot: int
    end: StepEnd | None = None


class Ledger(Blind):
    """A witness at the hosts. It knows the orders by their tickets, and objects at once."""

    def __init__(self, world: World, note: Callable[[object], None]) -> None:
        self.referees: dict[str, Referee] = {}
        self.effects: dict[tuple[str, str, str], list[Effect]] = {}
        """(run, host, key) -> its acts, oldest first."""
        self._granted: set[tuple[str, str, str]] = set()
        """(run, question, item) of a person's wishes that were carried out."""
        self.names: dict[tuple[str, int], dict[str, str]] = {}
        """(run, ticket) -> key -> the name of this try on the host; of orders that went out."""
        self.announced: set[tuple[str, int]] = set()
        """Orders that are in a journal."""
        self.ends: dict[tuple[str, str, str], StepEnd] = {}
        """(run, host, name) -> how the host recorded it."""
        self.fences: dict[str, tuple[int, str]] = {}
        self.legs: dict[tuple[str, int], int] = {}
        """(run, ticket) -> the leg whose controller sent it."""
        self.leg_at: dict[tuple[str, str], int] = {}
        """(run, host) -> the newest leg the host has heard of."""
        self.course: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """(run, host) -> what began and ended there, in order."""
        self.witness = ItemWitness(self)
        self._running: dict[str, Effect] = {}
        self._world = world
        self._note = note
        world.witness = self

    # ---- what controllers do

    def announce(self, run: str, record: SegmentSent | AskSent) -> None:
        self.announced.add((run, record.ticket))

    def submitted(self, order: RunSegment | Ask, leg: int) -> None:
        """An order leaves the controller of this leg of its run."""
        self.legs[order.run, order.ticket] = leg
        demand((order.run, order.ticket) in self.announced, "3: sent before its record", order)
        if isinstance(order, RunSegment):
            names = self.names.setdefault((order.run, order.ticket), {})
            for step in order.steps:
                if isinstance(step.operation, Round):
                    self.witness.submitted(order, step)
                names[_booked(step)] = step.key + (".undo" if step.undo else "")

    # ---- what hosts do

    def entered(self, host: str, order: RunSegment | Ask) -> None:
        number, run = self.fences.get(host, (0, order.run))
        newer = order.fence > number or (order.fence == number and order.run == run)
        demand(newer, "4: an older order is obeyed", host, order.fence, number, run)
        self.fences[host] = order.fence, order.run
        leg, newest = self.legs[order.run, order.ticket], self.leg_at.get((order.run, host), 0)
        demand(leg >= newest, "4: a dead controller is obeyed", host, order, newest)
        self.leg_at[order.run, host] = leg

    def began(self, host: str, order: RunSegment, step: StepOrder, name: str) -> None:
        key = _booked(step)
        self._note(("began", host, order.run, order.ticket, name))
        number, run = self.fences.get(host, (0, ""))
        demand((order.fence, order.run) == (number, run), "4: an older order has an effect",
               host, name, order.fence, number, run)  # fmt: skip
        demand((order.run, order.ticket) in self.announced, "3: an effect before its record", name)
        running = self._running.get(host)
        boot = self._world.hosts[host].boot
        demand(running is None or running.boot != boot, "3: two steps at once", host, name)
        referee = self.referees[order.run]
        planned = referee.steps[base_of(step.key)]
        again = planned.reads_release or not isinstance(planned.operation, Exec)
        again = (
            again
            or key.endswith(".restore")
            or (
                not step.undo and (planned.retry is not None or bool(planned.operation.check))  # type: ignore[union-attr]
            )
        )
        effect = Effect(host, order.run, key, order.ticket, order.fence, referee.legs, again, boot)
        self._check_expected(referee, effect, name)
        self._check_once(effect, planned.reads_release)
        if planned.once and not step.undo:
            self._check_elected(referee, effect)
        self.effects.setdefault((order.run, host, key), []).append(effect)
        self.course.setdefault((order.run, host), []).append((key, "began"))
        self._running[host] = effect

    def ended(self, host: str, order: RunSegment, name: str, end: StepEnd) -> None:
        self._note(("ended", host, order.run, name, end))
        self.ends[order.run, host, name] = end
        key = next(k for k, n in self.names[order.run, order.ticket].items() if n == name)
        self.course.setdefault((order.run, host), []).append((key, end))
        running = self._running.get(host)
        # What a reboot cut off is still there; the end of a later order is not its end.
        if end != "checked" and running is not None and running.ticket == order.ticket:
            running.end = end
            del self._running[host]

    def item_began(self, host: str, order: RunSegment, step: StepOrder, item: ItemOrder) -> None:
        self._note(("item began", host, order.run, order.ticket, step.key, item.name))
        self.witness.began(host, order, step, item)

    def item_ended(
        self, host: str, order: RunSegment, step: StepOrder, item: str, end: StepEnd
    ) -> None:
        self._note(("item ended", host, order.run, step.key, item, end))
        assert isinstance(step.operation, Round)
        self.witness.ended(order.run, host, step.operation.key, item, end)

    def listed(self, run: str, host: str, key: str) -> tuple[str, ...]:
        """What the host said in the step that lists."""
        for (of_run, name), record in self._world.hosts[host].records.items():
            if of_run == run and base_of(name) == key and record.end == "acted":
                return tuple(record.stdout.decode().split())
        return ()

    def _check_expected(self, referee: Referee, effect: Effect, name: str) -> None:
        """The run still holds the step to be open, or not known."""
        book = self._book(referee, effect)
        told = book.told.get(effect.key)
        known = book.open.get(effect.key) == effect.ticket or told is Outcome.UNKNOWN
        demand(known, "4: an effect nobody expects any more", effect.host, name, told, book.open)

    def _book(self, referee: Referee, effect: Effect) -> HostBook:
        base = base_of(effect.key)
        phase = next(p for p in referee.phases.values() if base in p.index_of)
        return phase.hosts[effect.host]

    def _check_once(self, effect: Effect, reads: bool) -> None:
        """Nothing that succeeded runs again unless it was undone; nor what may have."""
        before = self.effects.get((effect.run, effect.host, effect.key), [])
        if not before or reads:
            return
        last = before[-1]
        where = f"{effect.host} {effect.key}"
        if last.end is None:
            known = last.repeatable or self._undone(last)
            demand(known, "3: begun again, and nobody knows how it ended", where)
        elif last.end == "acted":
            demand(self._undone(last), "3: begun again after it succeeded", where)
        elif last.leg == effect.leg:
            again = effect.repeatable and not effect.key.endswith(".restore")
            again = again or self.is_wished(effect.run, effect.host, effect.key)
            demand(again, "3: failed and begun again unasked", where)

    def is_wished(self, run: str, host: str, key: str, item: str = "") -> bool:
        """Whether a person said that what failed is to be tried again; a word holds once."""
        for name, (question, answer) in self.referees[run].chosen.items():
            wish = (run, name, item)
            retried = question.about == "failure" and answer.choice == "retry"
            if retried and name.startswith(f"{key}/{host}/") and wish not in self._granted:
                self._granted.add(wish)
                return True
        return False

    def _undone(self, effect: Effect) -> bool:
        """Whether its partner, what takes it back or the act, was tried after it."""
        base = base_of(effect.key)
        partners = [f"{base}.undo", f"{base}.restore"] if effect.key == base else [base]
        return any(
            e.ticket > effect.ticket
            for partner in partners
            for e in self.effects.get((effect.run, effect.host, partner), [])
        )

    def _check_elected(self, referee: Referee, effect: Effect) -> None:
        phase = next(p for p in referee.phases.values() if effect.key in p.index_of)
        step = phase.plan.steps[phase.index_of[effect.key]]
        mine = phase.hosts[effect.host]
        hosts = referee.plan.hosts
        for other in phase.hosts.values():
            same = (
                step.once == "fleet"
                or (step.once == "batch" and other.batch == mine.batch)
                or (step.once == "shard"
                    and hosts[other.host].tags.get("shard") == hosts[mine.host].tags.get("shard"))
            )  # fmt: skip
            if same and other.host != effect.host:
                acts = self.effects.get((effect.run, other.host, effect.key), [])
                bad = acts and not acts[-1].repeatable and acts[-1].end in ("acted", None)
                demand(not bad, "3: runs once, and ran elsewhere", effect.host, other.host)

    # ---- what is told, held against what happened

    def _name(self, run: str, book: HostBook, key: str) -> str:
        ticket = book.open.get(key) or book.sent[key]
        return self.names.get((run, ticket), {}).get(key, "")

    def check_truth(self, referee: Referee, book: HostBook, key: str, told: StepSettled) -> None:
        """The outcome of a step is what its host recorded."""
        end = self.ends.get((referee.run, book.host, self._name(referee.run, book, key)))
        reads = referee.steps[told.key].reads_release
        if isinstance(referee.steps[told.key].operation, Foreach):
            return  # what became of its items is what counts
        match told.outcome:
            case Outcome.OK | Outcome.CHANGED:
                true = end == "acted"
            case Outcome.SKIPPED:
                true = end == "checked"
            case Outcome.FAILED | Outcome.TIMED_OUT:
                true = end in ("failed", "timed out", "killed") or (reads and end == "acted")
            case _:
                true = True
        demand(true, "3: told what did not happen", book.host, told, end)

    def must_be_absent(self, run: str, book: HostBook, key: str) -> None:
        name = self._name(run, book, key)
        found = self._world.hosts[book.host].records.get((run, name))
        demand(not name or found is None, "3: told never begun, but it was", book.host, name)

    def must_be_untouched(self, referee: Referee, book: HostBook, why: str) -> None:
        self.witness.must_be_untouched(referee.run, book)
        for key in book.open:
            acts = self.effects.get((referee.run, book.host, key), [])
            mine = [act for act in acts if act.ticket == book.open[key]]
            demand(not mine, "3: it was begun all the same:", why, book.host, key)

    def live_release(self, host: str) -> str:
        """What the last read of the host's release said."""
        reads = [
            record.stdout
            for (_, name), record in self._world.hosts[host].records.items()
            if "read" in name and record.end == "acted"
        ]
        return reads[-1].decode().strip() if reads else ""

    def compare(self, referee: Referee) -> None:
        """No effect of the run is missing from its records."""
        self.witness.compare(referee)
        for (run, host, key), acts in self.effects.items():
            last = acts[-1]
            lost = last.end == "acted" or (last.end is None and not last.repeatable)
            if run != referee.run or not lost or self._undone(last):
                continue
            book = self._book(referee, last)
            told = book.told.get(key)
            known = told in (Outcome.OK, Outcome.CHANGED, Outcome.UNKNOWN) or key in book.open
            reads = referee.steps[base_of(key)].reads_release
            demand(known or reads, "3: an effect nobody tells of", host, key, told)


def _booked(step: StepOrder) -> str:
    """What a step that is ordered is called in the books."""
    way = ".undo" if step.undo else ".restore" if ".restore" in step.key else ""
    return base_of(step.key) + way
