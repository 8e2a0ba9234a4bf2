# The journal of a run, carried to a host of its fleet: read there after processes.sh.
#
# carried/FLEET/RUN/   (ours alone: 0700, files 0600)
#   row                the run's row
#   plan.N.TOTAL       a part of its plan
#   leg.FENCE.FROM/    what one controller carried; FROM: its own first record
#     FIRST            a bundle of records, told by its first
#   heard              NOW BOOT EXIT: when its controller last spoke, and the run's exit code or -
#
# A file appears under its name when it is whole, and a bundle that is sent again replaces itself:
# an answer lost on its way leads neither to a gap nor to a record that is there twice.

_C=$_F/carried
_KEPT=20
_PAGE=48000
umask 077

_lay() { # FILE TEXT: all of it or nothing
  printf '%s\n' "$2" >"$_AT/.new.$$" && mv -f "$_AT/.new.$$" "$1" && return 0
  rm -f "$_AT/.new.$$"
  echo disk
  return 1
}

_keep() { # NAME TEXT: the row, or a part of the plan
  [ -d "$_AT" ] || mkdir -p "$_AT" || { echo disk; return 1; }
  _lay "$_AT/$1" "$2" && echo kept
}

_add() { # LEG EXIT FIRST TEXT: a bundle; without FIRST only a sign of life
  if [ ! -d "$_AT/leg.$1" ]; then
    mkdir -p "$_AT/leg.$1" || { echo disk; return 1; }
    _prune
  fi
  [ $# -lt 4 ] || _lay "$_AT/leg.$1/$3" "$4" || return
  _clock
  printf '%s %s %s .\n' "$_NOW" "$_BOOT" "$2" 1<>"$_AT/heard" && echo kept
}

_prune() { # the runs heard of last stay
  ls -t "${_AT%/*}"/*/heard | tail -n +$_KEPT |
    while read -r _old; do [ "${_old%/heard}" = "$_AT" ] || rm -rf "${_old%/heard}"; done
}

_age() { # FOLDER -> _AGE (hundredths of a second, - when that is not known) and _EXIT
  _AGE=- _EXIT=- _then='' _when='' _end=''
  [ ! -s "$1/heard" ] || read -r _then _when _EXIT _end <"$1/heard"
  [ "$_end" = . ] || { _EXIT=-; return; }
  [ "$_when" != "$_BOOT" ] || _AGE=$((_NOW - _then))
}

_list() { # every run that is carried
  _clock
  for _each in "${_AT%/*}"/*/row; do
    [ -s "$_each" ] || continue
    _AT=${_each%/row}
    _age "$_AT"
    _row=''
    read -r _row <"$_each"
    echo "run $_AGE $_EXIT $_row"
  done
  echo kept
}

_watch() { # LEG AFTER SKIP: what is new of that leg, from a byte on; and which legs there are
  _clock
  _age "$_AT"
  echo "heard $_AGE $_EXIT"
  for _each in "$_AT"/leg.*; do [ ! -d "$_each" ] || echo "leg ${_each##*/leg.}"; done
  _leg=$1 _after=$2 _skip=$3
  set --
  for _each in "$_AT/leg.$_leg"/[0-9]*; do
    [ -e "$_each" ] && [ "${_each##*/}" -gt "$_after" ] && set -- "$@" "$_each"
    [ $# -lt 300 ] || break
  done
  echo kept
  [ $# = 0 ] || cat "$@" | tail -c +$((_skip + 1)) | head -c $_PAGE
}

_part() { # N: of the plan
  for _each in "$_AT/plan.$1".*; do
    [ -s "$_each" ] || continue
    echo "part ${_each##*.}"
    cat "$_each"
    return
  done
  echo none
}

_carried() { # FLEET RUN ORDER WORD...
  _AT=$_C/$1/$2
  shift 2
  "$@"
}
