"""Fixtures every test may ask for."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import settings

from tests.labfixture import lab_fleet, module_lab_fleet
from tests.leftout import leave_out
from tests.mariadbfixture import mariadb_server

__all__ = ["lab_fleet", "mariadb_server", "module_lab_fleet"]

# How long one example takes says how busy the machine is, not whether we are right.
settings.register_profile("fleetctl", deadline=None)
settings.load_profile("fleetctl")


def pytest_configure(config: pytest.Config) -> None:
    """Where Python is told to keep nothing it compiled, keep it aside: tests start it so often that
    compiling takes half of their time."""
    if sys.dont_write_bytecode and config.pluginmanager.hasplugin("cacheprovider"):
        assert config.cache is not None
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("compiled"))


def pytest_xdist_auto_num_workers() -> int:
    """Two to a processor: half of the time tests wait for servers, deadlines and their like."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is asked for by name alone, because it takes minutes."""
    text = (
        "also every shell, every fault on both kinds of server, every write of a journal to die at"
    )
    parser.addoption("--exhaustive", action="store_true", help=text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for `--exhaustive`."""
    leave_out(config, items)
