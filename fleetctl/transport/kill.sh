# Stops the step that runs under RUN: read by a POSIX sh on a channel of its own. See runner.sh.
{
  F=${FLEETCTL_HOME:-$HOME/.fleetctl}
  D=$F/runs/$RUN
  read -r BOOT </proc/sys/kernel/random/boot_id

  lives() {
    [ "$boot" = "$BOOT" ] && read -r line </proc/"$pid"/stat || return 1
    set -- ${line##*") "}
    [ "$1" != Z ] && [ "${20}" = "$start" ]
  }

  noted() { read -r key pid start boot deadline <"$D/now" && lives; }

  held() {
    for claim in "$F"/lock.*; do
      read -r word run <"$claim" && [ "$word $run" = "held $RUN" ] && return 0
    done
    return 1
  }

  # For a moment between two steps there is none to stop; the next comes while the run is held.
  for try in 1 2 3 4 5 6 7 8 9 10; do
    noted && break
    held || break
    sleep 0.1 || sleep 1
  done
  if noted; then
    printf 'killed %s\n' "$pid" >"$D/stop"
    kill -TERM -"$pid" || kill -TERM "$pid"
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
      lives || break
      sleep 0.2 || sleep 1
    done
    kill -KILL -"$pid"
    echo found
  else
    echo none
  fi
  exit 0
} 2>/dev/null
