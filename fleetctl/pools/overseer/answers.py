"""What the control socket can be asked: a word, the pools it is about, and what is answered."""

from __future__ import annotations

import fnmatch
import itertools
import os
import signal
import time

from fleetctl.pools.overseer import holdanswers, lives, orders, processes, tally, views
from fleetctl.pools.overseer.poison import TIMES
from fleetctl.pools.overseer.pools import NEVER
from fleetctl.pools.overseer.specs import SpecError
from fleetctl.pools.overseer.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetctl.pools.overseer.loop import Overseer
    from fleetctl.pools.overseer.pools import Pool

    Request = dict[str, Any]
    Answer = dict[str, Any]

LOG_MOST = 64 << 10
EVENTS_MOST = 1000
LOST_MOST = 10
"""Sockets that cannot be had are told by name."""
POISON = "poison"
INJURIES = {"hang": signal.SIGSTOP, "error": signal.SIGABRT, "kill": signal.SIGKILL}


class Refused(Exception):
    """A request that is not carried out, and why."""


def answer(overseer: Overseer, request: Request) -> Answer:
    """Do what is asked; a mistake of the asker is an answer, too."""
    act = _ACTS.get(str(request.get("do")))
    under_token = holdanswers.ACTS.get(str(request.get("do")))
    try:
        if under_token is not None:
            told = under_token(overseer, request, _chosen)
        elif act is None:
            raise Refused(f"unknown request {request.get('do')!r}; known: {', '.join(_ACTS)}")
        else:
            told = act(overseer, request)
    except (Refused, SpecError) as error:
        return {"ok": False, "error": str(error)}
    except (TypeError, ValueError, OverflowError) as error:
        return {"ok": False, "error": f"a value of the request is not what it should be: {error}"}
    overseer.flush(time.monotonic())
    return {"ok": True, **told}


def _chosen(overseer: Overseer, request: Request) -> list[Pool]:
    """The pools a request names, each by `instance/kind` with * and ?; at least one.

    With `lenient`, names that no pool has are passed over.
    """
    pools = overseer.core.book.pools
    patterns = request.get("pools") or []
    if not isinstance(patterns, list) or not all(isinstance(word, str) for word in patterns):
        raise Refused("pools must be a list of words")
    found: dict[str, Pool] = {}
    for pattern in patterns:
        if pattern in pools:
            found[pattern] = pools[pattern]
            continue
        names = fnmatch.filter(pools, pattern)
        if not names and not request.get("lenient"):
            raise Refused(f"no pool is called {pattern!r}{_nearest(pattern, list(pools))}")
        found.update((name, pools[name]) for name in names)
    return list(found.values())


def _named(overseer: Overseer, request: Request) -> list[Pool]:
    """As `_chosen`, for what changes something: nothing named is nothing done."""
    pools = _chosen(overseer, request)
    if not pools and not (request.get("lenient") and request.get("pools")):
        raise Refused("name the pools, as instance/kind; * and ? may stand for more")
    return pools


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    if word.startswith("*/"):  # a kind is meant
        known = sorted({"*/" + name.partition("/")[2] for name in known})
    elif word.endswith("/*"):
        known = sorted({name.partition("/")[0] + "/*" for name in known})
    close = difflib.get_close_matches(word, known[:20000], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _status(overseer: Overseer, request: Request) -> Answer:
    """Rows of the pools named, or of those that are not asleep; and how many are what.

    The rows are made while they are sent: they tell of pools as they are by then.
    """
    now, core = time.monotonic(), overseer.core
    pools = _chosen(overseer, request)
    if not pools and request.get("all"):
        pools = list(core.book.pools.values())
    elif not pools:
        quiet = ("HIBERNATING", "EMPTY")
        pools = [pool for pool in core.book.pools.values() if views.word(pool) not in quiet]
    told = views.detail if request.get("slots") else views.brief
    return {
        "at": time.time(),
        "counts": views.counts(core),
        "overseer": {
            **figures(overseer),
            "pid": os.getpid(),
            "version": VERSION,
            "laid": overseer.laid,
            "unknown_hint": overseer.unknown_hints.latest(core.book.pools, time.time() - now),
            "programs_missing": overseer.programs.missing(),
            "sockets_lost": dict(itertools.islice(overseer.listeners.failing.items(), LOST_MOST)),
        },
        "pools": (told(core, pool, now) for pool in pools),
    }


def _tally(overseer: Overseer, request: Request) -> Answer:
    """All pools counted, by kind or by instance."""
    sources = {
        name: tally.SURE if lookout.believed else tally.UNSURE
        for name, lookout in overseer.lookouts.items()
    }
    asked, now = tally.Asked(request), time.monotonic()
    told = tally.tally(overseer.core, asked, now, sources, processes.resident_kb)
    return {"at": time.time(), "version": VERSION, **told, "overseer": figures(overseer)}


def figures(overseer: Overseer) -> dict[str, float]:
    """The overseer's own."""
    return {
        "pools": len(overseer.core.book.pools),
        "processes": len(overseer.children.by_pid),
        "in_line": len(overseer.core.starts),
        "wakes": overseer.latency.count,
        "wake_p50_s": overseer.latency.quantile_s(0.5),
        "wake_p99_s": overseer.latency.quantile_s(0.99),
        "wake_max_s": overseer.latency.most_s,
        "refused_messages": overseer.refused,
        "unknown_hints": overseer.unknown_hints.count,
        "instances": len({pool.instance for pool in overseer.core.book.pools.values()}),
        "memory_available_mb": round(overseer.memory.available_mb),
        "memory_total_mb": round(overseer.memory.total_mb),
        "fullness_percent": round(overseer.memory.fullness(overseer.reserve), 1),
        "log_failing": float(bool(overseer.log.trouble)),
        "starved": float(overseer.core.starved),
        "lookouts_failing": sum(look.failures > 0 for look in overseer.lookouts.values()),
        "lookouts_blind": sum(look.blind(time.monotonic()) for look in overseer.lookouts.values()),
        "blind_wakes": sum(look.patrol.woken for look in overseer.lookouts.values()),
        "watchdogs_held": overseer.core.bites_held,
        "zygotes": len(overseer.zygotes),
        "zygotes_failing": overseer.zygotes.failing,
        "warm_starts": overseer.zygotes.started,
        "sockets": len(overseer.listeners),
        "sockets_failing": len(overseer.listeners.failing),
    }


def _events(overseer: Overseer, request: Request) -> Answer:
    """The last events; with `follow`, the connection is told of every further one."""
    import json

    wanted = {pool.name for pool in _chosen(overseer, request)} if request.get("pools") else None
    asked = request.get("most", request.get("last"))
    most = min(20 if asked is None else max(0, int(asked)), EVENTS_MOST)
    data = _tail(overseer.log.path, EVENTS_MOST * 400)
    events = [json.loads(line) for line in data.split("\n")[1:] if line.endswith("}")]
    chosen = [event for event in events if wanted is None or event.get("p") in wanted]
    return {"events": chosen[-most:] if most else []}


def _tail(path: str, most: int) -> str:
    """The end of a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, most, max(0, size - most)).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _hibernate(overseer: Overseer, request: Request) -> Answer:
    now, pools = time.monotonic(), _named(overseer, request)
    interrupt = request.get("now") is True
    core = overseer.core
    busy = sum(orders.hibernate(core, pool, now, interrupt=interrupt) for pool in pools)
    return {"pools": len(pools), "left_busy": busy}


def _wake(overseer: Overseer, request: Request) -> Answer:
    now, pools = time.monotonic(), _named(overseer, request)
    for pool in pools:
        lives.attention(overseer.core, pool, now)
    held = [pool.name for pool in pools if not overseer.core.may_start(pool)]
    return {"pools": len(pools), "held_back": held}


def _hold(overseer: Overseer, request: Request) -> Answer:
    """Pause or drain, with who and why and maybe until when."""
    now, pools = time.monotonic(), _named(overseer, request)
    hold = orders.pause if request["do"] == "pause" else orders.drain
    why, by = str(request.get("why") or ""), str(request.get("by") or "")
    if not why:
        raise Refused("say why: whoever comes next will ask")
    seconds, wall = request.get("for_s"), request.get("until_s")
    if wall:  # whoever asked may have been a while in asking
        seconds = max(1.0, float(wall) - time.time())
    until = now + float(seconds) if seconds else NEVER
    for pool in pools:
        hold(overseer.core, pool, now, why, by=by, until=until)
    return {"pools": len(pools)}


def _resume(overseer: Overseer, request: Request) -> Answer:
    now, pools = time.monotonic(), _named(overseer, request)
    for pool in pools:
        by = str(request.get("by") or "")
        orders.resume(overseer.core, pool, now, str(request.get("why") or ""), by=by)
    return {"pools": len(pools)}


def _retry(overseer: Overseer, request: Request) -> Answer:
    now, pools = time.monotonic(), _named(overseer, request)
    for pool in pools:
        orders.retry(overseer.core, pool, now)
    return {"pools": len(pools)}


def _scale(overseer: Overseer, request: Request) -> Answer:
    now, pools = time.monotonic(), _named(overseer, request)
    least, most = request.get("min"), request.get("max")
    bounds = None
    if least is not None and most is not None:
        if not 0 <= int(least) <= int(most) <= 1000 or not int(most):
            raise Refused("0 <= min <= max, and max from 1 to 1000")
        bounds = (int(least), int(most))
    for pool in pools:
        orders.scale(overseer.core, pool, now, bounds)
    return {"pools": len(pools)}


def _reload(overseer: Overseer, _: Request) -> Answer:
    return dict(overseer.reload(time.monotonic()))


def _explain(overseer: Overseer, request: Request) -> Answer:
    now = time.monotonic()
    pools = _named(overseer, request)
    return {"explained": [views.explain(overseer.core, pool, now) for pool in pools[:100]]}


def _log(overseer: Overseer, request: Request) -> Answer:
    """What the daemons of a pool printed last: on the host alone, for it may hold secrets."""
    texts = {}
    for pool in _named(overseer, request)[:10]:
        for slot in pool.slots:
            texts[f"{pool.name}#{slot.number}"] = _tail(overseer.children.log_path(slot), LOG_MOST)
    return {"log": texts}


def _debug(overseer: Overseer, request: Request) -> Answer:
    """Really hurt the processes of pools: stand still, abort, be killed, or die of a task."""
    injury = str(request.get("injury"))
    if injury == POISON:
        poisoned = _named(overseer, request)
        for pool in poisoned:
            overseer.poison.give(pool.name, int(request.get("times") or TIMES))
        return {"hurt": len(poisoned)}
    number = INJURIES.get(injury)
    if number is None:
        raise Refused(f"injury must be one of {', '.join((*INJURIES, POISON))}")
    hurt = 0
    for pool in _named(overseer, request):
        for slot in pool.live():
            if slot.life is not None and slot.life.pid:
                processes.strike(slot.life.pid, slot.life.pidfd, number, group=False)
                hurt += 1
    return {"hurt": hurt}


def _metrics(overseer: Overseer, _: Request) -> Answer:
    from fleetctl.pools.overseer import metrics

    own = figures(overseer)
    return {"text": metrics.text(overseer.core, overseer.latency, own, time.monotonic())}


def _close(overseer: Overseer, _: Request) -> Answer:
    """End all daemons, then the overseer."""
    orders.close(overseer.core, time.monotonic())
    return {"processes": len(overseer.children.by_pid)}


_ACTS = {
    "status": _status,
    "tally": _tally,
    "events": _events,
    "hibernate": _hibernate,
    "wake": _wake,
    "pause": _hold,
    "drain": _hold,
    "resume": _resume,
    "retry": _retry,
    "scale": _scale,
    "reload": _reload,
    "explain": _explain,
    "log": _log,
    "debug": _debug,
    "metrics": _metrics,
    "close": _close,
}
