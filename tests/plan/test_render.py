"""Templates filled for one host."""

from __future__ import annotations

import msgspec
import pytest

from fleetctl.base.errors import InternalError
from fleetctl.inventory.model import Host
from fleetctl.plan.adhoc import adhoc_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_expects, render_probe, render_step
from fleetctl.playbook.operations import Exec, HttpProbe, LocalProbe, Pause, Put, TcpProbe
from tests.plan.fleets import phase, plan_of, small_fleet

TEXT = phase(
    """
name: db
hosts: tier=db
gates:
  - http: "http://{{host.address}}:80/{{tag.zone}}?v={{var.word}}"
  - tcp: 22
  - tcp: ssh
  - command: {run: [probe, "{{host.name}}"], where: here}
  - command: {run: "probe {{host.name}}", where: here}
steps:
  - run: 'echo {{host.name}} "{{tier.name}}" {{tag.pair}} {{var.port}} {{var.word}} {{fleet.name}}'
    check: test {{host.name}}
    undo: [undo, "{{host.name}}"]
  - upload: {from: a, to: "/srv/{{host.name}}/a b"}
  - wait: 3s
""",
    'title: t\nvariables: {word: "it\'s & so"}\n',
)


def test_steps_are_filled_for_their_host() -> None:
    """Every name becomes its host's value, quoted where a shell reads it."""
    plan = plan_of(TEXT)
    (db,) = plan.phases
    run, upload, wait = (render_step(plan, db, step, "db002") for step in db.steps)
    assert run == Exec(
        act="echo 'db002' \"db\" 'p1' '3306' 'it'\\''s & so' 'test'",
        check="test 'db002'",
        undo="'undo' 'db002'",
    )
    assert isinstance(upload, Put)
    assert upload.dest == "/srv/db002/a b"
    assert wait == Pause(seconds=3)


def test_gates_are_filled_for_their_host() -> None:
    """URLs are percent-encoded, argv elements taken as they are, scripts quoted."""
    plan = plan_of(TEXT)
    asked = (render_probe(plan, gate, "db001") for gate in plan.phases[0].gates)
    http, tcp, ssh, argv, script = asked
    assert http == HttpProbe(url="http://db001.example:80/b?v=it%27s%20%26%20so")
    assert tcp == TcpProbe(port=22, address="db001.example")
    assert ssh == TcpProbe(port=22, address="db001.example")
    assert argv == LocalProbe(argv=("probe", "db001"), per_host=True)
    assert script == LocalProbe(argv=("sh", "-c", "probe 'db001'"), per_host=True)


def test_the_release_to_be_read_back_is_filled() -> None:
    """What a deploy expects to read is the release of the host's tier."""
    text = phase("name: db\nhosts: tier=db\nsteps: [{deploy: {to: /srv/app}}]")
    plan = plan_of(text, releases={"db": "r2"})
    (db,) = plan.phases
    reading = next(step for step in db.steps if step.reads_release)
    assert render_expects(plan, db, reading, "db001") == "r2"


def test_a_name_without_value_is_our_bug_not_an_empty_text() -> None:
    """Rendering never makes up a value the compiler should have asked for."""
    plan = plan_of(TEXT)
    bare = msgspec.structs.replace(plan.hosts["db001"], tags={})
    broken: Plan = msgspec.structs.replace(plan, hosts={**plan.hosts, "db001": bare})
    with pytest.raises(InternalError, match=r"tag\.pair.*db001"):
        render_step(broken, broken.phases[0], broken.phases[0].steps[0], "db001")


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (3, "3"), (1.5, "1.5"), ("x y", "x y")]
)
def test_variables_are_written_as_yaml_writes_them(value: bool | str | float, text: str) -> None:
    """A boolean arrives as true or false, not as Python's word for it."""
    fleet = small_fleet()
    hosts = {n: msgspec.structs.replace(h, variables={"v": value}) for n, h in fleet.hosts.items()}
    fleet = msgspec.structs.replace(fleet, hosts=hosts)
    plan = plan_of(phase("name: db\nhosts: tier=db\nsteps: [{run: 'echo {{var.v}}'}]"), fleet)
    (db,) = plan.phases
    assert render_step(plan, db, db.steps[0], "db001") == Exec(act=f"echo '{text}'")


def test_an_ad_hoc_command_is_a_plan_of_one_phase() -> None:
    """A typed command runs on the chosen hosts in one batch and stops for nothing."""
    plan = adhoc_plan(small_fleet(), ["db001", "web002"], ("echo", "{{host.name}}", "a'b"))
    (only,) = plan.phases
    assert [len(batch) for batch in only.batches] == [2]
    assert only.budget.per_phase == 2
    assert render_step(plan, only, only.steps[0], "web002") == Exec(act="'echo' 'web002' 'a'\\''b'")
    assert isinstance(plan.hosts["bastion001"], Host)
