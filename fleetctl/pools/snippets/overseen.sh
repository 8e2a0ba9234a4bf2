# Talks to fleetctl's overseer, or to systemd, from a daemon written in sh; source it.
#
#     overseen READY=1
#     while :; do
#         if take_one; then overseen X_FLEETCTL_STATE=busy WATCHDOG=1; work
#         else
#             overseen X_FLEETCTL_HIBERNATE_USEC=0
#             if look_once_more; then overseen X_FLEETCTL_STATE=busy; else exit 0; fi
#         fi
#     done
#
# sh cannot send datagrams itself: systemd-notify does, or socat, or python3, whichever is there.
# Each stays until the overseer has heard it, because a sender that has gone cannot be known.
# To say that a pool has work, from any script:  overseen_wake instance/kind

overseen() {
    [ -n "${NOTIFY_SOCKET:-}" ] || return 0
    if command -v systemd-notify >/dev/null 2>&1; then
        systemd-notify "$@"
    elif command -v socat >/dev/null 2>&1; then
        { printf '%s\n' "$@"; sleep 0.2; } | socat -u -t 1 - "UNIX-SENDTO:$NOTIFY_SOCKET"
    else
        python3 -I -S -c '
import os, socket, sys, time
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.sendto("\n".join(sys.argv[1:]).encode(), os.environ["NOTIFY_SOCKET"])
time.sleep(0.2)' "$@"
    fi
}

# A file in the spool: works for every user who may write there, and is not lost while the overseer
# is away. FLEETCTL_OVERSEER is the overseer's folder.
overseen_wake() {
    : >"${FLEETCTL_OVERSEER:?}/wake/$(printf '%s' "$1" | tr / @)"
}
