# The host's side of fleetctl: read by a POSIX sh from its standard input, after processes.sh
# and lock.sh, and followed by orders.
#
# An order is one brace group of calls to the functions at the end of this file, so that an order cut
# short is a syntax error and runs nothing. Answers are frames on standard output; each starts on a
# line of its own with the unguessable token _T. Needs sshd, sh, coreutils and /proc; builtins are
# used wherever they can be, because one exec costs the host about as much as ten of them.
#
# State, under _F (~/.fleetctl, or $FLEETCTL_HOME of the login):
#   lock.*         claims, see lock.sh
#   ledger/        written through to the disk:
#     fence.1 .2   lines "NUMBER RUN ."; the higher number rules, the lower one is written over next
#     run.RUN      what began and ended in that run
#     through      "BOOT yes" where the file system does write this folder through
#   runs/RUN=*     now (the step begun last), stop (why we ended it), script, mark, wipe (the step in
#                  hand has secrets), KEY.out and KEY.err (their .head and .tail once they are long), put.SHA256
#
# IN PLACE. States are written over the old ones (1<>), never by truncating: cutting a file short
# costs the host half a millisecond of journal work, and may need room on a full disk. Of these
# files only the first line counts.
#
# DURABILITY. A record line must be on disk before its act and before it is told. `sync FILE` is an
# exec (1.1 ms); a file with attribute S is written through by the builtin printf (0.12 ms), and files
# take that attribute from their folder. So chattr +S is tried once a boot; where it does not work,
# sync it is.
#
# A STEP is a copy of this shell that evaluates its text, so it costs a fork and no exec. It is in the
# group of its connection, which sshd made; processes.sh tells what of that group is the step's. A text
# that asks for its own process (flag a, apart) gets a session and a sh of its own: two execs more.

trap '' HUP PIPE XFSZ # XFSZ: a file limit is told by a failing write, as a full disk is
trap : INT TERM       # a step may signal its group
_NL='
'
_BOUND=32768        # bytes kept of the head and of the tail of a stream
_WHOLE=1048576      # the same for a stream that matters as a whole (flag l)
_FLOOD=134217728    # bytes of a stream on disk at which its middle is thrown away while it runs
_KEPT_RUNS=32
_SHORT=3000         # a step's timeout in hundredths of a second that an idle guard's nap is too long for
_RUN='' _GUARD='' _SUPERSEDED='' _NEWRUN='' _THROUGH='' _HELD=''

_flush() { # tell what is held back; false when nobody listens any more
  [ -z "$_HELD" ] || { printf '%s' "$_HELD" && _HELD=''; }
}

_refuse() { # REASON DETAIL: nothing of the rest of this order is done
  _flush
  printf '%s refused %s %s %s %s\n' "$_T" "$1" "${_FENCE:-0}" "${_HOLDER:--}" "$2"
  _GO=refused
}

# --- the record -------------------------------------------------------------------------------

_settle() { # FILE...: on disk, where attribute S does not see to it
  [ "$_THROUGH" = yes ] || sync "$@" 2>/dev/null || sync
}

_note() { # LINE: into the record, durably
  printf '%s\n' "$1" >>"$_LEDGER" && _settle "$_LEDGER" && _RECORD=$_RECORD$1$_NL
}

_prepare() { # folders, and whether the ledger's is written through: once a boot
  [ -d "$_F/ledger" ] || mkdir -m 700 -p "$_F" "$_F/runs" "$_F/ledger"
  _line=''
  [ ! -s "$_F/ledger/through" ] || read -r _line <"$_F/ledger/through"
  case $_line in
    "$_BOOT yes") _THROUGH=yes; return ;;
    "$_BOOT no") _THROUGH=no; return ;;
  esac
  _THROUGH=no
  : >>"$_F/ledger/fence.1" && : >>"$_F/ledger/fence.2" &&
    chattr +S "$_F/ledger" "$_F/ledger/fence.1" "$_F/ledger/fence.2" 2>/dev/null &&
    : >"$_F/ledger/probe.$$" && _line=$(lsattr "$_F/ledger/probe.$$") &&
    case ${_line%% *} in *S*) _THROUGH=yes ;; esac
  rm -f "$_F/ledger/probe.$$"
  printf '%s %s\n' "$_BOOT" "$_THROUGH" 1<>"$_F/ledger/through"
}

_open_run() { # RUN FENCE, under the lock; false when the disk takes nothing
  [ "$_RUN" = "$1" ] && return 0
  _D=$_F/runs/$1= _LEDGER=$_F/ledger/run.$1
  if [ -e "$_LEDGER" ]; then
    [ "$_THROUGH" = no ] || chattr +S "$_LEDGER" 2>/dev/null || _THROUGH=no
  else
    _NEWRUN=yes
    : >>"$_LEDGER" || return 1
  fi
  exec 6<"$_LEDGER"
  _RECORD=$_NL
  while read -r _record_line <&6; do _RECORD=$_RECORD$_record_line$_NL; done
  _SUPERSEDED=''
  # The first newline ends a line a power cut may have torn.
  printf '\nopen %s\nfence %s\n' "$_ME" "$2" >>"$_LEDGER" && _settle "$_LEDGER" "$_F/ledger" || return 1
  _RUN=$1
  _sweep
  _post_guard
}

_post_guard() { # a new one, awake; a connection lost is found by failing to write, but a step still ends
  [ -z "$_GUARD" ] || kill -KILL "$_GUARD"
  _guard </dev/null >/dev/null 2>&1 6<&- 8>&- 9>&- &
  _GUARD=$!
  _clock
  _POSTED=$_NOW
}

_overtaken() { # has another connection of this run opened the record after us?
  while read -r _record_line <&6; do
    case $_record_line in "open $_ME") ;; open\ *) _SUPERSEDED=yes ;; esac
  done
  [ -n "$_SUPERSEDED" ]
}

_heed_fence() { # NUMBER RUN own|'': raise the host's fence, or refuse; a run's child need not raise
  _FENCE=0 _HOLDER='' _slot=1
  for _try in 1 2; do
    _fence_number='' _fence_run='' _fence_end=''
    read -r _fence_number _fence_run _fence_end <"$_F/ledger/fence.$_try"
    [ "$_fence_end" = . ] && [ "$_fence_number" -gt "$_FENCE" ] || continue
    _FENCE=$_fence_number _HOLDER=$_fence_run _slot=$((3 - _try))
  done
  [ "$2" = "$_HOLDER" ] && { [ "$1" = "$_FENCE" ] || [ "$3" != own ]; } && return 0
  if [ -n "$_HOLDER" ] && [ "$1" -le "$_FENCE" ]; then
    _refuse fence "the host obeys a newer order"
    return 1
  fi
  printf '%s %s .\n' "$1" "$2" 1<>"$_F/ledger/fence.$_slot" &&
    _settle "$_F/ledger/fence.$_slot" && return 0
  _refuse disk "cannot write in $_F/ledger"
  return 1
}

_enter() { # RUN FENCE WAIT UNDER: take the lock, open the run, heed the fence
  _GO=yes _FENCE=0 _HOLDER=
  [ -d "$_F/ledger" ] || _prepare
  _claim "$1" "$3"
  case $? in
    1) _refuse disk "cannot write in $_F"; return 1 ;;
    2) _GO=busy; return 1 ;;
  esac
  [ -n "$_THROUGH" ] || _prepare
  # First of all: a connection that comes too late must not shut out the one that rules.
  _own=own _NUMBER=$2 _UNDER=$4
  [ "$1" = "$4" ] || _own=''
  _heed_fence "$2" "$4" "$_own" || return 1
  _open_run "$1" "$2" || { _refuse disk "cannot write in $_F"; return 1; }
  if _overtaken; then _refuse runner "a newer connection of this run took over"; return 1; fi
}

_leave() { # the order is over
  [ -z "$_MINE" ] || _withdraw
  [ "$_GO" = refused ] || printf '%s%s done\n' "$_HELD" "$_T" # mostly one packet instead of two
  _HELD=''
}

_recall() { # KEY PARTNER -> PAST: absent, began (PAST_TRY) or ended (PAST_TRY END STATUS SPENT SIZES)
  _PAST=absent
  case $_RECORD in *"${_NL}began $1 "*) ;; *) return ;; esac
  _past=${_RECORD##*"${_NL}began $1 "}
  _PAST_TRY=${_past%%"$_NL"*}
  case $_NL$_past in
    *"${_NL}void $1$_NL"*) return ;;
    *"${_NL}ended $1 "*) ;;
    *) _PAST=began; return ;;
  esac
  _past=${_past##*"${_NL}ended $1 "}
  case $_past in *"${_NL}ended $2 "[0-9]*" acted "*) return ;; esac # undone since, or done again
  set -- ${_past%%"$_NL"*}
  _PAST=ended _PAST_TRY=$1 _END=$2 _STATUS=$3 _SPENT=$4 _OUT_SIZE=$5 _ERR_SIZE=$6
}

# --- telling ----------------------------------------------------------------------------------

_slurp() { # FILE SIZE -> TEXT, by builtins; false when it holds NUL or is not that long
  _TEXT='' _slurped=''
  while IFS= read -r _slurped; do _TEXT=$_TEXT$_slurped$_NL; done <"$1"
  _TEXT=$_TEXT$_slurped
  [ ${#_TEXT} -eq "$2" ]
}

_pour() { # FILE SIZE: a stream, bounded
  if [ "$2" -le 0 ] || ! [ -e "$1" ]; then
    :
  elif [ -e "$1.head" ]; then
    cat "$1.head" "$1.tail"
  else
    head -c "$2" "$1"
  fi
}

_tell() { # KEY END STATUS SPENT OUT_SIZE ERR_SIZE REPLAYED DETAIL
  _out_text='' _err_text=''
  if { [ "$5" -eq 0 ] || { [ "$5" -le 512 ] && _slurp "${_D}$1.out" "$5" && _out_text=$_TEXT; }; } &&
    { [ "$6" -eq 0 ] || { [ "$6" -le 512 ] && _slurp "${_D}$1.err" "$6" && _err_text=$_TEXT; }; }; then
    _HELD="$_HELD$_T ended $1 $2 $3 $4 $5 $6 $7 $8$_NL$_out_text$_NL$_T err$_NL$_err_text$_NL$_T end$_NL"
    return
  fi
  _flush && printf '%s ended %s %s %s %s %s %s %s %s\n' "$_T" "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" &&
    _pour "${_D}$1.out" "$5" && printf '\n%s err\n' "$_T" && _pour "${_D}$1.err" "$6" &&
    printf '\n%s end\n' "$_T"
}

_answered() { # KEY PARTNER TRY: told from the record? Then the step must not run now.
  _recall "$1" "$2"
  case $_PAST in
    absent) return 1 ;;
    began)
      [ "$3" -le "$_PAST_TRY" ] || return 1
      _tell "$1" interrupted - 0 0 0 1 "it began earlier and nobody saw its end"
      _GO=ended
      return 0
      ;;
  esac
  case $_END in
    acted | checked) ;;
    *) [ "$3" -le "$_PAST_TRY" ] || return 1; _GO=ended ;;
  esac
  _tell "$1" "$_END" "$_STATUS" "$_SPENT" "$_OUT_SIZE" "$_ERR_SIZE" 1 ""
}

# --- a step -----------------------------------------------------------------------------------

_measure() { # FD FILE -> SIZE: bytes written to the stream; its file is cut to what is kept
  _SIZE=0 _cut=0
  # Most steps say nothing, and looking at a file is one call where reading a number is twelve.
  [ -s "$2" ] || [ -s "$2.cut" ] || return
  read -r _ _SIZE </proc/$$/fdinfo/"$1"
  [ ! -s "$2.cut" ] || { read -r _cut <"$2.cut"; rm -f "$2.cut"; }
  if [ "$_cut" -gt 0 ]; then
    cat "$2.tail" "$2" | tail -c $_keep >"$2.last"
    mv "$2.last" "$2.tail"
    : >"$2"
  elif [ "$_SIZE" -gt $((2 * _keep)) ]; then
    head -c $_keep "$2" >"$2.head"
    tail -c $_keep "$2" >"$2.tail"
    : >"$2"
  fi
  _SIZE=$((_SIZE + _cut))
}

_perform() { # DEADLINE TEXT: run the step in hand -> _STATUS
  # The child notes itself before it turns into the step: whoever finds no note finds no step.
  (
    trap - EXIT HUP PIPE XFSZ INT TERM
    # Fields 1, 5 and 22; the second is the name of this shell, one word.
    read -r _self _ _ _ _group _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _START _ </proc/self/stat
    _deadline=$1 _text=$2
    [ -z "$_APART" ] || _group=$_self
    printf '%s %s %s %s %s %s\n' "$_key" "$_self" "$_START" "$_BOOT" "$_deadline" "$_group" \
      1<>"${_D}now" || exit 125
    set -- "${_D}$_key.out" "${_D}$_key.err" "${_D}mark"
    FLEETCTL_RUN=$_UNDER:$_NUMBER FLEETCTL_RUN_ID=$_RUN
    # A fleetctl it starts works under the leases and fence of the first; what it holds is its own.
    export FLEETCTL_RUN FLEETCTL_RUN_ID
    [ -z "$_APART" ] || exec $_APART sh "${_D}script" "$@"
    unset _T # who knows it could speak in our name
    eval "$_text"
  ) </dev/null >&8 2>&9 6<&- 8>&- 9>&-
  _STATUS=$?
}

_set_apart() { # SCRIPT: to be run by a shell of its own
  if command -v setsid >/dev/null; then _APART=setsid; else _APART="timeout -k 3 9999999"; fi
  printf '%s\nexit\n' "$1" 1<>"${_D}script"
}

_empty() { # FILE...: none of them holds anything
  for _old in "$@"; do [ ! -s "$_old" ] || : >"$_old" || return 1; done
}

_sweep() { # what a dead runner left of steps with secrets; under the lock, so nobody needs it
  for _left in "$_F"/runs/*=wipe; do
    [ -s "$_left" ] && read -r _key <"$_left" && _wipe "${_left%wipe}"
  done
}

_wipe() { # PREFIX: of the run whose step `_key` had secrets: neither they nor what it said stay
  for _old in "$1"secret.* "$1script" "$1$_key".* "$1wipe"; do
    if [ -d "$_old" ]; then rm -rf "$_old"; elif [ -s "$_old" ]; then : >"$_old"; fi
  done
}

# KEY PARTNER TRY TIMEOUT FLAGS SCRIPT; flags: a apart, c has a check, l keeps much more output, s none, w has secrets
_step() {
  [ "$_GO" != full ] || _refuse disk "cannot write in $_F"
  [ "$_GO" = yes ] || return
  _flush || { _GO=ended; return; }
  _answered "$1" "$2" "$3" && return
  _key=$1
  case $5 in
    *s*) exec 8>>/dev/null 9>>/dev/null ;;
    *) { _empty "${_D}$_key.out" "${_D}$_key.err" && command exec 8>>"${_D}$_key.out" 9>>"${_D}$_key.err"; } ||
      { _refuse disk "cannot write in $_F"; return; } ;;
  esac
  _APART=''
  case $5 in *w*) printf '%s\n' "$_key" 1<>"${_D}wipe" ;; esac
  { case $5 in *a*) _set_apart "$6" ;; esac && printf 'none none none\n' 1<>"${_D}now" &&
    _empty "${_D}stop" "${_D}mark" && _note "began $_key $3"; } ||
    { _refuse disk "cannot write in $_F"; return; }
  [ "$_BEGUN" = 0 ] || printf '%s began %s\n' "$_T" "$_key"
  _BEGUN=1
  _clock
  _started=$_NOW
  # A guard that has seen nothing for a while naps too long for a step that may not last long.
  [ "$4" -ge $_SHORT ] || [ $((_NOW - _POSTED)) -le 200 ] || _post_guard
  _perform $((_started + $4)) "$6"
  _finish "$3" "$5"
  case $5 in *w*) _wipe "$_D" ;; esac
}

_finish() { # TRY FLAGS: find out how the step ended, note it, tell it
  _step_pid=none _stop_why='' _stop_pid=''
  # Reading costs a system call a byte here, so only who has a reason looks.
  if [ "$_STATUS" -ne 0 ] || [ -s "${_D}stop" ]; then read -r _ _step_pid _ <"${_D}now"; fi
  if [ "$_STATUS" -eq 125 ] && [ "$_step_pid" = none ]; then
    _note "void $_key"
    _refuse disk "cannot write in $_F"
    return
  fi
  _clock
  _SPENT=$((_NOW - _started)) _OUT_SIZE=0 _ERR_SIZE=0 _keep=$_BOUND
  case $2 in *l*) _keep=$_WHOLE ;; esac
  case $2 in
    *as* | *sa*) : >"${_D}script" ;;
    *s*) ;;
    *) _measure 8 "${_D}$_key.out"; _OUT_SIZE=$_SIZE; _measure 9 "${_D}$_key.err"; _ERR_SIZE=$_SIZE ;;
  esac
  exec 8>&- 9>&-
  _END=failed
  [ "$_STATUS" -ne 0 ] || _END=acted
  [ ! -s "${_D}mark" ] || _END=checked
  [ ! -s "${_D}stop" ] || read -r _stop_why _stop_pid <"${_D}stop"
  [ "$_stop_pid" != "$_step_pid" ] || { _END=$_stop_why; _strike_rest; }
  _settled "$1" ""
}

_strike_rest() { # who ignored what ended the step's first: told as ended, it has ended; its guard may go with us
  read -r _now_key _now_pid _now_start _now_boot _now_deadline _now_group <"${_D}now"
  for _ in 1 2 3 4 5; do _strike KILL || break; done
}

_settled() { # TRY DETAIL: END and STATUS of `key` are known: note, then tell, then go on or not
  _line="ended $_key $1 $_END $_STATUS $_SPENT $_OUT_SIZE $_ERR_SIZE"
  if ! _note "$_line"; then
    # Our copies of the output are worth less than the record: their room may be enough for it.
    : >"${_D}$_key.out"
    : >"${_D}$_key.err"
    _OUT_SIZE=0 _ERR_SIZE=0
    _note "$_line" || { _GO=full; set -- "$1" "the host could not record this end: disk full?"; }
  fi
  _tell "$_key" "$_END" "$_STATUS" "$_SPENT" "$_OUT_SIZE" "$_ERR_SIZE" 0 "$2" || _GO=ended
  case $_END in acted | checked) ;; *) _GO=ended ;; esac
}

# --- a file laid down -------------------------------------------------------------------------

_holds() { # FILE SHA256
  [ -f "$1" ] && _hash_line=$(sha256sum <"$1") && [ "${_hash_line%% *}" = "$2" ]
}

_lay_down() { # STAGED DEST MODE: all but the last move leave DEST as it was
  _folder=${2%/*}/
  if [ -d "$2" ]; then echo "$2 is a directory"; return 1; fi
  [ -d "$_folder" ] || mkdir -p "$_folder" || return 1
  _aside=$_folder/.fleetctl.$$
  if mv "$1" "$_aside" && chmod "$3" "$_aside" && sync "$_aside" && mv -f "$_aside" "$2"; then
    sync "$_folder"
    return 0
  fi
  rm -f "$_aside"
  return 1
}

_put() { # KEY PARTNER TRY SHA256 DEST MODE
  [ "$_GO" != full ] || _refuse disk "cannot write in $_F"
  [ "$_GO" = yes ] || return
  _flush || { _GO=ended; return; }
  _answered "$1" "$2" "$3" && return
  _key=$1 _dest=$5
  case $_dest in /*) ;; *) _dest=$HOME/$_dest ;; esac
  _clock
  _started=$_NOW _OUT_SIZE=0 _ERR_SIZE=0 _STATUS=0
  if _holds "$_dest" "$4"; then
    _END=checked
    _note "began $_key $3" || { _refuse disk "cannot write in $_F"; return; }
    chmod "$6" "$_dest" 2>/dev/null
  elif _holds "${_D}put.$4" "$4"; then
    _note "began $_key $3" || { _refuse disk "cannot write in $_F"; return; }
    _END=acted
    : >"${_D}$_key.out"
    _lay_down "${_D}put.$4" "$_dest" "$6" >"${_D}$_key.err" 2>&1 || { _END=failed; _STATUS=1; }
    exec 9>>"${_D}$_key.err"
    [ "$_END" = acted ] || { _slurp "${_D}$_key.err" -1; _ERR_SIZE=${#_TEXT}; }
    exec 9>&-
  else
    printf '%s need %s %s\n' "$_T" "$_key" "${_D}put.$4"
    _GO=need
    return
  fi
  _clock
  _SPENT=$((_NOW - _started))
  _settled "$3" ""
}

# --- the guard --------------------------------------------------------------------------------

_thin() { # FD FILE: throw the middle of a flooding stream away; it is open for appending
  read -r _ _flood_size </proc/$$/fdinfo/"$1" || return
  [ "$_flood_size" -gt $_FLOOD ] || return
  _cut=0
  if [ -s "$2.cut" ]; then read -r _cut <"$2.cut"; else head -c $_BOUND "$2" >"$2.head"; fi
  tail -c $_BOUND "$2" >"$2.tail"
  : >"$2"
  printf '%s\n' $((_cut + _flood_size)) >"$2.cut"
}

_guard() { # beside the runner: ends a step at its deadline, also when its controller is long dead
  trap - EXIT
  trap : INT TERM
  _life $$
  _runner_start=$_START
  _pause=2 # idle: a nap is an exec, and most steps end within this one
  while _nap $_pause; do
    if ! _noted "${_D}now"; then
      _lives $$ "$_runner_start" "$_BOOT" || exit 0
      # A thousand connections kept at a barrier would nap more than work.
      case $_pause in 2) _pause=4 ;; 4) _pause=6 ;; 6) ;; *) _pause=2 ;; esac
      continue
    fi
    _pause=0.5
    _thin 8 "${_D}$_now_key.out"
    _thin 9 "${_D}$_now_key.err"
    _clock
    [ "$_NOW" -ge "$_now_deadline" ] || continue
    printf 'timed-out %s\n' "$_now_pid" >"${_D}stop"
    _end_step
  done
}

# --- orders -----------------------------------------------------------------------------------

_segment() { # RUN FENCE WAIT UNDER: steps and puts follow, then `leave`
  _BEGUN=0
  _enter "$1" "$2" "$3" "$4"
  [ "$_GO" != busy ] || _refuse busy "run $_RIVAL_RUN holds the host"
}

_ask() { # RUN FENCE WAIT UNDER KEY PARTNER...: what became of these
  if ! _enter "$1" "$2" "$3" "$4"; then
    [ "$_GO" = busy ] || return
    [ "$_RIVAL_RUN" = "$1" ] || { _refuse busy "run $_RIVAL_RUN holds the host"; return; }
    _D=$_F/runs/$1= _RECORD=$_NL
    while read -r _record_line; do _RECORD=$_RECORD$_record_line$_NL; done <"$_F/ledger/run.$1"
  fi
  shift 4
  while [ $# -gt 1 ]; do
    _recall "$1" "$2"
    if [ $_PAST = ended ]; then
      _tell "$1" "$_END" "$_STATUS" "$_SPENT" "$_OUT_SIZE" "$_ERR_SIZE" 1 ""
    elif [ $_GO = busy ]; then
      _tell "$1" running - 0 0 0 1 ""
    elif [ $_PAST = began ]; then
      _tell "$1" interrupted - 0 0 0 1 ""
    else
      _tell "$1" absent - 0 0 0 1 ""
    fi
    shift 2
  done
}

_depart() { # the connection is gone, or done with; our claim is free, or void from now on
  [ -z "$_GUARD" ] || kill -KILL "$_GUARD"
  [ -n "$_NEWRUN" ] || return
  set -- "$_F"/ledger/run.*
  [ $# -gt $((_KEPT_RUNS + 8)) ] || return # several at once: looking is some execs
  # By their fences, which only grow here: by the files' times a clock set back would drop the newest.
  for _old_run in "$@"; do
    _number=0
    while read -r _word _value; do [ "$_word" != fence ] || _number=$_value; done <"$_old_run"
    printf '%s %s\n' "$_number" "${_old_run#"$_F/ledger/run."}"
  done | sort -rn | tail -n +$((_KEPT_RUNS + 1)) |
    while read -r _ _old_run; do
      _step_lives "$_old_run" ||
        rm -rf "$_F/ledger/run.${_old_run:?}" "$_F/ledger/items.$_old_run" "$_F/runs/$_old_run="*
    done
}

trap _depart EXIT
printf '\n%s hello %s %s\n' "$_T" "$_BOOT" "$_F"
exec 2>/dev/null
