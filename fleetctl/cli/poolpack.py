"""`fleetctl pools pack`: the overseer as one file."""

from __future__ import annotations

from pathlib import Path

import click

from fleetctl.base.errors import ExitCode
from fleetctl.cli.output import tell


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--unit", type=click.Path(path_type=Path), help="Write systemd's unit here, too.")
def pack(file: Path, unit: Path | None) -> ExitCode:
    """Write the overseer as one FILE that runs on any host with Python 3.9."""
    from fleetctl.pools.packing import pack as write_program
    from fleetctl.pools.packing import unit_text

    write_program(file)
    tell(f"{file}: {file.stat().st_size // 1024} KB")
    if unit is not None:
        unit.write_text(unit_text(), encoding="utf-8")
        tell(f"{unit}: the unit")
    return ExitCode.OK
