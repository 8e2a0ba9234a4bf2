"""What compiling decides: hosts, order, keys, bounds, and the mistakes only a fleet shows."""

from __future__ import annotations

import time

import pytest

from fleetctl.base.errors import FleetError, InputError, InputErrors, UsageError
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.history import History, Sample
from fleetctl.plan.model import Budget
from fleetctl.plan.request import Overrides
from fleetctl.playbook.operations import Exec, Put, Retry
from fleetctl.playbook.units import Amount, Ramp
from tests.plan.fleets import fleet_of, host, phase, plan_of, request_of, small_fleet

DB = "name: db\nhosts: tier=db\nsteps: [{run: uptime}]"
THREE = """\
title: t
phases:
  - {name: a, hosts: tier=db, steps: [{run: x}]}
  - {name: b, hosts: tier=web, steps: [{run: x}]}
  - {name: c, hosts: tier=db, steps: [{run: x}]}
"""


def _told(text: str, **more: object) -> list[str]:
    with pytest.raises(FleetError) as caught:
        plan_of(text, **more)  # type: ignore[arg-type]
    error = caught.value
    return [str(each) for each in (error.errors if isinstance(error, InputErrors) else [error])]


def test_a_plan_holds_its_hosts_and_their_bastion() -> None:
    """Who is worked on, and who must be reachable for it; nobody else."""
    plan = plan_of(phase(DB))
    assert list(plan.hosts) == [*(f"db{n:03d}" for n in range(1, 9)), "bastion001"]
    assert [guard.tier for guard in plan.guards] == ["db"]


def test_hosts_are_narrowed_and_phases_without_hosts_left_out() -> None:
    """A restriction to one tier keeps only its phases, and needs go through the ones left out."""
    plan = plan_of(THREE, hosts=[f"db{n:03d}" for n in range(1, 9)])
    assert [(p.name, p.needs) for p in plan.phases] == [("a", ()), ("c", ("a",))]
    assert plan.phases[1].steps[0].key == "p3-s01-run"


def test_only_named_phases_are_planned() -> None:
    """`--phase` keeps what is named and refuses what is not there."""
    assert [p.name for p in plan_of(THREE, phases=["b"]).phases] == ["b"]
    assert "did you mean" in _told(THREE, phases=["bb"])[0]


def test_a_restriction_that_leaves_nothing_is_refused() -> None:
    """An empty plan would be a success that did nothing."""
    with pytest.raises(UsageError, match="no phase"):
        plan_of(phase(DB), hosts=["web001"])


def test_steps_carry_what_the_author_said() -> None:
    """Every common option of a step reaches the plan."""
    plan = plan_of(phase("""
name: db
hosts: tier=db
steps:
  - run: [echo, "{{host.name}}"]
    name: hello
    check: test -f "{{var.port}}"
    undo: [rm, -f, x]
    once: shard
    idempotent: true
    retry: {attempts: 4, delay: 2s, factor: 3}
    timeout: 2m
    barrier: true
    secret: true
  - upload: {from: a.conf, to: /etc/a, mode: "0600"}
  - run: x
    idempotent: true
"""))  # fmt: skip
    first, upload, last = plan.phases[0].steps
    assert first.operation == Exec(
        "'echo' '{{host.name}}'", 'test -f "{{var.port}}"', "'rm' '-f' 'x'"
    )
    assert first.retry == Retry(4, 2.0, 3.0, 60.0)
    assert (first.title, first.once, first.timeout_s, first.barrier, first.secret) == (
        "hello", "shard", 120.0, True, True,
    )  # fmt: skip
    assert isinstance(upload.operation, Put)
    assert (upload.operation.source, upload.operation.mode) == ("/books/a.conf", 0o600)
    assert upload.timeout_s == 300.0
    assert last.retry == Retry(attempts=1)


def test_lockstep_puts_a_barrier_after_every_step() -> None:
    """`lockstep: true` is a barrier everywhere."""
    plan = plan_of(phase(DB + "\nlockstep: true"))
    assert all(step.barrier for step in plan.phases[0].steps)


def test_a_deploy_gives_its_phase_the_release_of_the_tier() -> None:
    """Who has it already is shown and stays in the plan."""
    deploy = "name: db\nhosts: tier=db\nsteps: [{deploy: {to: /srv/app}}]"
    plan = plan_of(phase(deploy), releases={"db": "r2"}, live={"db003": "r2", "db001": "r1"})
    assert (plan.phases[0].release, plan.phases[0].already) == ("r2", ("db003",))
    assert sum(map(len, plan.phases[0].batches)) == 8
    assert plan.live == {"db003": "r2", "db001": "r1"}
    assert plan.releases == {"db": "r2"}


def test_a_deploy_without_one_release_is_refused() -> None:
    """No pin is no "latest"; two pins in one phase are not guessed between."""
    deploy = phase("name: x\nhosts: tier=db,tier=web\nsteps: [{deploy: {to: /srv/app}}]")
    (error,) = _told(deploy, releases={"web": "r2"})
    assert error.startswith("p.yaml:5:13: phase x deploys, and no release is pinned for tier db")
    (error,) = _told(deploy, releases={"web": "r2", "db": "r1"})
    assert "db: r1, web: r2" in error


def test_a_fleet_without_pins_is_one_mistake() -> None:
    """However many phases deploy, one command is lacking, and it is the one named."""
    phases = [
        phase(f"name: {tier}\nhosts: tier={tier}\nsteps: [{{deploy: {{to: /srv/app}}}}]")
        for tier in ("db", "web")
    ]
    both = phases[0] + phases[1].partition("phases:\n")[2]
    (error,) = _told(both)
    assert "no release is pinned for any tier" in error
    assert "phases db, web deploy" in error
    assert "fleetctl releases pin all RELEASE" in error


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        (DB.replace("tier=db", "tier=dbb"), "4:12", 'did you mean "db"?'),
        (DB.replace("tier=db", "db00[1-9]"), "4:12", "db009"),
        (DB.replace("tier=db", "tier=db and tier=web"), "4:12", "picks no host"),
        (DB.replace("uptime", '"echo {{var.prot}}"'), "5:19", 'did you mean "port"?'),
        (DB.replace("uptime", '"echo {{tag.zoen}}"'), "5:19", 'did you mean "zone"?'),
        (DB.replace("uptime", '"echo {{release.id}}"'), "5:19", "no release for tier db"),
        (DB.replace("uptime", '"true # {{host.name}}"'), "5:19", "comment"),
        (DB.replace("uptime", '""'), "5:19", "empty"),
        (DB.replace("{run: uptime}", "{wait: 1s, check: x}"), "5:31", "takes no check"),
        (DB.replace("{run: uptime}", "{upload: {from: missing, to: x}}"), "5:22", "No such file"),
        (DB.replace("{run: uptime}", "{upload: {from: a, to: x/}}"), "5:22", "not a folder"),
        (DB.replace("{run: uptime}", "{upload: {from: a, to: x, mode: '9'}}"), "5:22", "octal"),
        (DB.replace("tier=db", "tier=web").replace("uptime}", "x, once: shard}"), "5:28", "shard"),
        (DB + "\ngates: [{disk: {path: /, free: 5X}}]", "6:20", "no size"),
        (DB + "\ngates: [{disk: {path: /, free: 101%}}]", "6:20", "more than all of it"),
        (DB + "\ngates: [{http: localhost}]", "6:20", "is no URL"),
        (DB + "\ngates: [{http: {url: 'http://x', status: 99}}]", "6:20", "no HTTP status"),
        (DB + "\ngates: [{tcp: 0}]", "6:19", "is no port"),
        (DB + "\ngates: [{tcp: http}]", "6:19", "http is no port: write a number, or ssh"),
        (DB + "\ngates: [{approval: '{{host.name}}?'}]", "6:24", "asked once a batch"),
        (DB + "\ngates: [{soak: {for: 0}}]", "6:20", "no time"),
    ],
)  # fmt: skip
def test_a_mistake_a_fleet_shows_has_its_place(body: str, place: str, words: str) -> None:
    """What is wrong only for this fleet is told as exactly as what is wrong for every fleet."""
    told = _told(phase(body))
    assert any(each.startswith(f"p.yaml:{place}") and words in each for each in told), told


def test_mistakes_of_several_phases_are_told_together() -> None:
    """Compiling goes on after a mistake, to find the others."""
    text = THREE.replace("tier=db", "tier=dbb").replace("run: x", 'run: "{{var.nope}}"')
    assert len(_told(text)) == 3


def test_a_floor_that_leaves_no_host_is_refused() -> None:
    """A tier that must stay up whole cannot be pushed to."""
    (error,) = _told(phase(DB), fleet=small_fleet(db={"floor": "100%"}))
    assert "may lose no host" in error


def test_bounds_are_the_least_of_all_that_is_said() -> None:
    """Tier, phase and command line: whoever asks for less wins."""
    fleet = small_fleet(db={"limit": "50%", "floor": "5", "throttle_per_min": 20.0})
    slow = DB + "\nlimit: 6\nthrottle: 60/min"
    plan = plan_of(phase(slow), fleet=fleet)
    (guard,) = plan.guards
    assert (guard.size, guard.floor, guard.limit) == (8, 5, 4)
    assert (plan.phases[0].limit, plan.phases[0].throttle_per_min) == (3, 20.0)
    assert max(map(len, plan.phases[0].batches)) == 3
    gentle = Overrides(fanout=2, throttle_per_min=5.0, batch=Ramp([Amount("1")]))
    plan = plan_of(phase(slow), fleet=fleet, overrides=gentle)
    assert (plan.phases[0].limit, plan.phases[0].throttle_per_min) == (2, 5.0)
    assert len(plan.phases[0].batches) == 8


def test_few_connections_do_not_narrow_a_barrier() -> None:
    """A barrier is for the whole batch: hosts parked at it need no connection."""
    few = Overrides(fanout=2)
    assert plan_of(phase(DB), overrides=few).phases[0].limit == 2
    steps = "name: db\nhosts: tier=db\nlockstep: true\nsteps: [{run: a}, {run: b}]"
    assert plan_of(phase(steps), overrides=few).phases[0].limit == 8


def test_hosts_of_a_floored_tier_can_be_looked_at() -> None:
    """Those that were not selected count against the floor, so the plan must know the way there."""
    text = phase(DB)
    assert set(plan_of(text, hosts=["db001"]).hosts) == {"db001", "bastion001"}
    floored = small_fleet(db={"floor": "5"})
    assert len(plan_of(text, fleet=floored, hosts=["db001"]).hosts) == 9


@pytest.mark.parametrize(
    ("run", "phase_budget", "flag", "expected"),
    [
        (None, None, None, (0, 0)),
        ("2", None, None, (2, 2)),
        ("2", "1", None, (2, 1)),
        (None, "25%", None, (2, 2)),
        ("30%", None, None, (2, 2)),
        (None, None, "3", (3, 3)),
        ("2", "2", "1", (1, 1)),
        ("2", "1", "5", (2, 1)),
        ("2", None, "0", (0, 0)),
    ],
)
def test_budgets(
    run: str | None, phase_budget: str | None, flag: str | None, expected: tuple[int, int]
) -> None:
    """What may be lost over the run and in the phase; the command line never adds to the author."""
    head = "title: t\n" + (f"budget: {run}\n" if run else "")
    body = DB + (f"\nbudget: {phase_budget}" if phase_budget else "")
    overrides = Overrides(max_failures=Amount(flag) if flag else None)
    plan = plan_of(phase(body, head), overrides=overrides)
    assert (plan.budget.per_phase, plan.phases[0].budget.per_phase) == expected


def test_a_batch_budget_never_exceeds_the_phases() -> None:
    """One batch cannot lose more than the whole phase."""
    plan = plan_of(phase(DB + "\nbudget: {phase: 1, batch: 3}"))
    assert plan.phases[0].budget == Budget(per_phase=1, per_batch=1)


def test_variables_of_the_command_line_win_and_must_be_known() -> None:
    """`-e` lays over the playbook's; a misspelt one is an error, not a new variable."""
    text = phase(DB.replace("uptime", '"echo {{var.app}}"'), "title: t\nvariables: {app: a}\n")
    assert plan_of(text).variables == {"app": "a"}
    assert plan_of(text, variables={"app": "b"}).variables == {"app": "b"}
    assert 'did you mean "app"?' in _told(text, variables={"ap": "b"})[0]


def test_titles_show_what_is_the_same_everywhere() -> None:
    """A name with one value on all hosts is filled in for reading, others stay names."""
    text = phase(DB.replace("uptime", '"echo {{var.port}} {{host.name}}"'))
    assert plan_of(text).phases[0].steps[0].title == "echo 3306 {{host.name}}"


def test_titles_never_show_what_sounds_secret() -> None:
    """Titles are printed and kept in the journal; a password stays a name in them."""
    text = phase(DB.replace("uptime", '"login {{var.db_password}}"'))
    plan = plan_of(text, variables={"db_password": "hunter2"})
    assert plan.phases[0].steps[0].title == "login {{var.db_password}}"


def test_the_estimate_needs_every_step_to_be_timed() -> None:
    """Known durations add up over batches; one unknown makes all unknown."""
    text = phase(DB + "\nbatches: [1, 50%]\nlimit: 2\ngates: [{soak: {for: 5s}}]")
    assert plan_of(text).estimate_s is None
    timed = plan_of(text, history=History([Sample("uptime", "db", "db001", 1, 10.0)]))
    sizes = [len(batch) for batch in timed.phases[0].batches]
    assert timed.estimate_s == sum(-(-size // 2) * 10.0 + 5.0 for size in sizes)


def test_an_error_is_the_inputs_not_the_programs() -> None:
    """One mistake is an InputError with a location a program can use."""
    with pytest.raises(InputError) as caught:
        plan_of(phase(DB.replace("tier=db", "tier=dbb")))
    assert (caught.value.location.line, caught.value.exit_code) == (4, 5)


@pytest.mark.slow
def test_a_fleet_of_200000_hosts_compiles_in_seconds() -> None:
    """The plan of a very large tier is no wait: well under ten seconds of processor time."""
    hosts = [
        host(f"db{n}", "db", {"zone": "abc"[n % 3], "shard": str(n // 200), "pair": str(n // 2)})
        for n in range(200_000)
    ]
    request = request_of(phase(DB + "\nbatches: [1, 10%, 100%]"), fleet_of(hosts))
    began = time.process_time()
    plan = compile_plan(request)
    assert time.process_time() - began < 60
    assert sum(map(len, plan.phases[0].batches)) == 200_000
