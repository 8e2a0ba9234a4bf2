# A round of a foreach step, done by the runner: read by its shell after runner.sh, once a connection.
#
# A round is a step: all of this runs in the copy of the runner's shell that is that step (the
# chief). For each item it forks a tender, which starts the item in a session and a group of its own,
# waits for it and notes its end. Tenders and the ticker send the chief lines over a fifo.
#
# State, under _F:
#   ledger/items.RUN   written through to the disk, appended to by several at once, a line a write:
#     ID began TRY PID START BOOT DEADLINE   on disk before the item's act
#     ID ended TRY END STATUS SPENT          on disk before it is told
#   runs/RUN=KEY.*     fifo, script (the items' text), slotN.out, .mark, .stop: gone after the round
#
# An item that ended is told from the ledger. One that began, has no end and still runs (its chief was
# killed) is not begun again: it keeps a slot until it ends, and is ended at its deadline. One that
# began, has no end and is gone is told as interrupted, unless it is ordered as a higher try.
#
# On standard output: "item END STATUS SPENT REPLAYED SIZE NAME", SIZE bytes of what it said last, a
# newline; at last "over". An item that is not told before "over" was not begun.

_WELL_TAIL=1024 _LOST_TAIL=4096 # bytes kept of what an item said
_ITEM_FLOOD=8388608             # bytes of it on disk at which all but the last is thrown away

_round() { # CONCURRENCY TIMEOUT LOSE FLAGS DONE TOTAL IDS SCRIPT; flags: q says nothing
  _width=$1 _limit=$2 _lose=$3 _quiet=$4 _done=$5 _count=$6
  _chief=$_self _chief_start=$_START
  _ledger=$_F/ledger/items.$_RUN _slots=${_D}$_key.
  _most=0 _busy=0 _lost=0 _shut='' _halt=''
  trap _halt=yes TERM
  trap '' HUP PIPE
  { [ -e "$_ledger" ] || : >>"$_ledger"; } && _settle "$_ledger" "$_F/ledger" &&
    printf '%s\nexit\n' "$8" >"${_slots}script" && rm -f "${_slots}fifo" && mkfifo "${_slots}fifo" &&
    exec 3<>"${_slots}fifo" || { echo "fleetctl: cannot write in $_F" >&2; exit 125; }
  [ ! -s "$_ledger" ] || _recall_items "$7"
  if command -v setsid >/dev/null; then _own=setsid; else _own="timeout -k 3 9999999"; fi
  # What a shell starts beside itself ignores INT and QUIT, and only this can undo that.
  ! env --default-signal=INT true 2>/dev/null || _own="env --default-signal=INT,QUIT $_own"
  _tick >/dev/null 2>&1 &
}

_recall_items() { # IDS -> _began_ID and _ended_ID: what the ledger says of them, of the last try
  # The ledger of thousands of items would take a shell seconds to read.
  if command -v grep >/dev/null; then _known=$(grep -F "$1" "$_ledger"); else _known=$(cat "$_ledger"); fi
  IFS=$_NL
  set -f
  for _line in $_known; do
    _item_id=${_line%%" "*} _line=${_line#*" "}
    case $_item_id in *[!0-9a-f]* | '') continue ;; esac # torn by a power cut
    case $_line in
      began\ *) eval "_began_$_item_id=\${_line#began } _ended_$_item_id=''" ;;
      ended\ *) eval "_ended_$_item_id=\${_line#ended }" ;;
    esac
  done
  IFS=" 	$_NL"
  set +f
}

_tick() { # beside the chief, as long as the round lasts: wakes it twice a second
  trap '' TERM
  while _nap 0.5 && [ -e "${_slots}fifo" ] && _lives "$_chief" "$_chief_start" "$_BOOT"; do
    echo tick >&3
  done
}

_i() { # ID TRY NAME: begin it when there is room, unless it is told from the ledger
  # What the ledger knows is told in any case: who is not told was not begun.
  eval "_was_begun=\$_began_$1 _was_ended=\$_ended_$1"
  [ -z "$_was_begun" ] || { _recall_item "$1" "$2" "$3" && return; }
  while [ -z "$_shut$_halt" ] && [ $_busy -ge "$_width" ]; do _heed; done
  [ -z "$_shut$_halt" ] || return
  _take_slot "$3"
  _clock
  eval "_due_$_slot=$((_NOW + _limit))"
  _tend $_slot "$1" "$2" "$3" >>"${_slots}slot$_slot.out" 2>&1 &
  eval "_tender_$_slot=$!"
}

_take_slot() { # NAME -> _slot
  _slot=1
  while eval "[ -n \"\$_used_$_slot\" ]"; do _slot=$((_slot + 1)); done
  [ $_slot -le $_most ] || _most=$_slot
  _busy=$((_busy + 1)) _taken=$1
  eval "_name_$_slot=\$_taken _used_$_slot=yes _pid_$_slot='' _why_$_slot='' _cut_$_slot=0 _tender_$_slot='' _orphan_$_slot=''"
  _empty "${_slots}slot$_slot.out" "${_slots}slot$_slot.mark" "${_slots}slot$_slot.stop" || _shut=disk
}

_recall_item() { # ID TRY NAME: true when it must not be begun now
  _item_id=$1 _item_try=$2 _item_name=$3
  # shellcheck disable=SC2086
  set -- $_was_begun
  _past_try=$1 _past_pid=$2 _past_start=$3 _past_boot=$4 _past_due=$5
  if [ -n "$_was_ended" ]; then
    set -- $_was_ended
    case $2 in acted | checked) ;; *) [ "$_item_try" -le "$_past_try" ] || return 1 ;; esac
    _tell_item "$2" "$3" "$4" 1 0 "$_item_name" ''
    return 0
  fi
  if _lives "$_past_pid" "$_past_start" "$_past_boot"; then
    _take_slot "$_item_name"
    eval "_pid_$_slot=$_past_pid _due_$_slot=$_past_due _orphan_$_slot='$_item_id $_past_start'"
    return 0
  fi
  [ "$_item_try" -le "$_past_try" ] || return 1
  _tell_item interrupted - 0 1 0 "$_item_name" ''
}

_tend() { # SLOT ID TRY NAME: beside the chief, and outlives it
  trap '' TERM
  eval "_deadline=\$_due_$1"
  (
    trap - EXIT HUP PIPE XFSZ INT TERM
    read -r _self _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _START _ </proc/self/stat
    { printf '\n%s began %s %s %s %s %s\n' "$2" "$3" "$_self" "$_START" "$_BOOT" "$_deadline" >>"$_ledger" &&
      _settle "$_ledger"; } || { echo "void $1" >&3; exit 125; }
    echo "began $1 $_self" >&3
    FLEETCTL_ITEM=$4
    export FLEETCTL_ITEM
    exec 3>&-
    [ -z "$_quiet" ] || exec >/dev/null 2>&1
    exec $_own sh "${_slots}script" "${_slots}slot$1.out" "${_slots}slot$1.out" "${_slots}slot$1.mark"
  )
  _STATUS=$?
  _clock
  _END=failed _SIZE=0
  [ $_STATUS -ne 0 ] || _END=acted
  [ ! -s "${_slots}slot$1.mark" ] || _END=checked
  [ ! -s "${_slots}slot$1.stop" ] || read -r _END <"${_slots}slot$1.stop"
  [ ! -s "${_slots}slot$1.out" ] || read -r _ _SIZE </proc/self/fdinfo/1
  _SPENT=$((_NOW - _deadline + _limit))
  { printf '\n%s ended %s %s %s %s\n' "$2" "$3" "$_END" $_STATUS $_SPENT >>"$_ledger" && _settle "$_ledger"; } ||
    echo "full $1" >&3
  echo "end $1 $_END $_STATUS $_SPENT $_SIZE" >&3
}

_heed() { # what tenders and the ticker say
  _word='' _slot=''
  read -r _word _slot _end _status _spent _size <&3
  case $_word in
    tick) _look_after ;;
    began) eval "_pid_$_slot=$_end" ;;
    full) _shut=disk ;;
    void) _shut=disk; eval "_why_$_slot=void" ;;
    end) _settle_item ;;
  esac
}

_free() { # SLOT: nobody is in it any more; an item that was begun counts
  _busy=$((_busy - 1)) _done=$((_done + 1))
  eval "_used_$1=''"
}

_settle_item() { # a tender has noted an end
  eval "_item_name=\$_name_$_slot _item_why=\$_why_$_slot _item_cut=\$_cut_$_slot _item_used=\$_used_$_slot"
  [ "$_item_used" = yes ] || return # it was given up before
  _free "$_slot"
  [ "$_item_why" = void ] || _tell_item "$_end" "$_status" "$_spent" 0 $((_size + _item_cut)) "$_item_name" "${_slots}slot$_slot.out"
}

_tell_item() { # END STATUS SPENT REPLAYED SIZE NAME FILE
  _kept=$_LOST_TAIL
  case $1 in
    acted | checked) _kept=$_WELL_TAIL ;;
    *) _lost=$((_lost + 1)); [ $_lost -le "$_lose" ] || _shut=lost ;;
  esac
  [ "$5" -gt $_kept ] || _kept=$5
  printf 'item %s %s %s %s %s %s %s\n' "$1" "$2" "$3" "$4" "$5" "$_kept" "$6"
  if [ "$_kept" -gt 0 ] && [ -s "$7.cut" ]; then
    cat "$7.cut" "$7" | tail -c "$_kept"
    : >"$7.cut"
  elif [ "$_kept" -gt 0 ]; then
    head -c "$5" "$7" | tail -c "$_kept"
  fi
  printf '\n'
  [ "$4" = 1 ] || printf '%s of %s done, %s running\n' $_done "$_count" $_busy >&2
}

_look_after() { # twice a second: deadlines, floods, orphans, and whether all are to end
  _clock
  _at=1
  while [ $_at -le $_most ]; do
    eval "_item_used=\$_used_$_at _item_pid=\$_pid_$_at _item_due=\$_due_$_at _item_why=\$_why_$_at _item_orphan=\$_orphan_$_at"
    if [ "$_item_used" = yes ]; then
      _at_deadline
      [ -z "$_item_orphan" ] || _watch_orphan $_item_orphan
      [ -n "$_item_orphan" ] || _thin_item
    fi
    _at=$((_at + 1))
  done
}

_at_deadline() { # TERM; after three seconds (one when all are to end) KILL; after ten more give it up
  _grace=300
  if [ -n "$_halt" ] && [ -z "$_item_why" ]; then
    _item_due=$_NOW _grace=100 _item_word=killed
  else
    _item_word=timed-out
  fi
  [ -n "$_item_pid" ] && [ "$_NOW" -ge "$_item_due" ] || return
  case $_item_why in
    '')
      printf '%s\n' $_item_word 1<>"${_slots}slot$_at.stop"
      _strike_item TERM
      eval "_why_$_at=term _due_$_at=$((_NOW + _grace))"
      ;;
    term)
      _strike_item KILL
      eval "_why_$_at=kill _due_$_at=$((_NOW + 1000))"
      ;;
    kill) # nothing can end it: it keeps its ledger line without an end
      eval "_item_name=\$_name_$_at"
      _free $_at
      _tell_item running - 0 0 0 "$_item_name" ''
      eval "_used_$_at=stuck"
      ;;
  esac
}

_strike_item() { # SIGNAL: to the item's group, which stands still meanwhile, so that it cannot fork on
  if kill -STOP "-$_item_pid"; then
    kill -"$1" "-$_item_pid"
    kill -CONT "-$_item_pid"
  else
    kill -"$1" "$_item_pid" # it has no group of its own yet
  fi
} 2>/dev/null

_thin_item() {
  eval "_item_tender=\$_tender_$_at"
  _flood_size=0
  [ -s "${_slots}slot$_at.out" ] && read -r _ _flood_size <"/proc/$_item_tender/fdinfo/1" &&
    [ "$_flood_size" -gt $_ITEM_FLOOD ] || return
  tail -c $_LOST_TAIL "${_slots}slot$_at.out" >"${_slots}slot$_at.out.cut"
  : >"${_slots}slot$_at.out"
  eval "_cut_$_at=\$((_cut_$_at + _flood_size))"
} 2>/dev/null

_watch_orphan() { # ID START: of an earlier chief; once it is gone its tender may have noted its end
  ! _lives "$_item_pid" "$2" "$_BOOT" || return
  eval "_item_name=\$_name_$_at _item_orphan_seen=\$_cut_$_at"
  [ "$_item_orphan_seen" -ne 0 ] || { eval "_cut_$_at=1"; return; } # its tender may be noting it now
  _recall_items "$1"
  eval "_was_ended=\$_ended_$1"
  _free $_at
  if [ -n "$_was_ended" ]; then
    set -- $_was_ended
    _tell_item "$2" "$3" "$4" 1 0 "$_item_name" ''
  else
    _tell_item interrupted - 0 1 0 "$_item_name" ''
  fi
}

_over() { # all have been given; wait for those that run
  while [ $_busy -gt 0 ]; do _heed; done
  rm -f "$_slots"slot* "${_slots}fifo" "${_slots}script"
  echo over
}
