# Who runs on this host, and how a step is ended: read ahead of runner.sh and of kill.sh.
#
# All names of ours begin with an underscore: a step's text is evaluated in a copy of this very shell.

_F=${FLEETCTL_HOME:-$HOME/.fleetctl}
_BOOT=none
read -r _BOOT </proc/sys/kernel/random/boot_id

_clock() { # _NOW: hundredths of a second since boot
  read -r _NOW _ </proc/uptime
  _NOW=${_NOW%.*}${_NOW#*.}
}

_nap() { sleep "$1" 2>/dev/null || sleep 1; } # POSIX sleep knows whole seconds only

_life() { # PID -> _STATE, _PARENT, _GROUP and _START of it; false when there is none
  [ -e "/proc/$1/stat" ] && read -r _line <"/proc/$1/stat" || return 1
  # Its name may hold anything. A pattern for the longest prefix costs a shell four times the read.
  case $_line in
    *") "*") "*) set -- ${_line##*") "} ;;
    *) set -- ${_line#*") "} ;;
  esac
  _STATE=$1 _PARENT=$2 _GROUP=$3 _START=${20}
}

_lives() { # PID START BOOT: is that very process there?
  [ "$3" = "$_BOOT" ] && _life "$1" && [ "$_START" = "$2" ] && [ "$_STATE" != Z ] &&
    [ "$_STATE" != X ]
}

_noted() { # FILE -> _now_key _now_pid _now_start _now_boot _now_deadline _now_group: the step its runner noted, if it runs
  [ -s "$1" ] && read -r _now_key _now_pid _now_start _now_boot _now_deadline _now_group <"$1" &&
    _lives "$_now_pid" "$_now_start" "$_now_boot"
}

# A step's processes are those of its group that began with it or after it, but for what descends
# from an older member: the group may hold the runner, its guard, and what earlier steps left behind.
_of_step() { # PID: is it of the step noted?
  _life "$1" && [ "$_GROUP" = "$_now_group" ] && [ "$_STATE" != Z ] && [ "$_STATE" != X ] || return 1
  set -- "$1"
  while [ "$_GROUP" = "$_now_group" ]; do
    [ "$1" != "$_now_pid" ] || return 0
    [ "$_START" -gt "$_now_start" ] || { [ "$_START" -eq "$_now_start" ] && [ "$1" -gt "$_now_pid" ]; } ||
      return 1
    set -- "$_PARENT"
    _life "$1" || return 0
  done
}

# All are stopped before any is struck: a shell whose command is struck first would go on to its next.
# The step's first process goes last: with its end the step is told, and then all are to be struck.
_strike() { # SIGNAL: to each process of the step noted; false when there is none
  _signal=$1 _first=''
  ! _of_step "$_now_pid" || { kill -STOP "$_now_pid" && _first=$_now_pid; }
  set --
  for _folder in /proc/[0-9]*; do
    _pid=${_folder#/proc/}
    [ "$_pid" != "$_now_pid" ] && _of_step "$_pid" && kill -STOP "$_pid" && set -- "$@" "$_pid"
  done
  set -- "$@" $_first
  [ $# -gt 0 ] || return 1
  kill -"$_signal" "$@"
  for _pid in "$@"; do kill -CONT "$_pid"; done
  return 0
}

_end_step() { # TERM, three seconds, KILL
  _strike TERM
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    _lives "$_now_pid" "$_now_start" "$_now_boot" || break
    _nap 0.2
  done
  for _ in 1 2 3 4 5; do _strike KILL || break; done # who forks faster than we look is looked for again
}
