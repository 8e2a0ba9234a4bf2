# Who works on which tiers of a fleet: read after processes.sh and lock.sh on the hosts that keep it.
#
# A file a scope (FLEET.TIER), whose first line alone counts and is written over in place:
#   held RUN NUMBER UNTIL BOOT SINCE BY -        until: hundredths of a second since boot
#   stolen RUN NUMBER 0 BOOT WHEN BY REASON      RUN with NUMBER, or less, is shut out
#   free ...
# A line that is not whole counts as free: whoever holds it writes it again at the next heartbeat. All
# words are without spaces. A boot other than ours: the holder is given the time to come back.

_F=$_F/leases
_TTL=6000

_read_lease() { # SCOPE -> _word _holder _number _until _boot _since _by _reason
  _word=free _holder=- _number=0 _until=0 _boot=- _since=0 _by=- _reason=- _end=''
  [ ! -s "$_F/$1.lease" ] ||
    read -r _word _holder _number _until _boot _since _by _reason _end <"$_F/$1.lease"
  [ "$_end" = . ] || { _word=free _holder=- _number=0; }
}

_alive() { # of the lease read: does it hold now? -> _left
  [ "$_word" = held ] || return 1
  if [ "$_boot" = "$_BOOT" ]; then _left=$((_until - _NOW)); else _left=$((_TTL - _NOW)); fi
  [ $_left -gt 0 ]
}

_write_lease() { # SCOPE WORD...
  _scope=$1
  shift
  printf '%s .\n' "$*" 1<>"$_F/$_scope.lease"
}

_tell_lease() { # WORD SCOPE
  printf '%s %s %s %s %s %s %s %s\n' "$1" "$2" "$_holder" "$_number" "$_left" "$_since" "$_by" "$_reason"
}

_barred() { # SCOPE RUN NUMBER PARENT: told, when RUN may not have it
  _read_lease "$1"
  _left=0
  if _alive && [ "$_holder" != "$2" ] && [ "$_holder" != "$4" ]; then
    _tell_lease held "$1"
  elif [ "$_holder" = "$2" ] && [ "$_word" = held ] && [ "$3" -lt "$_number" ]; then
    _tell_lease newer "$1"
  elif [ "$_holder" = "$2" ] && [ "$_word" = stolen ] && [ "$3" -le "$_number" ]; then
    _tell_lease stolen "$1"
  else
    return 1
  fi
}

_take() { # RUN NUMBER TTL SINCE BY PARENT SCOPE...: all of them, or none; also to renew
  _run=$1 _order=$2 _ttl=$3 _at=$4 _who=$5 _parent=$6
  shift 6
  _refused=''
  for _each in "$@"; do _barred "$_each" "$_run" "$_order" "$_parent" && _refused=yes; done
  [ -z "$_refused" ] || return 0
  for _each in "$@"; do
    _read_lease "$_each"
    _alive && [ "$_holder" != "$_run" ] && continue # our parent's: it stays theirs
    [ "$_holder" = "$_run" ] && [ "$_word" = held ] || _since=$_at
    _write_lease "$_each" held "$_run" "$_order" $((_NOW + _ttl)) "$_BOOT" "$_since" "$_who" - ||
      { echo disk; return 0; }
  done
  echo granted
}

_drop() { # RUN NUMBER SCOPE...: what it still holds
  _run=$1 _order=$2
  shift 2
  for _each in "$@"; do
    _read_lease "$_each"
    [ "$_word $_holder $_number" != "held $_run $_order" ] || _write_lease "$_each" free - 0 0 - 0 - -
  done
  echo granted
}

_steal() { # WHEN BY REASON SCOPE...: what anybody holds; who held it is told and shut out
  _at=$1 _who=$2 _why=$3
  shift 3
  for _each in "$@"; do
    _read_lease "$_each"
    _left=0
    _alive || continue
    _tell_lease was "$_each"
    _write_lease "$_each" stolen "$_holder" "$_number" 0 "$_BOOT" "$_at" "$_who" "$_why" ||
      { echo disk; return 0; }
  done
  echo granted
}

_show() { # FLEET: every scope of it
  for _file in "$_F/$1".*.lease; do
    [ -e "$_file" ] || continue
    _each=${_file#"$_F/"}
    _read_lease "${_each%.lease}"
    _left=0
    if _alive; then _tell_lease held "${_each%.lease}"; fi
    if [ "$_word" = stolen ]; then _tell_lease stolen "${_each%.lease}"; fi
  done
  echo granted
}

_tend() { # ORDER WORD...: under the lock
  [ -d "$_F" ] || mkdir -m 700 -p "${_F%/*}" "$_F"
  _claim lease 500 || { echo busy; return 0; }
  _clock
  "$@"
  _withdraw
}
