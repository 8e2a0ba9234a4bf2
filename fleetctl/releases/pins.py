"""Which release each tier should run: a small file beside the inventory, made to be reviewed.

    db:
      release: "2026-11-22-3f9a2c1"
      at: "2026-11-22T09:10:11+00:00"
      by: "bea"

A pin is what a host gets when it is deployed again: never "latest".
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fleetctl.base.errors import InputError, InputErrors, Location, LockHeld, Refused
from fleetctl.base.marked import Document, decode, read
from fleetctl.base.names import did_you_mean
from fleetctl.releases.durable import write_whole

HEAD = """\
# Which release each tier should run. Written by `fleetctl releases pin TIER RELEASE`, which keeps
# the fields below but no comments; words of your own belong into a `note`.
"""

_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Unquoted, YAML reads these as something else than themselves."""


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier's pin; by hand `tier: release` will do."""

    release: str
    at: str = ""
    by: str = ""
    was: str = ""
    """The release pinned before."""
    note: str = ""


def pins_path(inventory: Path) -> Path:
    """The pins that belong to an inventory file."""
    return inventory.with_name(f"{inventory.stem}.pins.yaml")


def read_pins(
    path: Path,
    *,
    tiers: Collection[str] | None = None,
    releases: Collection[str] | None = None,
) -> dict[str, str]:
    """Tier -> release; empty when there is no such file.

    Raises InputError for what cannot be read and, when `tiers` or `releases` say what there is,
    for a pin that names neither.
    """
    return {
        tier: pin.release
        for tier, pin in read_pin_facts(path, tiers=tiers, releases=releases).items()
    }


def read_pin_facts(
    path: Path,
    *,
    tiers: Collection[str] | None = None,
    releases: Collection[str] | None = None,
) -> dict[str, Pin]:
    """As `read_pins`, with who pinned it and when."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("these pins cannot be read", Location(str(path)), why=str(error)) from None
    document = read(text, str(path))
    if document.data is None:
        return {}
    found: dict[str, str | Pin] = decode(document, dict[str, str | Pin])
    pins = {tier: Pin(pin) if isinstance(pin, str) else pin for tier, pin in found.items()}
    _refuse_unknown(document, pins, tiers, releases)
    return pins


def write_pins(
    path: Path,
    tiers: Collection[str],
    release: str,
    *,
    at_s: float | None = None,
    by: str = "",
    note: str = "",
) -> dict[str, Pin | None]:
    """Pin `release` to these tiers at once, durably; answers the pins there were.

    What is so already is not changed. `at_s` is Unix time, None means now. Raises InputError when
    the file there cannot be read.
    """
    moment = datetime.fromtimestamp(time.time() if at_s is None else at_s, UTC)
    at = moment.isoformat(timespec="seconds")
    with _locked(path.parent):
        pins = read_pin_facts(path)
        earlier = {tier: pins.get(tier) for tier in tiers}
        for tier, was in earlier.items():
            if was is None or was.release != release or note:
                pins[tier] = Pin(release, at=at, by=by, was=_before(was, release), note=note)
        if all(pins[tier] == was for tier, was in earlier.items()):
            return earlier
        try:
            write_whole(path, _written(pins).encode())
        except OSError as error:
            raise Refused(f"cannot write {path}", why=str(error)) from error
    return earlier


def _before(was: Pin | None, release: str) -> str:
    """The release before this one: a new note for the same pin keeps what it says."""
    if was is None:
        return ""
    return was.was if was.release == release else was.release


def _written(pins: Mapping[str, Pin]) -> str:
    blocks = [HEAD]
    for tier, pin in pins.items():
        facts = {name: text for name, text in msgspec.structs.asdict(pin).items() if text}
        blocks.append(
            f"{_quoted_key(tier)}:\n"
            + "".join(f"  {name}: {_quoted(text)}\n" for name, text in facts.items())
        )
    return "".join(blocks)


def _quoted(text: str) -> str:
    """As YAML reads it back: every JSON string is one. Unquoted, release 1.10 is a number."""
    return json.dumps(text, ensure_ascii=False)


def _quoted_key(tier: str) -> str:
    plain = tier.isascii() and tier.replace("-", "a").replace("_", "a").isalnum()
    plain = plain and tier[0].isalpha() and tier.lower() not in _YAML_WORDS
    return tier if plain else _quoted(tier)


def _refuse_unknown(
    document: Document,
    pins: Mapping[str, Pin],
    tiers: Collection[str] | None,
    releases: Collection[str] | None,
) -> None:
    errors = []
    for tier, pin in pins.items():
        if tiers is not None and tier not in tiers:
            place = document.key_location([tier])
            errors.append(
                InputError(f'no tier "{tier}" to pin', place, hint=did_you_mean(tier, tiers))
            )
        if releases is not None and pin.release not in releases:
            short = isinstance(document.data[tier], str)
            place = document.location([tier] if short else [tier, "release"])
            hint = did_you_mean(pin.release, releases) or "add it with `fleetctl releases add`"
            errors.append(
                InputError(f'tier {tier}: no release "{pin.release}" here', place, hint=hint)
            )
    if errors:
        raise errors[0] if len(errors) == 1 else InputErrors(errors)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock is on the folder itself and leaves nothing behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LockHeld(f"somebody else is pinning in {folder}", hint="try again") from None
    finally:
        os.close(handle)
