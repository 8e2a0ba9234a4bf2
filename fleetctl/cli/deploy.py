"""`fleetctl deploy --tier T`: the tier's phases of the fleet's default playbook."""

from __future__ import annotations

from typing import Any

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.assemble import wish_of, wish_options
from fleetctl.cli.push import Going, go, going_options
from fleetctl.cli.selection import Choice, selection_options


@click.command()
@selection_options
@wish_options
@going_options
def deploy(choice: Choice, going: Going, **words: Any) -> ExitCode:
    """Deploy the pinned release, or --release, to one or more tiers.

    Runs those phases of the fleet's default playbook that work on the tier's hosts, as `push` does.
    """
    from fleetctl.cli.assemble import assemble

    if not choice.tier:
        raise UsageError(
            "deploy needs a tier",
            where="--tier",
            hint="fleetctl deploy --tier TIER; for the whole fleet: fleetctl push",
        )
    wish = wish_of(choice, None, words)
    return go(assemble(wish).plan, going, wish.journal)
