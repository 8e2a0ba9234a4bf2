"""The sh texts that stop, start and restart daemons on a host, and wait until they are really up.

    ~/.fleetctl/stopped/NAME    there from before a daemon is stopped until it is up again

So a daemon that did not run before stays stopped, and one that was stopped halfway through is known
to whoever comes later. Plain POSIX sh and coreutils; every text may be killed anywhere and run
again. Author's texts are functions in parentheses, which are told the daemon in FLEETCTL_DAEMON.
"""

from __future__ import annotations

FAIL = r"""
fail() { printf '%s\n' "$@" >&2; exit 1; }
"""

BASE = (
    FAIL
    + r"""
kept=${FLEETCTL_HOME:-$HOME/.fleetctl}/stopped
settle() { sync "$@" 2>/dev/null || sync; }
marked() { [ -f "$kept/$daemon" ]; }
mark() {
  mkdir -p "$kept" && : > "$kept/$daemon" && settle "$kept/$daemon" "$kept" \
    || fail "cannot write $kept/$daemon"
}
unmark() { rm -f "$kept/$daemon" || fail "cannot remove $kept/$daemon"; }
take() {
  case $1 in ''|.*|*/*) fail "\"$1\" cannot be a daemon's name" ;; esac
  daemon=$1 FLEETCTL_DAEMON=$1
  export FLEETCTL_DAEMON
}
now() { date +%s; }
# Whole seconds: what began at the end of one has one more, so that it gets as long as was promised.
until_s() { printf '%s\n' "$(($(now) + $1 + 1))"; }
nap() { sleep 0.3 2>/dev/null || sleep 1; }
gone() {
  deadline=$(until_s "$within")
  while running; do
    [ "$(now)" -lt "$deadline" ] || fail "$daemon still runs $within s after it was told to stop"
    nap
  done
}
stop_it() {
  stop_daemon || fail "$daemon: the command to stop it ended with exit status $?"
  gone
}
begin_it() { start_daemon || fail "$daemon: the command to start it ended with exit status $?"; }
await_up() {
  deadline=$(until_s "$(($within + $stable))") since=
  while :; do
    asked=$(now) # before looking: on a busy host it may have ended since it was seen
    if running && is_up; then
      [ -n "$since" ] || since=$(now)
      # Whole seconds: one more than asked for is as long as asked for at least.
      [ "$stable" != 0 ] && [ "$(($asked - $since))" -le "$stable" ] || break
    else
      [ -z "$since" ] || since=
      given_up && fail "$daemon has failed" "$(last_words)"
      [ "$(now)" -lt "$deadline" ] || fail "$daemon is not up after $within s" "$(last_words)"
    fi
    [ -z "$since" ] || [ "$(now)" -lt "$(($deadline + $stable))" ] \
      || fail "$daemon does not stay up for $stable s" "$(last_words)"
    nap
  done
  unmark
  printf '%s is up\n' "$daemon"
}
left() { printf '%s did not run before: left as it is\n' "$daemon"; }
"""
)

SYSTEMD = r"""
running() {
  case $(systemctl is-active "$daemon" 2>/dev/null) in active|activating|reloading) return 0 ;; esac
  return 1
}
stop_daemon() { systemctl stop "$daemon"; }
start_daemon() { systemctl start "$daemon"; }
restart_it() { systemctl restart "$daemon" || fail "$daemon: $(last_words)"; }
given_up() { [ "$(systemctl is-active "$daemon" 2>/dev/null)" = failed ]; }
last_words() { systemctl status --no-pager --lines 5 "$daemon" 2>&1; }
settled() { [ "$(systemctl is-active "$daemon" 2>/dev/null)" = active ]; }
"""

COMMANDS = r"""
running() { daemon_status >/dev/null 2>&1; }
restart_it() {
  if running; then stop_it; fi
  begin_it
}
given_up() { return 1; }
last_words() { daemon_status 2>&1; }
settled() { :; }
"""

LISTENING = r"""
port=${endpoint##*:} address=
[ "$port" = "$endpoint" ] || address=${endpoint%:*}
case $port in ''|*[!0-9]*) fail "tcp: \"$endpoint\" names no port" ;; esac
port=$(printf '%04X' "$port") any=00000000 long=0000000000000000FFFF0000
if [ -n "$address" ]; then
  case $address in *[!0-9.]*) fail "tcp: \"$address\" is no IPv4 address" ;; esac
  rest=$address
  a=${rest%%.*} rest=${rest#*.} b=${rest%%.*} rest=${rest#*.} c=${rest%%.*} d=${rest#*.}
  address=$(printf '%02X%02X%02X%02X' "$d" "$c" "$b" "$a")
fi
listening() {
  for table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$table" ] || continue
    while read -r _ local _ state _; do
      [ "$state" = 0A ] && [ "${local#*:}" = "$port" ] || continue
      [ -n "$address" ] || return 0
      case ${local%:*} in
        "$address"|"$any"|"$any$any$any$any"|"$long$address") return 0 ;;
      esac
    done < "$table"
  done
  return 1
}
"""

STOP_CHECK = r"""
for each in "$@"; do take "$each"; if running || marked; then exit 1; fi; done
"""

STOP = r"""
for each in "$@"; do
  take "$each"
  if running; then
    mark
    stop_it
    printf '%s is stopped\n' "$daemon"
  elif ! marked; then
    left
  fi
done
"""

START_CHECK = r"""
for each in "$@"; do
  take "$each"
  if marked; then exit 1; fi
  if [ "$only" = all ]; then running && is_up || exit 1; fi
done
"""

START = r"""
for each in "$@"; do
  take "$each"
  if marked || [ "$only" = all ]; then
    running || begin_it
    await_up
  elif ! running; then
    left
  fi
done
"""

RESTART = r"""
for each in "$@"; do
  take "$each"
  if marked || { [ "$only" != marked ] && { [ "$only" = all ] || running; }; }; then
    mark
    restart_it
    await_up
  elif [ "$only" != marked ]; then
    left
  fi
done
"""

REPORT = r"""
deadline=$(until_s "$within")
said() {
  answer=$(running_release) || :
  answer=${answer##*"
"}
  printf '%s\n' "${answer%"$(printf '\r')"}"
}
until says=$(said) && [ "$says" = "$release" ]; do
  [ "$(now)" -lt "$deadline" ] || break
  nap
done
printf '%s\n' "$says"
"""
