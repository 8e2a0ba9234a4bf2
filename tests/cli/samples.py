"""A small plan and the records of runs over it, as a journal would give them back."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import RunView
from fleetctl.inventory.model import Host, Login
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Approval, Exec
from fleetctl.rollout import records as r

START_S = 1_000_000_000.0
DB = tuple(f"db{number:03d}" for number in range(1, 17))
WEB = tuple(f"web{number:03d}" for number in range(1, 5))

DB_STEPS = (
    PlanStep("p1-s01-run", "schema upgrade", Exec("true"), 60.0),
    PlanStep("p1-s02-deploy.switch", "switch to r2", Exec("true"), 60.0),
    PlanStep("p1-s03-deploy.live", "read the live release", Exec("true"), 60.0,
             reads_release=True, expects="r2"),
)  # fmt: skip
WEB_STEPS = (PlanStep("p2-s01-run", "restart web", Exec("true"), 60.0),)
GO_ON = Gate("p1-g01-approval", "Go on?", Approval("Go on?"))


def plan() -> Plan:
    """16 db hosts in three batches, then 4 web hosts in one; three may be lost."""
    login = Login()
    hosts = {
        name: Host(name, name[:-3], f"10.0.0.{place}", login) for place, name in enumerate(DB + WEB)
    }
    db = PlanPhase("db", (), (DB[:1], DB[1:5], DB[5:]), DB_STEPS, (GO_ON,), Budget(3), 8,
                   release="r2")  # fmt: skip
    web = PlanPhase("web", ("db",), (WEB,), WEB_STEPS, (), Budget(), 4)
    return Plan(
        fleet="acme", title="Saturday push", hosts=hosts, phases=(db, web), guards=(),
        budget=Budget(3), releases={"db": "r2"}, live=dict.fromkeys(DB, "r1"), inputs={},
        estimate_s=120.0,
    )  # fmt: skip


class Story:
    """Records told one after the other; `after` moves the clock."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, float, r.Record]] = []
        self._now_s = START_S
        self._ticket = 0

    def after(self, seconds: float) -> Story:
        """Let time pass."""
        self._now_s += seconds
        return self

    def tell(self, *records: r.Record) -> Story:
        """Append these as they are."""
        for record in records:
            self.entries.append((len(self.entries) + 1, self._now_s, record))
        return self

    def open(self) -> Story:
        """The run begins with its db phase."""
        return self.tell(r.RunOpened("01RUN", "d1", 7, "ann@desk 42", ("push", "x.yaml"), 1),
                         r.PhaseBegan("db"))  # fmt: skip

    def send(self, phase: str, hosts: Sequence[str]) -> Story:
        """The phase's whole segment is sent to these hosts."""
        keys = tuple(step.key for step in (DB_STEPS if phase == "db" else WEB_STEPS))
        for host in hosts:
            self._ticket += 1
            self.tell(r.HostBegan(phase, host, 1), r.SegmentSent(phase, host, self._ticket, keys))
        return self

    def finish(self, phase: str, hosts: Sequence[str]) -> Story:
        """Every step of these hosts ends well."""
        for host in hosts:
            for step in DB_STEPS if phase == "db" else WEB_STEPS:
                self.tell(r.StepSettled(phase, host, step.key, Outcome.CHANGED, 0))
            release = "r2" if phase == "db" else ""
            self.tell(r.HostSettled(phase, host, Outcome.CHANGED, release))
        return self

    def fail(self, host: str, stderr: str, step: int = 0) -> Story:
        """This db host fails at a step, the ones before it having ended well."""
        for done in DB_STEPS[:step]:
            self.tell(r.StepSettled("db", host, done.key, Outcome.CHANGED, 0))
        key = DB_STEPS[step].key
        return self.tell(
            r.StepSettled("db", host, key, Outcome.FAILED, 1, stderr=stderr.encode()),
            r.HostSettled("db", host, Outcome.FAILED, "", key, "exit 1"),
        )

    def view(self) -> RunView:
        """The model after all that was told."""
        return RunView(plan()).take(self.entries)
