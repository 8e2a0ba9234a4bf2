"""The same push without its guarantees: fsync, leases, and the hosts' locks, fences and records.

    python unguarded.py WORD...

What is no guarantee of those stays: deadlines, two bounded streams, a step's end by order. So the
difference to the real program is what they cost.
"""

from lessened import push_with  # type: ignore[import-not-found]

_WITHOUT = r"""
_claim() { [ -n "$_MINE" ] || { _life $$; _ME=$$.$_START.$_BOOT _MINE=none; }; }
_withdraw() { :; }
_heed_fence() { _FENCE=$1 _HOLDER=$2; }
_overtaken() { return 1; }
_settle() { :; }
_note() { :; }
_answered() { return 1; }
_depart() { [ -z "$_GUARD" ] || kill -KILL "$_GUARD"; }
_open_run() {
  [ "$_RUN" = "$1" ] && return
  _RUN=$1 _D=$_F/runs/$1=
  _post_guard
}
"""
push_with(lambda ours: ours.replace("trap _depart EXIT\n", f"{_WITHOUT}trap _depart EXIT\n"))
