"""A case played to its end: controllers come, die and come back over one simulated fleet."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Command
from fleetctl.rollout.records import QuestionAsked
from fleetctl.rollout.state import RunState
from fleetctl.transport.simulated import World
from tests.sim.books import Violation
from tests.sim.case import Case, Death, Rival
from tests.sim.controller import Controller
from tests.sim.door import Door, FaultyJournal, lay_out
from tests.sim.ledger import Ledger
from tests.sim.referee import Referee
from tests.sim.trace import Trace
from tests.sim.weather import make_script

RUN, OTHER = "r1", "r2"
QUIET_S = 3600.0
"""After the last leg the world goes on for so long: late orders arrive in it."""
LEG_MAX_S, HOST_MAX_S = 6 * 3600.0, 400.0
"""Virtual time in which every leg ends (liveness), and more for each host: the slowest legs go
host by host."""


class Report(NamedTuple):
    """What came of a case that kept its promises."""

    seed: int
    digest: str
    faults: dict[str, int]
    legs: int
    events: int
    virtual_s: float
    exit_code: int


class Play:
    """One case under way."""

    def __init__(self, case: Case, folder: Path, template: Path | None = None) -> None:
        self.case = case
        self.chance = random.Random(case.seed + 1)
        self.trace = Trace()
        self.faults: Counter[str] = Counter()
        self.world = World(case.plan.hosts, seed=case.seed)
        self.script = make_script(case.weather, self.chance, self.world.now_s)
        self.world.script = self.script
        self.ledger = Ledger(self.world, self.trace.note)
        self.referee = self._referee(RUN, case.plan)
        self.controllers: list[Controller] = []
        self.deaths = list(case.deaths)
        self.due: list[Rival] = []
        self.legs = 0
        self.events = 0
        self._began_wall_s = self.world.clock.wall_s()
        self._ended_once = False
        self._folder = folder
        self._template = template or folder / "template.db"
        lay_out(self._template, folder / "journal.db")

    def play(self) -> Report:
        """Raises Violation, or whatever the product raises and should not."""
        for rival in self.case.rivals:
            self.world.at(rival.at_s, lambda rival=rival: self.due.append(rival))  # type: ignore[misc]
        for said in self.case.said:
            self.world.at(said.at_s, lambda word=said.word: self._say(word))  # type: ignore[misc]
        try:
            self._leg(None)
            for only_failed in self.case.legs:
                self._leg(only_failed)
            self._let_out()
        finally:
            for controller in self.controllers:
                controller.journal.close()
        ended = self.referee.ended
        assert ended is not None
        faults = {k: n for k, n in (self.faults + self.world.mishaps).items() if k != "none"}
        return Report(
            self.case.seed, self.trace.digest(), faults, self.legs, self.events,
            self.world.now_s(), ended.exit_code,
        )  # fmt: skip

    # ---- legs

    def _leg(self, only_failed: bool | None) -> None:
        """From an opening or a resuming to the end of the run, over the deaths on the way."""
        go_on = only_failed
        until_s = self.world.now_s() + LEG_MAX_S + HOST_MAX_S * len(self.world.hosts)
        while True:
            controller = self._controller(RUN, self._folder / "journal.db", self.referee)
            if not controller.journal.runs():
                controller.push(self.case.plan, self.case.seed)
            else:
                controller.resume(only_failed=bool(go_on))
                self.legs += 1
            self._run(until_s)
            if self.referee.ended is not None:
                self._ended_once = True
                break
            if controller.state.legs:
                go_on = (
                    False  # the leg as it was asked for has begun; a plain resume goes on with it
                )

    def _run(self, until_s: float) -> None:
        """Until no controller of the run is alive."""
        while any(c.live and c.referee is self.referee for c in self.controllers):
            self._move()
            while self.due:
                self._interfere(self.due.pop(0))
            if self.world.now_s() > until_s:
                states = [_describe(c.state) for c in self.controllers]
                raise Violation(f"liveness: the run does not end: {states}")
        self._bury()

    def _move(self) -> None:
        """Turn whoever has something to do, else go on to the next thing that is due."""
        clock = self.world.clock
        now_s, own_s = clock.monotonic_s(), float("inf")
        for controller in self.controllers:
            if controller.live:
                due_s = controller.next_s()
                if due_s <= now_s:
                    controller.turn()
                    due_s = now_s
                own_s = min(own_s, due_s)
            if not controller.live:
                self._bury()
                return
        if own_s <= now_s:
            return
        world_s = self.world.next_s()
        if world_s is not None and world_s <= own_s:
            self.world.step()
        elif own_s != float("inf"):
            clock.advance(own_s - now_s)

    def _bury(self) -> None:
        for controller in [c for c in self.controllers if not c.live]:
            self.controllers.remove(controller)
            self.events += controller.events
            if controller.died_of:
                self.faults[f"controller died ({_cause(controller.died_of)})"] += 1
            outlived = sum(h.current is not None for h in self.world.hosts.values())
            self.faults["commands that outlived a controller"] += outlived
            alone = all(c.journal.path != controller.journal.path for c in self.controllers)
            controller.journal.end(crashed=controller.crashed, alone=alone)

    def _interfere(self, rival: Rival) -> None:
        """A second controller comes, while the first lives."""
        if not any(c.live and c.referee is self.referee for c in self.controllers):
            return
        self.faults[f"second controller ({rival.kind})"] += 1
        if rival.plan is None:
            self._controller(RUN, self._folder / "journal.db", self.referee, mortal=False).resume()
            self.legs += 1
            return
        path = self._folder / "other.db"
        lay_out(self._template, path)
        other = self._controller(OTHER, path, self._referee(OTHER, rival.plan), mortal=False)
        other.wall_skew_s = -1e6 if rival.kind == "older run" else 0.0
        other.push(rival.plan, self.case.seed)

    def _let_out(self) -> None:
        """Everybody else ends too, and what is still on its way arrives."""
        while any(c.live for c in self.controllers):
            self._move()
        self._bury()
        self.world.pass_time(QUIET_S)
        self.ledger.compare(self.referee)

    # ---- pieces

    def _referee(self, run: str, plan: Plan) -> Referee:
        referee = Referee(run, plan, self.ledger)
        self.ledger.referees[run] = referee
        referee.on_question = lambda question: self._answer(referee, question)
        return referee

    def _controller(
        self, run: str, path: Path, referee: Referee, *, mortal: bool = True
    ) -> Controller:
        death: Death | None = self.deaths.pop(0) if mortal and self.deaths else None
        door = Door(path, self.chance, self.faults, death, self._dawdle)
        controller = Controller(self.world, FaultyJournal(path, door), referee, self.trace.note)
        controller.holds = self._holds
        controller.wall_skew_s = self._skew_s()
        if self.case.window_s and self.referee is referee and not self._ended_once:
            controller.until_s = self._began_wall_s + self.case.window_s
        self.controllers.append(controller)
        return controller

    def _skew_s(self) -> float:
        most_s = self.case.weather.skew_s
        if not most_s or self.referee.seen == 0:
            return 0.0
        self.faults["clock off at a resume"] += 1
        return self.chance.uniform(-most_s, most_s)

    def _dawdle(self) -> None:
        weather = self.case.weather
        if self.world.now_s() < weather.ends_s and self.chance.random() < weather.slow_fsync:
            self.faults["journal: slow fsync"] += 1
            self.world.pass_time(self.chance.uniform(0.1, 30.0))

    def _holds(self) -> bool:
        weather = self.case.weather
        return self.world.now_s() >= weather.ends_s or self.chance.random() >= weather.shut

    def _answer(self, referee: Referee, question: QuestionAsked) -> None:
        """A person ticks boxes and answers, or does not; now and then one answers twice."""
        chance = random.Random(f"{self.case.seed} {question.key} {self.world.now_s()}")
        choices = [f"box {n}" for n in range(1, len(question.boxes) + 1) if chance.random() < 0.9]
        if question.about == "manual" or "done" in question.choices:
            likely = ("done", "done", "done", "done", "skipped", "failed", "approve")
            choices += chance.choices(likely, k=chance.choice((0, 1, 1, 1, 2)))
        elif question.about == "failure":
            choices += chance.choices(question.choices, k=chance.choice((0, 1, 1, 1, 2)))
        for choice in choices:
            command = Command("answer", "tester", question.key, choice=choice)
            self.world.at(chance.uniform(0.1, 50.0), partial(self._tell, referee, command))

    def _tell(self, referee: Referee, command: Command) -> None:
        for controller in self.controllers:
            if controller.referee is referee:
                self.faults[f"a person: {command.choice.split()[0]}"] += 1
                controller.say(command)

    def _say(self, word: str) -> None:
        for controller in self.controllers:
            if controller.referee is self.referee:
                self.faults[f"a person: {word}"] += 1
                controller.say(Command(word, "tester"))  # type: ignore[arg-type]


def _describe(state: RunState) -> str:
    flying = {h: f"{r.state} step {r.next_step}" for h, r in state.accounts.in_flight.items()}
    return f"in flight {flying}, stop {state.stop}, doubtful {sorted(state.accounts.doubtful)}"


def _cause(why: str) -> str:
    return "its records are another's" if "UNIQUE" in why else why


def play(case: Case, folder: Path, template: Path | None = None) -> Report:
    """Play the case in an empty folder; a violation names its seed."""
    try:
        return Play(case, folder, template).play()
    except Violation as violation:
        violation.add_note(f"seed {case.seed}")
        raise
