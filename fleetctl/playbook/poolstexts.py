"""The sh texts of steps that hold, release and restart the daemon pools of a host.

A hold is the run's own: its id is the token, so that two runs never mix, not even when a step of
one started the other; and whoever goes on with a run, here or elsewhere, gives back what it held.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from fleetctl.playbook.overseers import ASK, ASKING, NAMED
from fleetctl.playbook.units import SomeSeconds

Do = Literal["hibernate", "wake", "drain", "restart"]
WITHIN_S = 300.0
ASKING_S = 60.0
"""What a step gets on top of waiting, for asking."""
NAMES = ("pools.home",)
"""What tells of a host whether these texts can be made for it."""
_RUN = "@run@"


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to become of the pools of a host."""

    do: Do
    only: tuple[str, ...] = ()
    """Pools, as instance/kind or a kind; * and ? may stand for more. Left out: all."""
    within: SomeSeconds = msgspec.field(default_factory=lambda: SomeSeconds(WITHIN_S))
    """How long busy daemons may take to finish, and woken ones to be ready."""
    missing: Literal["fail", "ok"] = "fail"
    """ok: a host where no overseer is installed, or that has no such pools, is fine."""


class PoolTexts:
    """Puts the texts for one wish together; raises ValueError for what cannot be."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.pools = [pattern(word) for word in wish.only]

    @property
    def words(self) -> str:
        """`*/taskmaster, a/task`, for titles."""
        return ", ".join(self.wish.only) or "all"

    def hold(self) -> str:
        """Hold them until the run releases them, and wait until what is busy has finished."""
        return self._text("hold", _BUSY, why=f"run {_RUN}", by="fleetctl")

    def release(self) -> str:
        """Give back what this run holds, and wait until what ran before is up again."""
        return self._text("release", _BROKEN)

    def give_back(self) -> str:
        """As `release`, for a run that owes no more than to let go: what does not come up then is
        told, and fails nothing."""
        return self._text("release", _GIVEN_BACK)

    def restart(self) -> str:
        """Replace what runs, one process of a pool after the other, and wait until all are up."""
        return self._text("restart", _BROKEN)

    def _text(self, do: str, hint: str, **more: Any) -> str:
        lenient = self.wish.missing == "ok"
        request: dict[str, Any] = {"do": do, "token": _RUN, **more}
        if self.pools:
            request["pools"] = self.pools
        if lenient or do == "release":  # what was held is given back though a kind is gone since
            request["lenient"] = True
        request["settle_s"] = math.ceil(self.wish.within)
        asked = f"ask {_sh_word(request)}"
        return _joined(NAMED, _MISSING_IS_FINE if lenient else "", ASKING, _THIS_RUN, asked, hint)


def pattern(word: str) -> str:
    """A pool's name or pattern; a word alone is a kind. Raises ValueError for what names none."""
    instance, slash, kind = word.partition("/")
    if not word or (slash and not (instance and kind)) or any(c.isspace() for c in word):
        raise ValueError(f'"{word}" names no pools; write instance/kind, or a kind')
    return word if slash else f"*/{word}"


def _sh_word(request: dict[str, Any]) -> str:
    """A request as a quoted word, the run's id put in by the host's shell."""
    text = json.dumps(request, separators=(",", ":")).replace("'", "'\\''").replace("{{", "{{{{")
    return "'" + text.replace(_RUN, "'\"$run\"'") + "'"


_THIS_RUN = r"""
run=${FLEETCTL_RUN_ID-}
case $run in
  ''|*[!A-Za-z0-9._-]*) echo "FLEETCTL_RUN_ID names no run: pools are held for a run" >&2; exit 2 ;;
esac
"""
_MISSING_IS_FINE = r"""
[ -e "$home/overseer.pyz" ] || { echo '{"pools":0,"missing":true}'; exit 0; }
"""
_END = r"""
status=$?
case $status in
  0) ;;
  1) echo "hint: an overseer older than fleetctl knows less; fleetctl pools upgrade" >&2 ;;
  69) echo "hint: start it, or look at its unit; fleetctl pools status" >&2 ;;
"""
_BUSY = (
    _END.strip("\n")
    + r"""
  3) echo "hint: nothing was interrupted; try again later, or say a longer \`within\`" >&2 ;;
esac
exit $status
"""
)
_BROKEN = (
    _END.strip("\n")
    + r"""
  *) echo "hint: fleetctl pools explain POOL says why; see pools log POOL --host HOST" >&2 ;;
esac
exit $status
"""
)
_GIVEN_BACK = (
    _END.strip("\n")
    + r"""
  3|4) exit 0 ;;
esac
exit $status
"""
)


def acting(request: Mapping[str, Any], settle_s: float = 0.0) -> str:
    """One request, then what has become of the pools; prints that as a line of JSON.

    A restart is the run's own, so the step fails when pools have not come up after `settle_s`;
    of the rest it is only told how far they are by then.
    """
    own = {"token": _RUN} if request["do"] == "restart" else {}
    whole = {**request, **own, "lenient": True, "settle_s": settle_s}
    return _joined(ASK, _THIS_RUN, f"ask {_sh_word(whole)}")


FORESEEN = frozenset(
    (
        *("hibernate", "wake", "pause", "drain", "resume", "retry", "scale", "restart"),
        "reload",
    )
)
"""Requests of which an overseer can tell beforehand whether they would change something."""


def needless(request: Mapping[str, Any]) -> str:
    """Whether that request would change no pool; prints what they are, as `acting` does.

    An overseer that cannot tell beforehand is asked to do it.
    """
    of = {key: value for key, value in request.items() if key != "pools"}
    look = {"do": "settled", "lenient": True, "pools": request.get("pools", []), "of": of}
    return _joined(ASK, f"told=$(ask {_sh_word(look)} 2>/dev/null)", _NOT_NEEDED)


_NOT_NEEDED = r"""
case $told in
  *'"needed": 0'[,}]*|*'"needed":0'[,}]*) printf '%s\n' "$told" ;;
  *) exit 1 ;;
esac
"""


def _joined(*parts: str) -> str:
    return "\n".join(part.strip("\n") for part in parts if part) + "\n"
