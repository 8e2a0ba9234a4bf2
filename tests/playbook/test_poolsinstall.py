"""The recipes for overseers compile to what they say, and their looks are read back."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from fleetctl.inventory.model import Fleet, Host, Login, Pools, Tier
from fleetctl.plan.adhoc import adhoc_plan
from fleetctl.plan.render import render_step
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.poolsinstall import LOOK, sections


def fleet_of(pools: Pools) -> Fleet:
    """One host that keeps pools."""
    variables = {"python": "/opt/my python", "overseer_instances": "cat 'list of names'"}
    host = Host(
        "repo1", "repo", "repo1", Login(), tags={"shard": "s1"}, variables=variables, pools=pools
    )
    return Fleet("f", {"repo1": host}, {"repo": Tier("repo", ("repo1",))}, source="by hand")


def look_of(pools: Pools) -> str:
    """The look as it is sent."""
    plan = adhoc_plan(fleet_of(pools), ["repo1"], LOOK)
    operation = render_step(plan, plan.phases[0], plan.phases[0].steps[0], "repo1")
    assert isinstance(operation, Exec)
    return operation.act


def test_names_in_what_the_inventory_says_of_pools_are_those_of_the_host() -> None:
    """Home and Python may hold names; a value with a space stays one word."""
    text = look_of(Pools(home="/srv/{{tag.shard}}/o", python="{{var.python}}"))
    assert "home='/srv/s1/o'\n" in text
    assert "python='/opt/my python'\n" in text


def test_names_nobody_knows_in_pools_are_told_before_anything_is_sent() -> None:
    """A variable that no host has, and a home that is said by itself."""
    with pytest.raises(Exception, match=r"var\.pyhton.*has no value"):
        look_of(Pools(python="{{var.pyhton}}"))
    with pytest.raises(Exception, match="itself"):
        look_of(Pools(home="{{pools.home}}/x"))


def test_sections_are_told_apart_whatever_stands_in_them() -> None:
    """Text before the first heading is nobody's; a heading that comes again goes on."""
    told = "noise\n=== laid\n{}\n\n=== file a b.json\n{\n == 1\n}\n=== status 69\n"
    assert sections(told) == {"laid": "{}\n", "file a b.json": "{\n == 1\n}", "status 69": ""}


def test_what_a_stopped_overseer_is_missed_with_is_no_instance(tmp_path: Path) -> None:
    """Its program complains on stderr while the list of instances is being told."""
    (tmp_path / "list of names").write_text("acme\nbeta\n")
    (tmp_path / "overseer.pyz").touch()
    (tmp_path / "python").write_text(
        "#!/bin/sh\necho 'no overseer answers in /x: gone' >&2\nexit 69\n"
    )
    (tmp_path / "python").chmod(0o755)
    text = look_of(Pools(home=str(tmp_path), python=str(tmp_path / "python")))
    done = subprocess.run(["sh", "-c", text], cwd=tmp_path, capture_output=True, check=True)
    found = sections(gzip.decompress(base64.b64decode(done.stdout)).decode())
    assert found["instances"].split() == ["acme", "beta"]
    assert "status 69" in found
