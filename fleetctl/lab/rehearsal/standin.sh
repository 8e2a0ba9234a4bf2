# What stands in for a command of the playbook on a host of a rehearsal.
#   standin.sh WORD KEY SECONDS [TEXT [ITEM]]
# It notes that it was called, takes about as long as the command does, says TEXT, and ends well
# unless a fault was asked for at this step. WORD: act, check, undo, restore, list, gate, disk.
word=$1 key=$2 seconds=$3 text=$4 item=$5
folder=$HOME/rehearsal
mark=$folder/done/$key${item:+=$(printf '%s' "$item" | tr -c 'A-Za-z0-9_.\n-' _)}

_mishap() { # the fault asked for here, as often as it was asked for
  file=$folder/mishaps/$key
  [ -r "$file" ] || return 0
  read -r kind times <"$file"
  # A folder is made by one alone: items that are at work at once count as several tries.
  try=1
  until [ "$try" -gt "$times" ] || mkdir "$file.seen.$try" 2>/dev/null; do try=$((try + 1)); done
  [ "$try" -le "$times" ] || return 0
  case $kind in
    fail)
      sleep "$seconds"
      echo "a rehearsed fault: this fails" >&2
      exit 1
      ;;
    flood)
      yes 'a rehearsed fault: standard output' | head -c 10000000
      yes 'a rehearsed fault: standard error' | head -c 10000000 >&2
      ;;
    *)
      # The rehearsal gives the host its fault when it sees this, in the middle of the step.
      echo "$kind" >"$file.wanted.$try"
      pauses=0
      until [ ! -e "$file.wanted.$try" ] || [ "$pauses" -ge 400 ]; do
        sleep 0.05
        pauses=$((pauses + 1))
      done
      sleep 1
      ;;
  esac
}

printf '%s %s %s %s\n' "$(date +%s)" "$word" "$key" "$item" >>"$folder/calls" || exit 1
case $word in
  check) [ -e "$mark" ] ;;
  list) printf '%s\n' "$text" ;;
  disk)
    df -Pk -- "$HOME" | {
      read -r heading
      read -r name size used free rest
      [ "$free" -gt 0 ] || { echo "nothing is free" >&2; exit 1; }
    } && _mishap
    ;;
  gate) _mishap ;;
  undo | restore)
    sleep "$seconds"
    rm -f "$mark"
    printf '%s\n' "$text"
    ;;
  act)
    _mishap
    sleep "$seconds"
    echo done >"$mark" || exit 1
    printf '%s\n' "$text"
    ;;
esac
