"""Laying the overseer down on its host, and taking it away: for `fleetctl pools install`.

    HOME/overseer.pyz       the program
    HOME/specs              a link to specs.HASH, whole and checked before the link names it
    HOME/laid.json          what was laid down last, and which pools were in trouble before

The new program lays itself down. A daemon is never restarted for it: the overseer that works there
is told to read the specs, to become the new program, or to leave its daemons to a successor.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from fleetctl.pools.overseer import host, programs
from fleetctl.pools.overseer.amounts import counted
from fleetctl.pools.overseer.asking import exchange
from fleetctl.pools.overseer.fallback import Before
from fleetctl.pools.overseer.host import Trouble
from fleetctl.pools.overseer.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM, LAID, SPECS = "overseer.pyz", "laid.json", "specs"
SETTLED_S = 30.0
"""Within this an overseer answers after it was started, or became another program."""
CLOSED_S = 3600.0
"""Within this all daemons have ended; whoever called us has less patience."""
PATH_MOST = 90
_OURS = frozenset((PROGRAM, LAID, SPECS, "events.jsonl", "lock"))
"""One of these stands in each folder an overseer was laid down in, or has worked in."""
TROUBLED = ("BACKOFF", "FAILED")
NAMED_MOST = 5
_OWN = os.path.abspath(sys.argv[0])  # noqa: PTH100
"""This very program, wherever we stand later."""


def main(home: str, word: str) -> int:
    """Do it; the exit code. The order comes on standard input, as JSON."""
    home = os.path.abspath(home)  # noqa: PTH100
    try:
        if word == "--lay":
            told = lay(home, json.load(sys.stdin))
        elif word == "--well":
            told = well(home)
        else:
            told = leave(home)
    except (Trouble, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{told}\n")
    return 0


def lay(home: str, order: dict[str, Any]) -> str:
    """Put program and specs in place and see that they work; what is there now, in words."""
    if len(home.encode()) > PATH_MOST:
        raise Trouble(
            f"{home}: the path of a socket in it would be too long; name a shorter `home`"
        )
    _check_ours(home)
    os.makedirs(home, 0o700, exist_ok=True)  # noqa: PTH103
    specs = _lay_specs(home, order)
    told = _answering(home)
    laid = _read(home)
    same = (laid.get("version"), laid.get("specs")) == (VERSION, specs)
    troubled = laid.get("troubled", []) if same else sorted(troubled_in(told))
    ways = [order["python"], order["reserve"], order.get("unit", "")]
    now = {"version": VERSION, "specs": specs, "troubled": troubled, "ways": ways}
    before = Before(home, told, _unit(laid), order.get("unit", ""))
    try:
        prepared = host.prepare(home, LAID, json.dumps(now).encode())
        _copy_program(home)
        before.aside = _switch(home, specs)
        told = _make_way(home, order, laid, told)
        os.rename(prepared, f"{home}/{LAID}")  # noqa: PTH104
        _set_going(home, order, specs, told)
        found = _settled(home, specs)
    except (Trouble, OSError, ValueError) as error:
        raise Trouble(f"{error}{before.put_back()}") from None
    before.forget()
    _check_sound(found, troubled)
    _tidy(home, specs)
    return in_words(found)


def _make_way(
    home: str, order: dict[str, Any], laid: dict[str, Any], told: dict[str, Any] | None
) -> dict[str, Any] | None:
    """End the overseer that works there if it cannot become the new one; what is left of it."""
    unit_changed = bool(order.get("unit")) and host.write_unit(
        order["unit"], order["unit_text"], _command(home, order), home
    )
    if _unit(laid) not in ("", order.get("unit", "")):
        host.remove_unit(_unit(laid))  # or it would be started beside the new one one day
        host.until(lambda: not host.held(home), SETTLED_S, "the overseer does not end")
        told = None
    ways = [order["python"], order["reserve"], order.get("unit", "")]
    if told is not None and (unit_changed or laid.get("ways") != ways):
        _end_overseer(home, told, _unit(laid) or order.get("unit", ""))
        told = None
    return told


def _check_ours(home: str) -> None:
    """A folder of somebody else's would be removed with all that is in it one day."""
    try:
        there = os.listdir(home)  # noqa: PTH208
    except FileNotFoundError:
        return
    if there and not _OURS.intersection(there):
        raise Trouble(f"{home} holds what is not an overseer's; name an empty or new `home`")


def well(home: str) -> str:
    """Whether the overseer is the one laid down last, and no pool got into trouble since."""
    laid = _read(home)
    found = _told(home)
    if found is None:
        raise Trouble(f"no overseer answers in {home}")
    own = found["overseer"]
    if (own.get("version"), own.get("laid")) != (laid.get("version"), laid.get("specs")):
        raise Trouble(f"the overseer runs {own.get('version')} with {own.get('laid')}")
    _check_sound(found, laid.get("troubled", []))
    return in_words(found)


def leave(home: str) -> str:
    """End every daemon gently, then the overseer, and remove all of it; what died, in words."""
    if not os.path.exists(f"{home}/{LAID}"):  # noqa: PTH110
        raise Trouble(f"{home} was not laid down by `fleetctl pools install`: it is left alone")
    laid = _read(home)
    unit = _unit(laid)
    told = _answering(home)
    if unit:
        host.remove_unit(unit)
        host.until(lambda: not host.held(home), SETTLED_S, "the overseer does not end")
        told = None
    if told is None and host.kept(
        home
    ):  # the daemons of an overseer that is gone: adopt, then end them
        _start(home, {"reserve": 10})
        told = _answering(home)
    ended = 0
    if told is not None:
        ended = int(exchange(home, {"do": "close"}).get("processes", 0))
        host.until(lambda: not host.held(home), CLOSED_S, "daemons do not end")
    left = host.kept(home)
    if left:
        raise Trouble(f"processes of daemons are still there: {' '.join(map(str, left[:9]))}")
    _remove(home)
    return f"{counted(ended, 'process')} ended, {home} removed"


def _remove(home: str) -> None:
    """All of it; raises Trouble for what cannot be. What a second try needs goes last."""
    names = [name for name in os.listdir(home) if name not in (LAID, PROGRAM)]  # noqa: PTH208
    left = host.remove(*(f"{home}/{name}" for name in names))
    left = left or host.remove(f"{home}/{PROGRAM}", f"{home}/{LAID}")
    left = left or host.remove(home) or host.forget_programs()
    if left:
        more = f" and {len(left) - NAMED_MOST} more" if len(left) > NAMED_MOST else ""
        raise Trouble(f"all daemons have ended, but not all could be removed: "
                      f"{'; '.join(left[:NAMED_MOST])}{more}")  # fmt: skip


def troubled_in(told: dict[str, Any] | None) -> set[str]:
    """Pools that are resting after errors."""
    rows = told["pools"] if told else []
    return {row["pool"] for row in rows if row["state"] in TROUBLED}


def in_words(told: dict[str, Any]) -> str:
    """`75 pools: 75 hibernating`."""
    counts = ", ".join(f"{n} {state.lower()}" for state, n in sorted(told["counts"].items()) if n)
    lacks = programs.in_words(told["overseer"].get("programs_missing", {}))
    return "\n".join([f"{counted(told['overseer']['pools'], 'pool')}: {counts or 'none'}", *lacks])


def _check_sound(found: dict[str, Any], before: list[str]) -> None:
    """Raises Trouble for pools that are in trouble and were not before."""
    new = sorted(troubled_in(found) - set(before))
    if new:
        more = f" and {len(new) - NAMED_MOST} more" if len(new) > NAMED_MOST else ""
        names = ", ".join(new[:NAMED_MOST])
        raise Trouble(f"in trouble since: {names}{more}; what one printed: "
                      f"fleetctl pools log {new[0]} --host HOST")  # fmt: skip


def _lay_specs(home: str, order: dict[str, Any]) -> str:
    """The folder of specs, whole and checked by this program; raises Trouble with every mistake."""
    from fleetctl.pools.overseer import specs

    name = f"{SPECS}.{order['specs']}"
    folder, half = f"{home}/{name}", f"{home}/.{name}"
    if not os.path.isdir(folder):  # noqa: PTH112
        os.makedirs(half, 0o700, exist_ok=True)  # noqa: PTH103
        for file, text in order["files"].items():
            host.write(half, file, text.encode())
    else:
        half = folder
    try:
        specs.read(half)
    except specs.SpecError as error:
        if half != folder:
            host.remove(half)
        raise Trouble(f"nothing was changed: {error}".replace(f"{half}/", "specs/")) from None
    if half != folder:
        os.rename(half, folder)  # noqa: PTH104
    return name


def _told(home: str) -> dict[str, Any] | None:
    """What the overseer answers; None where none does."""
    try:
        told = exchange(home, {"do": "status"})
    except (OSError, ValueError):
        return None
    return told if told.get("ok") else None


def _answering(home: str) -> dict[str, Any] | None:
    """As `_told`; one that is there and does not answer is waited for, then raises Trouble."""
    told = _told(home)
    end = time.monotonic() + SETTLED_S
    while told is None and host.held(home):
        if time.monotonic() > end:
            raise Trouble(f"an overseer works in {home} and does not answer")
        time.sleep(0.1)
        told = _told(home)
    return told


def _settled(home: str, specs: str) -> dict[str, Any]:
    """What the overseer answers, once it is this program with these specs."""
    end, nap = time.monotonic() + SETTLED_S, 0.02
    while True:
        told = _told(home)
        if told is not None:
            own = told["overseer"]
            if (own.get("version"), own.get("laid")) == (VERSION, specs):
                return told
        if time.monotonic() > end:
            last = host.last_words(f"{home}/overseer.log")
            raise Trouble(f"the overseer does not come to answer for {specs} of {VERSION}{last}")
        time.sleep(nap)
        nap = min(2 * nap, 0.2)


def _set_going(home: str, order: dict[str, Any], specs: str, told: dict[str, Any] | None) -> None:
    """Tell the overseer that works there of what is new; where none does, start one."""
    if told is None:
        if order.get("unit"):
            host.begin_unit(order["unit"])
        else:
            _start(home, order)
        return
    own = told["overseer"]
    if own.get("version") != VERSION:
        os.kill(int(own["pid"]), signal.SIGUSR2)
    elif own.get("laid") != specs:
        done = exchange(home, {"do": "reload"})
        if not done.get("ok"):
            raise Trouble(f"the overseer refuses the specs: {done.get('error')}")


def _end_overseer(home: str, told: dict[str, Any], unit: str) -> None:
    """It ends, its daemons go on: the next one adopts them."""
    if unit:
        host.end_unit(unit)
    else:
        os.kill(int(told["overseer"]["pid"]), signal.SIGTERM)
    host.until(lambda: not host.held(home), SETTLED_S, "the overseer does not end")


def _command(home: str, order: dict[str, Any]) -> list[str]:
    """The overseer's command line."""
    words = [sys.executable, "-I", "-S", f"{home}/{PROGRAM}", "--home", home]
    return [*words, "--specs", f"{home}/{SPECS}", "--reserve", f"{order['reserve']:g}"]


def _start(home: str, order: dict[str, Any]) -> None:
    """Begin one that outlives us; raises Trouble when it ends at once."""
    pid = host.start(_command(home, order), f"{home}/overseer.log")
    end = time.monotonic() + SETTLED_S
    while _told(home) is None:
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise Trouble(f"the overseer ended at once{host.last_words(f'{home}/overseer.log')}")
        if time.monotonic() > end:
            raise Trouble("the overseer was started and does not answer")
        time.sleep(0.02)


def _copy_program(home: str) -> None:
    """This very program, in place of what is there."""
    with open(_OWN, "rb") as own:  # noqa: PTH123
        program = own.read()
    try:
        with open(f"{home}/{PROGRAM}", "rb") as there:  # noqa: PTH123
            if there.read() == program:
                return
    except OSError:
        pass
    host.write(home, PROGRAM, program, 0o700)


def _switch(home: str, specs: str) -> str:
    """Let `specs` name the new folder, in one move; where what was kept there by hand is now."""
    link, aside = f"{home}/{SPECS}", ""
    if os.path.isdir(link) and not os.path.islink(link):  # noqa: PTH112, PTH114
        aside = f"{home}/by-hand.{time.time():.0f}"
        os.rename(link, aside)  # noqa: PTH104
    host.point(link, specs)
    return aside


def _tidy(home: str, specs: str) -> None:
    """Remove what earlier programs and specs left."""
    for name in os.listdir(home):  # noqa: PTH208
        if name.startswith((f"{SPECS}.", f".{SPECS}.")) and name != specs:
            host.remove(f"{home}/{name}")
    host.remove(*(sent for sent in host.programs_sent() if sent != _OWN))


def _unit(laid: dict[str, Any]) -> str:
    """The unit that ran the overseer which was laid down last; empty: none did."""
    return str((laid.get("ways") or ["", 0, ""])[2])


def _read(home: str) -> dict[str, Any]:
    """What was laid down last; empty when that is not known."""
    try:
        with open(f"{home}/{LAID}", encoding="utf-8") as opened:  # noqa: PTH123
            laid = json.load(opened)
    except (OSError, ValueError):
        return {}
    return laid if isinstance(laid, dict) else {}
