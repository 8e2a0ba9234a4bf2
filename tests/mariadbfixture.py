"""A MariaDB server of our own, made and started once for all tests that ask for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.mariadb import Server, missing_programs, running


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A server without a database of ours; each test makes its own, under names of its own."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"no MariaDB here (missing: {missing}); see tests/install-servers")
    # A socket's path has about a hundred characters; pytest's own folders are longer.
    folder = Path(tempfile.mkdtemp(prefix="fleetctl-db-"))
    try:
        with running(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
