# Stops the step that runs under RUN: read by a POSIX sh on a channel of its own, after processes.sh.
{
  trap '' HUP PIPE # in between what it ends stands still
  _D=$_F/runs/$RUN=

  _held() {
    for _claim in "$_F"/lock.*; do
      read -r _word _run <"$_claim" && [ "$_word $_run" = "held $RUN" ] && return 0
    done
    return 1
  }

  _rules() { # may we? A dead controller's late word must not stop what a newer one started
    for _slot in 1 2; do
      _fence='' _holder='' _end=''
      read -r _fence _holder _end <"$_F/ledger/fence.$_slot"
      [ "$_end" = . ] && [ "$_fence" -gt "$NUMBER" ] || continue
      [ "$_holder" = "$UNDER" ] && [ "$UNDER" != "$RUN" ] || return 1
    done
  }

  # For a moment between two steps there is none to stop; the next comes while the run is held.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    _rules || break
    _noted "${_D}now" && break
    _held || break
    _nap 0.1
  done
  if _rules && _noted "${_D}now"; then
    printf 'killed %s\n' "$_now_pid" >"${_D}stop"
    _end_step
    echo found
  else
    echo none
  fi
  exit 0
} 2>/dev/null
