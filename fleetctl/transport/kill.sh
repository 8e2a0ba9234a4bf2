# Stops the step that runs under RUN: read by a POSIX sh on a channel of its own, after processes.sh.
{
  _D=$_F/runs/$RUN=

  _held() {
    for _claim in "$_F"/lock.*; do
      read -r _word _run <"$_claim" && [ "$_word $_run" = "held $RUN" ] && return 0
    done
    return 1
  }

  # For a moment between two steps there is none to stop; the next comes while the run is held.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    _noted "${_D}now" && break
    _held || break
    _nap 0.1
  done
  if _noted "${_D}now"; then
    printf 'killed %s\n' "$_now_pid" >"${_D}stop"
    _end_step
    echo found
  else
    echo none
  fi
  exit 0
} 2>/dev/null
