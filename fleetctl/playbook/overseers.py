"""sh texts that ask a host's overseer, where the inventory says it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

PROGRAM = "overseer.pyz"
"""The overseer as one file, in its folder on the host."""
EXIT_ABSENT = 68
"""None is installed on the host."""
EXIT_NOBODY = 69
"""It is installed, and does not answer."""

PLACE = r"""
home={{pools.home}}
case $home in "~/"*) home=$HOME/${home#"~/"} ;; esac
"""
"""Sets `home`, the overseer's folder."""

NAMED = "python={{pools.python}}\n" + PLACE
"""Sets `python`, too. No name may stand behind this: PLACE takes words apart."""
ASKING = r"""
[ -e "$home/overseer.pyz" ] || { echo "no overseer is installed in $home" >&2; exit 68; }
ask() { "$python" -I -S "$home/overseer.pyz" --home "$home" --ask "$1"; }
"""
ASK = NAMED + ASKING
"""Defines `ask REQUEST`: prints the answer; 1: it is refused, 69: nobody answers."""


# A file that is named as the program makes Python load what looks for programs in files: a third
# of what asking costs a host, and a fleet's status asks all of them at once.
_LIGHTLY = r"""
from="import sys; sys.path.insert(0, sys.argv.pop(1)); from fleetctl.pools.overseer.entry"
ask() {
  "$python" -I -S -c "$from import main; sys.exit(main())" \
    "$home/overseer.pyz" --home "$home" --ask "$1"
}
"""


# Perl without any module starts in a fifth of the time of Python, and nearly every host has one. It
# knows only a plain and short answer that is there in time; all else is told by the program itself.
_SWIFTLY = r"""
swiftly='
  $SIG{ALRM} = sub { exit 9 };
  alarm 25;
  socket(S, 1, 1, 0) && connect(S, pack("Sa*", 1, $ARGV[0])) or exit 1;
  syswrite(S, "$ARGV[1]\n");
  while (sysread(S, $told, 65536, length $told)) { last if $told =~ /\n\z/ }
  $told =~ s/^\{"ok": true, /{/ && $told =~ /\n\z/ && length $told < 49152 or exit 1;
  print $told;
'
quickly() {
  perl -e "$swiftly" "$home/control.sock" "$1" 2>/dev/null && return
  [ $? -ne 9 ] || { echo "no overseer answers in $home: timed out" >&2; exit 69; }
  ask "$1"
}
"""
_SHORT = ("tally", "settled")
"""What is answered in few words, and may be asked twice."""


def asking(do: str, **request: Any) -> str:
    """sh template that sends one request and prints the answer, a line of JSON.

    Exits as the overseer's `--ask` does, and with EXIT_ABSENT where there is none. Values may hold
    no names.
    """
    short = do in _SHORT and "most" not in request
    way = _SWIFTLY + "quickly" if short else "ask"
    return ASK + _LIGHTLY + f"{way} {_quoted({'do': do, **request})}\n"


def _quoted(request: Mapping[str, Any]) -> str:
    text = json.dumps(request, separators=(",", ":")).replace("'", "'\\''").replace("{{", "{{{{")
    return f"'{text}'"
