# A lock one shell of this host holds at a time: read after processes.sh. Its files are _F/lock.*.
#
# THE LOCK. Each runner has a claim file of its own, lock.PID.START.BOOT: its name says who, so a
# claim of a dead owner is told without asking anybody, and a dead owner never comes back. Its first
# line is its state: free, want or held, and the run. To take the lock: write "want" into the own
# claim, THEN look at all others. All are free: write "held". Two that want at once see each other, or
# the later one sees the earlier, because each writes before it looks; so two can never both find
# all others free. The one with the higher pid withdraws, the other looks again. Who sees "held"
# withdraws and comes back later. A claim is void when its owner is gone, unless the step it started
# still runs. A state read while it is being written is no "free", or it was free after we wrote.

_VOID_CLAIMS=8 # of dead shells are cleared away together: that is an exec
_MINE='' _SURVEYED=''

_step_lives() { _noted "$_F/runs/$1=now"; } # RUN: does the step its runner noted still run?

_survey() { # RIVAL: '' nobody, held, low or high (wants it; pid lower or higher than ours)
  _RIVAL='' _RIVAL_RUN=''
  set --
  for _other in "$_F"/lock.*; do
    [ "$_other" != "$_MINE" ] || continue
    _claim_state=free _claim_run=''
    read -r _claim_state _claim_run <"$_other"
    # Free is nobody's rival; whether its owner is dead is asked once a connection.
    [ "$_claim_state$_SURVEYED" != freeyes ] || continue
    _who=${_other#"$_F/lock."}
    _pid=${_who%%.*} _who=${_who#*.}
    if _lives "$_pid" "${_who%%.*}" "${_who#*.}"; then
      case $_claim_state in free | '') continue ;; esac
      if [ "$_claim_state" = held ]; then _RIVAL=held _RIVAL_RUN=$_claim_run; return; fi
      if [ "$_pid" -lt $$ ]; then _RIVAL=low; elif [ -z "$_RIVAL" ]; then _RIVAL=high; fi
    elif [ "$_claim_state" = held ] && _step_lives "$_claim_run"; then
      _RIVAL=held _RIVAL_RUN=$_claim_run
      return
    else
      set -- "$@" "$_other"
    fi
  done
  _SURVEYED=yes
  [ $# -lt $_VOID_CLAIMS ] || rm -f "$@"
}

_withdraw() { printf 'free -\n' 1<>"$_MINE" || : >"$_MINE"; }

_claim() { # RUN WAIT (hundredths of a second): 0 held, 1 disk, 2 somebody else's
  [ -n "$_MINE" ] || { _life $$ && _ME=$$.$_START.$_BOOT _MINE=$_F/lock.$$.$_START.$_BOOT; }
  _give_up='' _pause=0.02
  while :; do
    printf 'want %s\n' "$1" 1<>"$_MINE" || { _withdraw; return 1; }
    _survey
    [ -z "$_RIVAL" ] || _clock
    _give_up=${_give_up:-$((_NOW + $2))}
    while [ "$_RIVAL" = high ] && _clock && [ "$_NOW" -lt $_give_up ]; do _nap 0.01; _survey; done
    if [ -z "$_RIVAL" ]; then
      printf 'held %s\n' "$1" 1<>"$_MINE" && return 0
      _withdraw
      return 1
    fi
    _withdraw
    _clock
    [ "$_NOW" -lt $_give_up ] || return 2
    _nap $_pause
    case $_pause in 0.02) _pause=0.05 ;; 0.05) _pause=0.1 ;; 0.1) _pause=0.2 ;; esac
  done
}
