"""Pools and their slots: plain records, as small as can be, for most of them only sleep."""

from __future__ import annotations

from fleetctl.pools.overseer.kinds import ONESHOT
from fleetctl.pools.overseer.states import EMPTY, LIVE, WORKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.kinds import Kind

NEVER = float("inf")

RUN = "run"
PAUSED = "paused"
DRAINED = "drained"
GONE = "gone"
"""No specs name it any more; it is forgotten when its last process has ended."""


class Life:
    """What is known of the process in a slot; gone with it."""

    __slots__ = (
        "announced",
        "answered",
        "beat",
        "born",
        "called",
        "cursor",
        "deadline",
        "ending",
        "errors",
        "excused",
        "forced",
        "generation",
        "pid",
        "pidfd",
        "ready_at",
        "spared",
        "status",
        "step",
        "struck",
        "task",
    )

    def __init__(self, generation: str, now: float) -> None:
        self.generation = generation
        self.pid = 0
        self.pidfd = -1
        self.born = 0
        """When the kernel started it, in its own ticks: with the pid, a name nobody else gets."""
        self.beat = now
        """When it last said it is alive."""
        self.excused = 0
        """How often it was not held against it that it has not."""
        self.ready_at = NEVER
        self.deadline = NEVER
        """When patience ends: with its start, its nap or the step of a stop."""
        self.step = 0
        """How far a stop has got."""
        self.struck = False
        """We sent it a signal that kills."""
        self.called = 0.0
        """Since when somebody counts on it to look for work; 0: it has looked."""
        self.ending = ""
        """Why it is to end when it rests; empty: it is not."""
        self.spared = 0
        """How often it took a task after it was asked to end, and was left to finish it."""
        self.forced = False
        """It is to end whatever it works on."""
        self.announced = 0.0
        """How long it said it will sleep, in seconds; 0 is until it is woken."""
        self.cursor = False
        """It told up to where it had looked when it announced its nap."""
        self.status = ""
        self.answered: tuple[str, ...] = ()
        """Words of it that the log told more of."""
        self.task = ""
        self.errors = 0


class Trouble:
    """A slot's recent failures; there is none while all is well."""

    __slots__ = ("attempt", "probes", "times")

    def __init__(self) -> None:
        self.attempt = 0
        self.probes = 0
        self.times: list[float] = []


class Slot:
    """A numbered place of a pool for at most one process."""

    __slots__ = ("cause", "life", "number", "pool", "since", "state", "timer", "trouble", "until")

    def __init__(self, pool: Pool, number: int) -> None:
        self.pool = pool
        self.number = number
        self.state = EMPTY
        self.cause = ""
        self.since = 0.0
        self.until = NEVER
        """When something is due although nothing happens."""
        self.timer = NEVER
        """The earliest entry for this slot in the heap of timers."""
        self.life: Life | None = None
        self.trouble: Trouble | None = None


NO_PLACES: frozenset[int] = frozenset()
ASKED_MOST = 4
"""Of so many tokens a pool remembers what was asked of it."""


class Held:
    """What keeps a pool down beside its intent, and what it is owed after; most have none."""

    __slots__ = ("asked", "awake", "holds", "stale")

    def __init__(self) -> None:
        self.holds: dict[str, tuple[str, str]] = {}
        """Token -> who holds it, and why."""
        self.awake: frozenset[int] = NO_PLACES
        """Places whose process was ended to keep it down; each is started again."""
        self.stale: frozenset[int] = NO_PLACES
        """Places whose process is still to be replaced by a new one."""
        self.asked: tuple[tuple[str, tuple[int, ...]], ...] = ()
        """Token of a release or a restart, and the places it was about; the latest last."""

    def ask(self, token: str, places: tuple[int, ...]) -> None:
        """Remember what was asked, and forget what was long ago."""
        self.forget(token)
        self.asked = (*self.asked, (token, places))[-ASKED_MOST:]

    def forget(self, token: str) -> None:
        """What was asked under a token is asked no more."""
        self.asked = tuple(one for one in self.asked if one[0] != token)

    def places(self, token: str) -> tuple[int, ...] | None:
        """What was asked under a token was about these; None: nothing was."""
        return next((places for known, places in self.asked if known == token), None)


class Pool:
    """The daemons of one kind of one instance."""

    __slots__ = (
        "claimable",
        "held",
        "hint",
        "intent",
        "kind",
        "latest",
        "name",
        "note",
        "seen",
        "slots",
        "target",
        "wanted_at",
    )

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        """`instance/kind`"""
        self.kind = kind
        self.intent = RUN
        self.note: tuple[float, str, str] | None = None
        """Until when (monotonic), who and why, for an intent that is not the usual one."""
        self.seen = 0
        """The attention of this number and below has been looked at."""
        self.latest = 0
        self.hint = False
        """Somebody said there is work, without a number, and nobody has looked since."""
        self.wanted_at = 0.0
        """Since when there is attention nobody has looked at; 0 is none."""
        self.claimable: tuple[float, int, float] | None = None
        """When the queue was counted, how many tasks could be taken, since when there are any."""
        self.target: tuple[int, int] | None = None
        """Least and most processes an operator asked for, instead of the kind's."""
        self.slots: list[Slot] = []
        self.held: Held | None = None

    @property
    def instance(self) -> str:
        """Whose pool it is."""
        return self.name.partition("/")[0]

    @property
    def least(self) -> int:
        """Processes kept even when there is nothing to do."""
        if self.intent == GONE:
            return 0
        return self.target[0] if self.target else self.kind.min

    @property
    def most(self) -> int:
        """Processes there may be at once."""
        return self.target[1] if self.target else self.kind.max

    @property
    def holds(self) -> dict[str, tuple[str, str]]:
        """By token, who holds it and why."""
        return self.held.holds if self.held is not None else {}

    @property
    def down(self) -> bool:
        """Its processes are to end when they rest, and none is to start."""
        return self.intent == DRAINED or bool(self.holds)

    @property
    def usual(self) -> bool:
        """Nobody wants it otherwise than its specs."""
        return self.intent == RUN and (self.held is None or not self.held.holds)

    @property
    def works(self) -> bool:
        """It has a process that looks for work."""
        return any(slot.state in WORKING for slot in self.slots)

    @property
    def bare(self) -> bool:
        """Nothing would ever look whether it has work: no process, no sleeper, no rest; nor is it
        owed one, nor done."""
        if self.kind.on_clean_exit == ONESHOT or (self.held is not None and self.held.awake):
            return False
        return all(slot.state == EMPTY for slot in self.slots)

    @property
    def pending(self) -> bool:
        """There is attention no daemon has looked at."""
        return self.hint or self.latest > self.seen

    def slot(self, number: int) -> Slot:
        """The slot of this number, made on first use."""
        while len(self.slots) <= number:
            self.slots.append(Slot(self, len(self.slots)))
        return self.slots[number]

    def hold(self) -> Held:
        """What is asked of it beyond its intent, made on first use."""
        if self.held is None:
            self.held = Held()
        return self.held

    def live(self) -> list[Slot]:
        """Slots with a process."""
        return [slot for slot in self.slots if slot.state in LIVE]

    def one_less(self) -> None:
        """A task that was counted has been taken since."""
        if self.claimable is not None:
            counted_at, claimable, since = self.claimable
            self.claimable = (counted_at, max(0, claimable - 1), since)

    def cover(self) -> None:
        """A daemon looks at the queue after this: whatever is pending, it will see."""
        self.seen = max(self.seen, self.latest)
        self.hint = False
        self.wanted_at = 0.0
