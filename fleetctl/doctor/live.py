"""Live releases of a tier's hosts beside each other and beside the pin. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fleetctl.doctor.facts import Told
from fleetctl.doctor.findings import LIVE, Level, Remark


def judge_live(
    tier: Sequence[str], told: Mapping[str, Told | None], pin: str
) -> Iterator[tuple[str, Remark]]:
    """Host and remark for each host of a tier that was asked.

    That none runs the pinned release yet is what a push is for; that they differ is drift.
    """
    asked = [host for host in tier if host in told]
    live = {host: _live(told[host]) for host in asked}
    known = Counter(release for release in live.values() if release)
    usual = max(known, key=lambda release: (release == pin, known[release]), default="")
    for host in asked:
        release = live[host]
        if release is None:
            yield host, Remark(LIVE, Level.UNKNOWN, f"did not tell its release{_why(told[host])}")
        elif not release:
            text = "nothing is deployed where the playbook puts it"
            yield host, Remark(LIVE, Level.WARN if usual else Level.OK, text)
        elif release not in (pin, usual):
            text = f"runs {release}, where others of its tier run {usual}"
            yield host, Remark(LIVE, Level.WARN, text, "see: fleetctl status --host HOST")
        elif pin and release != pin:
            yield host, Remark(LIVE, Level.OK, f"{release}, {pin} is pinned")
        else:
            yield host, Remark(LIVE, Level.OK, f"{release}, as pinned" if pin else release)


def _live(told: Told | None) -> str | None:
    """The release; empty: none; None: not known."""
    return told.stdout if told is not None and told.status == 0 else None


def _why(told: Told | None) -> str:
    if told is None or told.status is None:
        return ""
    said = told.stderr or told.stdout
    return f": exit {told.status}" + (f": {said}" if said else "")
