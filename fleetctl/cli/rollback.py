"""`fleetctl rollback`: hosts back to the releases they ran before, as a plan like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetctl.base.errors import ExitCode
from fleetctl.cli.assemble import pace_options, wish_of
from fleetctl.cli.output import tell
from fleetctl.cli.push import Going, go, going_options
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.cli.goingback import Back
    from fleetctl.inventory.model import Fleet

_PLAYBOOK = "The playbook to go back through; else the run's, if it is as it was."


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--to", metavar="REL", help="To this release, not to what each host ran before.")
@click.option("--playbook", metavar="FILE", help=_PLAYBOOK)
@click.option("--pin", is_flag=True, help="When all went well, pin what the tiers run then.")
@selection_options
@pace_options
@going_options
def rollback(
    run: str | None,
    to: str | None,
    playbook: str | None,
    pin: bool,
    choice: Choice,
    going: Going,
    **words: Any,
) -> ExitCode:
    """Take every host RUN has changed back to the release it ran before; `last`: the last run.

    Without RUN, the hosts of --tier (or --host, --tag, --limit), each to what it ran before the
    last run that changed it. The phases of the playbook that deploy, in reverse order, with their
    batches, budgets and gates. What is not taken back, such as schemas, is said before anything is
    touched. See docs/releases.md.
    """
    from fleetctl.cli.goingback import plan_back

    wish = wish_of(choice, playbook, words)
    back = plan_back(wish, run, to)
    if back is None:
        return ExitCode.OK
    code = go(back.plan, going, wish.journal, back.notes)
    if code is ExitCode.OK and not going.check:
        _see_to_pins(back, wish.journal, pin)
    return code


def _see_to_pins(back: Back, journal: str | None, write: bool) -> None:
    """Pins still name what was taken back: say how to move them, or do it."""
    from fleetctl.cli.identity import whoami
    from fleetctl.cli.inputs import read_knowledge
    from fleetctl.releases.pins import pins_path, read_pins, write_pins

    path = pins_path(Path(back.fleet.source))
    live = read_knowledge(journal, back.fleet.name).live
    for release, tiers in _to_pin(back.fleet, back.targets, live, read_pins(path)).items():
        if write:
            write_pins(path, tiers, release, by=whoami().partition("@")[0], note=back.plan.title)
            tell(f"pinned: {', '.join(tiers)} to {release}")
        else:
            tell(f"next: fleetctl releases pin {','.join(tiers)} {release}")


def _to_pin(
    fleet: Fleet, targets: Mapping[str, str], live: Mapping[str, str], pins: Mapping[str, str]
) -> dict[str, list[str]]:
    """Release -> the tiers to pin to it: those that run one release, and not the pinned one."""
    found: dict[str, list[str]] = {}
    for tier in dict.fromkeys(fleet.hosts[name].tier for name in targets):
        releases = _releases_of(fleet.tiers[tier].hosts, targets, live)
        if tier not in pins or releases == {pins[tier]}:
            continue
        if len(releases) == 1:
            found.setdefault(releases.pop(), []).append(tier)
        else:
            tell(f"note: {tier} runs {', '.join(sorted(releases))}, and its pin says {pins[tier]}")
    return found


def _releases_of(
    names: Sequence[str], targets: Mapping[str, str], live: Mapping[str, str]
) -> set[str]:
    known = (targets.get(name) or live.get(name) for name in names)
    return {release for release in known if release}
