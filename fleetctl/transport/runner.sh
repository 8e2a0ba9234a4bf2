# The host's side of fleetctl: read by a POSIX sh from its standard input, followed by orders.
#
# An order is one brace group of calls to the functions at the end of this file, so that an order cut
# short is a syntax error and runs nothing. Answers are frames on standard output; each starts on a
# line of its own with the unguessable token T. Needs sshd, sh, coreutils and /proc; builtins are
# used wherever they can be, because one exec costs the host about as much as ten of them.
#
# State, under F (~/.fleetctl, or $FLEETCTL_HOME of the login):
#   fence          lines "NUMBER RUN", the last one rules
#   lock.*         claims, see below
#   runs/RUN/      record (what began and ended), now (the step begun last), stop (why we ended it),
#                  script, mark, KEY.out and KEY.err (their .head and .tail once they are long)
#
# THE LOCK. Each runner has a claim file of its own, lock.PID.START.BOOT: its name says who, so a
# claim of a dead owner is told without asking anybody, and a dead owner never comes back. Its first
# line is its state: free, want or held, and the run. To take the lock: write "want" into the own
# claim, THEN look at all others. All are free: write "held". Two that want at once see each other, or
# the later one sees the earlier, because each writes before it looks; so two can never both find
# all others free. The one with the higher pid withdraws, the other looks again. Who sees "held"
# withdraws and comes back later. A claim is void when its owner is gone, unless the step it started
# still runs. A state read while it is being written is no "free", or it was free after we wrote.
#
# IN PLACE. States are written over the old ones (1<>), never by truncating: cutting a file short
# costs the host half a millisecond of journal work, and may need room on a full disk. Of these
# files only the first line counts.
#
# DURABILITY. A record line must be on disk before its act and before it is told. `sync FILE` is an
# exec (1.1 ms); a file with attribute S is written through by the builtin printf (0.12 ms). So
# chattr +S is tried once a run and connection; where it does not work, sync it is.

trap '' HUP PIPE XFSZ # XFSZ: a file limit is told by a failing write, as a full disk is
NL='
'
F=${FLEETCTL_HOME:-$HOME/.fleetctl}
BOUND=32768        # bytes kept of the head and of the tail of a stream
FLOOD=134217728    # bytes of a stream on disk at which its middle is thrown away while it runs
KEPT_RUNS=32
RUN='' MINE='' GUARD='' SUPERSEDED='' NEWRUN='' BOOT=none
read -r BOOT </proc/sys/kernel/random/boot_id
if command -v setsid >/dev/null 2>&1; then GROUP=setsid; else GROUP="timeout -k 3 9999999"; fi

clock() { # NOW: hundredths of a second since boot
  read -r NOW _ </proc/uptime
  NOW=${NOW%.*}${NOW#*.}
}

nap() { sleep "$1" 2>/dev/null || sleep 1; } # POSIX sleep knows whole seconds only

life() { # PID -> STATE and START of it; false when there is none
  read -r life_line 2>/dev/null </proc/"$1"/stat || return 1
  set -- ${life_line##*") "}
  STATE=$1 START=${20}
}

lives() { # PID START BOOT: is that very process there?
  [ "$3" = "$BOOT" ] && life "$1" && [ "$START" = "$2" ] && [ "$STATE" != Z ] && [ "$STATE" != X ]
}

refuse() { # REASON DETAIL: nothing of the rest of this order is done
  printf '%s refused %s %s %s %s\n' "$T" "$1" "${FENCE:-0}" "${HOLDER:--}" "$2"
  GO=refused
}

# --- the lock ---------------------------------------------------------------------------------

step_lives() { # RUN: does the step its runner noted still run?
  [ -s "$F/runs/$1/now" ] && read -r _ now_pid now_start now_boot _ <"$F/runs/$1/now" &&
    lives "$now_pid" "$now_start" "$now_boot"
}

survey() { # RIVAL: '' nobody, held, low or high (wants it; pid lower or higher than ours)
  RIVAL='' RIVAL_RUN=''
  for other in "$F"/lock.*; do
    [ "$other" != "$MINE" ] || continue
    claim_state=free claim_run=''
    read -r claim_state claim_run <"$other"
    who=${other##*/lock.}
    pid=${who%%.*} who=${who#*.}
    if lives "$pid" "${who%%.*}" "${who#*.}"; then
      case $claim_state in free | '') continue ;; esac
      if [ "$claim_state" = held ]; then RIVAL=held RIVAL_RUN=$claim_run; return; fi
      if [ "$pid" -lt $$ ]; then RIVAL=low; elif [ -z "$RIVAL" ]; then RIVAL=high; fi
    elif [ "$claim_state" = held ] && step_lives "$claim_run"; then
      RIVAL=held RIVAL_RUN=$claim_run
      return
    else
      rm -f "$other"
    fi
  done
}

withdraw() { printf 'free -\n' 1<>"$MINE" || : >"$MINE"; }

claim() { # RUN WAIT (hundredths of a second): 0 held, 1 disk, 2 somebody else's
  [ -n "$MINE" ] || { life $$ && ME=$$.$START.$BOOT MINE=$F/lock.$$.$START.$BOOT; }
  clock
  give_up=$((NOW + $2)) pause=0.02
  while :; do
    printf 'want %s\n' "$1" 1<>"$MINE" || { withdraw; return 1; }
    survey
    while [ "$RIVAL" = high ] && clock && [ "$NOW" -lt $give_up ]; do nap 0.01; survey; done
    if [ -z "$RIVAL" ]; then
      printf 'held %s\n' "$1" 1<>"$MINE" && return 0
      withdraw
      return 1
    fi
    withdraw
    clock
    [ "$NOW" -lt $give_up ] || return 2
    nap $pause
    case $pause in 0.02) pause=0.05 ;; 0.05) pause=0.1 ;; 0.1) pause=0.2 ;; esac
  done
}

# --- the record -------------------------------------------------------------------------------

settle() { # FILE...: on disk, where attribute S does not see to it
  [ "$THROUGH" = yes ] || sync "$@" 2>/dev/null || sync
}

note() { # LINE: into the record, durably
  printf '%s\n' "$1" >>"$D/record" && settle "$D/record" && RECORD=$RECORD$1$NL
}

open_run() { # RUN, under the lock; false when the disk takes nothing
  [ "$RUN" = "$1" ] && return 0
  D=$F/runs/$1
  : >>"$D/record" && : >>"$F/fence" || return 1
  THROUGH=yes
  chattr +S "$F/fence" "$D/record" 2>/dev/null || THROUGH=no
  exec 6<"$D/record"
  RECORD=$NL
  while read -r record_line <&6; do RECORD=$RECORD$record_line$NL; done
  SUPERSEDED=''
  # The first newline ends a line a power cut may have torn.
  printf '\nopen %s\n' "$ME" >>"$D/record" && settle "$D/record" "$D" || return 1
  RUN=$1
  # A connection lost is found by failing to write; a step still ends at its own deadline.
  [ -z "$GUARD" ] || kill "$GUARD"
  guard </dev/null >/dev/null 2>&1 6<&- &
  GUARD=$!
}

overtaken() { # has another connection of this run opened the record after us?
  while read -r record_line <&6; do
    case $record_line in "open $ME") ;; open\ *) SUPERSEDED=yes ;; esac
  done
  [ -n "$SUPERSEDED" ]
}

heed_fence() { # NUMBER: raise the host's fence to it, or refuse
  FENCE=0 HOLDER=
  while read -r fence_number fence_run; do
    [ -z "$fence_run" ] || FENCE=$fence_number HOLDER=$fence_run
  done <"$F/fence"
  [ "$1" = "$FENCE" ] && [ "$RUN" = "$HOLDER" ] && return 0
  if [ -n "$HOLDER" ] && [ "$1" -le "$FENCE" ]; then
    refuse fence "the host obeys a newer order"
    return 1
  fi
  printf '\n%s %s\n' "$1" "$RUN" >>"$F/fence" && settle "$F/fence" && return 0
  refuse disk "cannot write $F/fence"
  return 1
}

enter() { # RUN FENCE WAIT: take the lock, open the run, heed the fence
  GO=yes FENCE=0 HOLDER=
  [ -d "$F/runs/$1" ] || { NEWRUN=yes && mkdir -m 700 -p "$F" "$F/runs" "$F/runs/$1"; }
  claim "$1" "$3"
  case $? in
    1) refuse disk "cannot write in $F"; return 1 ;;
    2) GO=busy; return 1 ;;
  esac
  open_run "$1" || { refuse disk "cannot write in $F/runs/$1"; return 1; }
  if overtaken; then refuse runner "a newer connection of this run took over"; return 1; fi
  heed_fence "$2"
}

leave() { # the order is over
  [ -z "$MINE" ] || withdraw
  [ "$GO" = refused ] || printf '%s done\n' "$T"
}

recall() { # KEY PARTNER -> PAST: absent, began (PAST_TRY) or ended (PAST_TRY END STATUS SPENT SIZES)
  PAST=absent
  case $RECORD in *"${NL}began $1 "*) ;; *) return ;; esac
  past=${RECORD##*"${NL}began $1 "}
  PAST_TRY=${past%%"$NL"*}
  case $NL$past in
    *"${NL}void $1$NL"*) return ;;
    *"${NL}ended $1 "*) ;;
    *) PAST=began; return ;;
  esac
  past=${past##*"${NL}ended $1 "}
  case $past in *"${NL}ended $2 "[0-9]*" acted "*) return ;; esac # undone since, or done again
  set -- ${past%%"$NL"*}
  PAST=ended PAST_TRY=$1 END=$2 STATUS=$3 SPENT=$4 OUT_SIZE=$5 ERR_SIZE=$6
}

# --- telling ----------------------------------------------------------------------------------

slurp() { # FILE SIZE -> TEXT, by builtins; false when it holds NUL or is not that long
  TEXT='' slurped=''
  while IFS= read -r slurped; do TEXT=$TEXT$slurped$NL; done <"$1"
  TEXT=$TEXT$slurped
  [ ${#TEXT} -eq "$2" ]
}

pour() { # FILE SIZE: a stream, bounded
  if [ "$2" -le 0 ] || ! [ -e "$1" ]; then
    :
  elif [ "$2" -le $((2 * BOUND)) ]; then
    head -c "$2" "$1"
  else
    cat "$1.head" "$1.tail"
  fi
}

tell() { # KEY END STATUS SPENT OUT_SIZE ERR_SIZE REPLAYED DETAIL
  out_text='' err_text=''
  if { [ "$5" -eq 0 ] || { [ "$5" -le 512 ] && slurp "$D/$1.out" "$5" && out_text=$TEXT; }; } &&
    { [ "$6" -eq 0 ] || { [ "$6" -le 512 ] && slurp "$D/$1.err" "$6" && err_text=$TEXT; }; }; then
    printf '%s ended %s %s %s %s %s %s %s %s\n%s\n%s err\n%s\n%s end\n' \
      "$T" "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$out_text" "$T" "$err_text" "$T"
    return
  fi
  printf '%s ended %s %s %s %s %s %s %s %s\n' "$T" "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" &&
    pour "$D/$1.out" "$5" && printf '\n%s err\n' "$T" && pour "$D/$1.err" "$6" &&
    printf '\n%s end\n' "$T"
}

answered() { # KEY PARTNER TRY: told from the record? Then the step must not run now.
  recall "$1" "$2"
  case $PAST in
    absent) return 1 ;;
    began)
      [ "$3" -le "$PAST_TRY" ] || return 1
      tell "$1" interrupted - 0 0 0 1 "it began earlier and nobody saw its end"
      GO=ended
      return 0
      ;;
  esac
  case $END in
    acted | checked) ;;
    *) [ "$3" -le "$PAST_TRY" ] || return 1; GO=ended ;;
  esac
  tell "$1" "$END" "$STATUS" "$SPENT" "$OUT_SIZE" "$ERR_SIZE" 1 ""
}

# --- a step -----------------------------------------------------------------------------------

measure() { # FD FILE -> SIZE: bytes written to the stream; its file is cut to what is kept
  read -r _ SIZE </proc/$$/fdinfo/"$1"
  cut=0
  [ ! -s "$2.cut" ] || { read -r cut <"$2.cut"; rm -f "$2.cut"; }
  if [ "$cut" -gt 0 ]; then
    cat "$2.tail" "$2" | tail -c $BOUND >"$2.last"
    mv "$2.last" "$2.tail"
    : >"$2"
  elif [ "$SIZE" -gt $((2 * BOUND)) ]; then
    head -c $BOUND "$2" >"$2.head"
    tail -c $BOUND "$2" >"$2.tail"
    : >"$2"
  fi
  SIZE=$((SIZE + cut))
}

perform() { # DEADLINE: run $D/script in a process group of its own -> STATUS, STEP_PID
  # The child notes itself before it turns into the step: whoever finds no note finds no step.
  (
    trap - HUP PIPE XFSZ
    read -r life_line </proc/self/stat
    self=${life_line%% *} deadline=$1
    set -- ${life_line##*") "}
    printf '%s %s %s %s %s\n' "$key" "$self" "${20}" "$BOOT" "$deadline" 1<>"$D/now" || exit 125
    exec $GROUP sh "$D/script" "$D/$key.out" "$D/$key.err" "$D/mark"
  ) </dev/null >&8 2>&9 6<&- 8>&- 9>&-
  STATUS=$?
}

empty() { # FILE...: none of them holds anything
  for old in "$@"; do [ ! -s "$old" ] || : >"$old" || return 1; done
}

step() { # KEY PARTNER TRY TIMEOUT FLAGS SCRIPT; flags: c has a check, s keeps no output
  [ "$GO" = yes ] || return
  answered "$1" "$2" "$3" && return
  key=$1
  case $5 in
    *s*) exec 8>>/dev/null 9>>/dev/null ;;
    *) { empty "$D/$key.out" "$D/$key.err" && command exec 8>>"$D/$key.out" 9>>"$D/$key.err"; } ||
      { refuse disk "cannot write in $D"; return; } ;;
  esac
  { printf '%s\nexit\n' "$6" 1<>"$D/script" && printf 'none none none\n' 1<>"$D/now" &&
    empty "$D/stop" "$D/mark" && note "began $key $3"; } ||
    { refuse disk "cannot write in $D"; return; }
  [ "$BEGUN" = 0 ] || printf '%s began %s\n' "$T" "$key"
  BEGUN=1
  clock
  started=$NOW
  perform $((NOW + $4))
  finish "$3" "$5"
}

finish() { # TRY FLAGS: find out how the step ended, note it, tell it
  step_pid=none stop_why='' stop_pid=''
  # Reading costs a system call a byte here, so only who has a reason looks.
  if [ "$STATUS" -ne 0 ] || [ -s "$D/stop" ]; then read -r _ step_pid _ <"$D/now"; fi
  if [ "$STATUS" -eq 125 ] && [ "$step_pid" = none ]; then
    note "void $key"
    refuse disk "cannot write in $D"
    return
  fi
  clock
  SPENT=$((NOW - started)) OUT_SIZE=0 ERR_SIZE=0
  case $2 in
    *s*) : >"$D/script" ;;
    *) measure 8 "$D/$key.out"; OUT_SIZE=$SIZE; measure 9 "$D/$key.err"; ERR_SIZE=$SIZE ;;
  esac
  exec 8>&- 9>&-
  END=failed
  [ "$STATUS" -ne 0 ] || END=acted
  [ ! -s "$D/mark" ] || END=checked
  [ ! -s "$D/stop" ] || read -r stop_why stop_pid <"$D/stop"
  [ "$stop_pid" != "$step_pid" ] || END=$stop_why
  settled "$1" ""
}

settled() { # TRY DETAIL: END and STATUS of `key` are known: note, then tell, then go on or not
  line="ended $key $1 $END $STATUS $SPENT $OUT_SIZE $ERR_SIZE"
  if ! note "$line"; then
    # Our copies of the output are worth less than the record: their room may be enough for it.
    : >"$D/$key.out"
    : >"$D/$key.err"
    OUT_SIZE=0 ERR_SIZE=0
    note "$line" || { GO=ended; set -- "$1" "the host could not record this end: disk full?"; }
  fi
  tell "$key" "$END" "$STATUS" "$SPENT" "$OUT_SIZE" "$ERR_SIZE" 0 "$2" || GO=ended
  case $END in acted | checked) ;; *) GO=ended ;; esac
}

# --- a file laid down -------------------------------------------------------------------------

holds() { # FILE SHA256
  [ -f "$1" ] && hash_line=$(sha256sum <"$1") && [ "${hash_line%% *}" = "$2" ]
}

lay_down() { # STAGED DEST MODE: all but the last move leave DEST as it was
  folder=${2%/*}/
  if [ -d "$2" ]; then echo "$2 is a directory"; return 1; fi
  [ -d "$folder" ] || mkdir -p "$folder" || return 1
  aside=$folder/.fleetctl.$$
  if mv "$1" "$aside" && chmod "$3" "$aside" && sync "$aside" && mv -f "$aside" "$2"; then
    sync "$folder"
    return 0
  fi
  rm -f "$aside"
  return 1
}

put() { # KEY PARTNER TRY SHA256 DEST MODE
  [ "$GO" = yes ] || return
  answered "$1" "$2" "$3" && return
  key=$1 dest=$5
  case $dest in /*) ;; *) dest=$HOME/$dest ;; esac
  clock
  started=$NOW OUT_SIZE=0 ERR_SIZE=0 STATUS=0
  if holds "$dest" "$4"; then
    END=checked
    note "began $key $3" || { refuse disk "cannot write in $D"; return; }
    chmod "$6" "$dest" 2>/dev/null
  elif holds "$D/put.$4" "$4"; then
    note "began $key $3" || { refuse disk "cannot write in $D"; return; }
    END=acted
    : >"$D/$key.out"
    lay_down "$D/put.$4" "$dest" "$6" >"$D/$key.err" 2>&1 || { END=failed; STATUS=1; }
    exec 9>>"$D/$key.err"
    [ "$END" = acted ] || { slurp "$D/$key.err" -1; ERR_SIZE=${#TEXT}; }
    exec 9>&-
  else
    printf '%s need %s %s\n' "$T" "$key" "$D/put.$4"
    GO=need
    return
  fi
  clock
  SPENT=$((NOW - started))
  settled "$3" ""
}

# --- the guard --------------------------------------------------------------------------------

thin() { # FD FILE: throw the middle of a flooding stream away; it is open for appending
  read -r _ flood_size </proc/$$/fdinfo/"$1" || return
  [ "$flood_size" -gt $FLOOD ] || return
  cut=0
  if [ -s "$2.cut" ]; then read -r cut <"$2.cut"; else head -c $BOUND "$2" >"$2.head"; fi
  tail -c $BOUND "$2" >"$2.tail"
  : >"$2"
  printf '%s\n' $((cut + flood_size)) >"$2.cut"
}

guard() { # beside the runner: ends a step at its deadline, also when its controller is long dead
  trap - EXIT
  life $$
  runner_start=$START
  pause=2 # idle: a nap is an exec, and most steps end within this one
  while nap $pause; do
    pause=2
    if ! read -r guard_key guard_pid guard_start guard_boot guard_deadline <"$D/now" ||
      ! lives "$guard_pid" "$guard_start" "$guard_boot"; then
      lives $$ "$runner_start" "$BOOT" || exit 0
      continue
    fi
    pause=0.5
    thin 8 "$D/$guard_key.out"
    thin 9 "$D/$guard_key.err"
    clock
    [ "$NOW" -ge "$guard_deadline" ] || continue
    printf 'timed-out %s\n' "$guard_pid" >"$D/stop"
    kill -TERM -"$guard_pid" || kill -TERM "$guard_pid"
    for _ in 1 2 3 4 5 6; do lives "$guard_pid" "$guard_start" "$BOOT" && nap 0.5; done
    kill -KILL -"$guard_pid"
  done
}

# --- orders -----------------------------------------------------------------------------------

segment() { # RUN FENCE WAIT: steps and puts follow, then `leave`
  BEGUN=0
  enter "$1" "$2" "$3"
  [ "$GO" != busy ] || refuse busy "run $RIVAL_RUN holds the host"
}

ask() { # RUN FENCE WAIT KEY PARTNER...: what became of these
  if ! enter "$1" "$2" "$3"; then
    [ "$GO" = busy ] || return
    [ "$RIVAL_RUN" = "$1" ] || { refuse busy "run $RIVAL_RUN holds the host"; return; }
    D=$F/runs/$1 RECORD=$NL
    while read -r record_line; do RECORD=$RECORD$record_line$NL; done <"$D/record"
  fi
  shift 3
  while [ $# -gt 1 ]; do
    recall "$1" "$2"
    if [ $PAST = ended ]; then
      tell "$1" "$END" "$STATUS" "$SPENT" "$OUT_SIZE" "$ERR_SIZE" 1 ""
    elif [ $GO = busy ]; then
      tell "$1" running - 0 0 0 1 ""
    elif [ $PAST = began ]; then
      tell "$1" interrupted - 0 0 0 1 ""
    else
      tell "$1" absent - 0 0 0 1 ""
    fi
    shift 2
  done
}

depart() { # the connection is gone, or done with
  [ -z "$MINE" ] || rm -f "$MINE"
  [ -z "$GUARD" ] || kill "$GUARD"
  [ -n "$NEWRUN" ] || return
  set -- "$F"/runs/*
  [ $# -gt $KEPT_RUNS ] || return
  ls -t "$F/runs" | tail -n +$((KEPT_RUNS + 1)) |
    while read -r old_run; do step_lives "$old_run" || rm -rf "$F/runs/${old_run:?}"; done
}

trap depart EXIT
printf '\n%s hello %s %s\n' "$T" "$BOOT" "$F"
exec 2>/dev/null
