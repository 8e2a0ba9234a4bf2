"""Promise 10: what a run stopped does not stay stopped where its host could be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Exec
from fleetctl.rollout import records as r
from tests.sim.books import HostBook, PhaseBook, demand

if TYPE_CHECKING:
    from tests.sim.referee import Referee


class RestoreRules:
    """The referee's rules for restores, held against what truly happened on the hosts."""

    def __init__(self, referee: Referee) -> None:
        self._referee = referee

    def order(self, record: r.RollbackOrdered) -> None:
        """A batch is rolled back: whoever is done or at work in it."""
        referee = self._referee
        phase = referee.phases[record.phase]
        demand(referee.stop is not None, "11: rolled back, and the run goes on", record)
        demand(phase.plan.batch_failure == "rollback", "11: rolled back unasked", record)
        for host in phase.plan.batches[record.batch]:
            book = phase.hosts[host]
            done = book.outcome in (Outcome.OK, Outcome.CHANGED)
            book.recalled |= book.in_flight or done

    def begin(self, record: r.RestoreBegan) -> None:
        """A settled host is taken up for what it is owed."""
        referee = self._referee
        phase, book = referee.phases[record.phase], referee.book(record.phase, record.host)
        demand(bool(book.owes) or book.recalled, "10: taken up, and owed nothing", record)
        flying = [b for p in referee.phases.values() for b in p.flying.values()]
        demand(all(b.host != book.host for b in flying), "2: in flight twice", record)
        room = not book.recalled or len(flying) < phase.plan.limit
        demand(room, "2: more rolled back at once than the limit", record)
        referee.sums.count(phase, book, -1)
        book.outcome, book.halted, book.owes, book.fault = None, False, "", False
        book.in_flight = book.tried = book.mending = True
        phase.flying[book.host] = book
        referee.sums.note_out(book.host)
        unknown = [key for key, outcome in book.told.items() if outcome is Outcome.UNKNOWN]
        book.reask([key for key in unknown if key not in book.restored])
        referee.items.reask(book)

    def end(self, book: HostBook) -> None:
        """What it was owed is said to be done."""
        demand(book.mending and book.in_flight, "10: reopened, and not taken up for it", book)
        demand(not book.open, "3: reopened while an effect is not known", book)
        left = self.stopped(book)
        demand(not left, "10: gone on with, though it stays stopped", book.host, left)

    def check_start(self, record: r.HostBegan) -> None:
        """What an earlier leg left behind is put back before anything else begins."""
        for phase in self._referee.phases.values():
            for book in phase.hosts.values():
                done = not book.mending and (book.tried or not book.owes)
                demand(done, "10: begun before another was put back", record, book.host)

    def send(self, phase: PhaseBook, book: HostBook, record: r.SegmentSent) -> None:
        """Restores go out."""
        referee = self._referee
        fenced = referee.stop is not None and referee.stop.reason == "fence"
        demand(not fenced, "4: put back though a newer run has it", record)
        for key in record.keys:
            by = referee.steps[key].restored_by
            # Where that one's undo began and nobody knows its end, it may be stopped again.
            undone = (referee.run, book.host, f"{by}.undo") in referee.ledger.effects
            done = by in book.well and not undone
            demand(not done, "10: put back though a later step has done it", record)
            begun = key in book.cut_off or (referee.run, book.host, key) in referee.ledger.effects
            told = book.told.get(key)
            likely = begun or (told is not None and told.lost)  # killed while it was checking
            demand(likely, "10: put back what was never done", record)

    def settle_step(self, book: HostBook, record: r.StepSettled) -> None:
        """A restore has its end."""
        if record.outcome.lost:
            book.fault = book.troubled = True
        else:
            book.restored.add(record.key)

    def settle(self, book: HostBook, record: r.HostSettled) -> None:
        """The host is settled: what stays stopped on it is told, and could not be helped."""
        book.owes = record.owes
        well = record.outcome in (Outcome.OK, Outcome.CHANGED)
        demand(not (book.recalled and well), "11: well, though its batch is rolled back", record)
        book.recalled &= bool(record.owes)
        left = self.stopped(book)
        untold = [key for key in left if f'"{key}"' not in record.owes]
        demand(not untold, "10: stays stopped, and nobody is told", record, left)
        demand(not record.owes or record.outcome.lost, "10: owed, and told as well", record)
        demand(not record.owes or record.cause.endswith(record.owes), "10: not in words", record)
        stop = self._referee.stop
        excused = book.troubled or (stop is not None and stop.reason == "fence")
        demand(not record.owes or excused, "10: left stopped, and it could be reached", record)

    def check_end(self) -> None:
        """The run ends: who is owed something was tried in this leg."""
        stop = self._referee.stop
        if stop is not None and stop.reason == "fence":
            return
        killed = stop is not None and stop.reason == "kill"
        for phase in self._referee.phases.values():
            for book in phase.hosts.values():
                gone_back = killed or not book.recalled or bool(book.owes)
                demand(gone_back, "11: its batch is rolled back, and it is not", book)
                demand(book.tried or not book.owes, "10: owed, and not tried", book)

    def stopped(self, book: HostBook) -> list[str]:
        """Steps of the host whose effect stands and should not, as it truly is."""
        referee = self._referee
        course = referee.ledger.course.get((referee.run, book.host), [])
        found = []
        for step in referee.phases[book.phase].plan.steps:
            if isinstance(step.operation, Exec) and step.operation.restore:
                dirty = ever = False
                for key, what in course:
                    if key == step.key and what == "began":
                        dirty = ever = True
                    elif key == f"{step.key}.restore" and what == "acted":
                        dirty = ever = False
                    elif key == step.restored_by and what in ("acted", "checked"):
                        dirty = False
                    elif key == f"{step.restored_by}.undo" and what == "began":
                        dirty = ever
                if dirty:
                    found.append(step.key)
        return found
