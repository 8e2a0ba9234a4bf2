"""Which tests are left for `--exhaustive`: the suite of every day is to stay under ten minutes."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

LEFT_OUT = (
    # The same in other shells: dash plays all of it every day, `test_hostile` whole pushes in each.
    "playbook/test_daemons.py::*?busybox*",
    "playbook/test_deploy_interrupted.py::*?third?",
    "playbook/test_deploy_lifecycle.py::*?bash?",
    "playbook/test_deploy_lifecycle.py::*?busybox?",
    "transport/test_lease.py::*?bash*",
    "transport/test_rounds.py::*?bash*",
    "transport/test_rounds.py::*?busybox*",
    "transport/test_runner.py::*?bash*",
    "transport/test_runner.py::*?busybox*",
    "transport/test_runner_steps.py::*?bash*",
    "transport/test_runner_steps.py::*?busybox*",
    "transport/test_secret_steps.py::*?bash*",
    "transport/test_secret_steps.py::*?busybox*",
    # The same on the other kind of server.
    "faults/test_bastion.py::*comes_back?embedded?",
    "faults/test_bastion.py::*comes_back?openssh?",
    "faults/test_bastion.py::*starts?openssh-44?",
    "faults/test_connections.py::*?embedded?",
    "faults/test_connections.py::*reached?embedded-*",
    "faults/test_connections.py::*reached?openssh-hang?",
    "faults/test_steps.py::*once?embedded-*",
    "faults/test_steps.py::*nothing?embedded?",
    "faults/test_steps.py::*small?embedded?",
    "transport/test_contract.py::*past_its_deadline*?embedded?",
    "transport/test_faults.py::*never_greets*?embedded?",
    # What takes longest, where another test of its kind stays.
    "bench/test_soak.py::*?local?",
    "bench/test_soak.py::*?over_ssh?",
    "cli/test_end_to_end.py::*drains?2?",
    "cli/test_end_to_end.py::*drains?15?",
    "cli/test_leaving.py::*?SIGHUP?",
    "cli/test_leaving.py::*?SIGTERM, Ctrl-C?",
    "cli/test_rehearse.py::*lab_down?15?",
    "cli/test_views.py::*?goes away-stdout?",
    "cli/test_views.py::*?stops reading-stderr?",
    "faults/test_clocks.py::test_a_resume_*",
    "faults/test_clocks.py::test_a_run_from_*",
    "faults/test_deaths.py::*?after-5?",
    "faults/test_deaths.py::*?before-2?",
    "faults/test_deaths.py::*?before-8?",
    "faults/test_reboot.py::*cannot_know?--done-*",
    "faults/test_reboot.py::test_a_step_that_may_run_twice*",
    "inventory/test_scale.py::*?i.ini-text1?",
    "plan/test_compile.py::test_a_fleet_of_200000_hosts_compiles_in_seconds",
)
"""Patterns of names below `tests/`."""


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what was not asked for; told as deselected."""
    if config.getoption("exhaustive"):
        return
    out = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if not _is_left_out(item)]


def _is_left_out(item: pytest.Item) -> bool:
    if item.get_closest_marker("exhaustive"):
        return True
    name = item.nodeid.replace("[", "?").replace("]", "?").removeprefix("tests/")
    return any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)
