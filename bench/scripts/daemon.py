"""A daemon as light as Python allows, for the benchmarks of pools: `python3 -I -S daemon.py MODE`.

once    ready, idle, then a nap as soon as it was ready
beat    ready, then a heartbeat a second, for ever
crash   exits 1 at once
rest    ready and idle, for ever
"""

import os
import sys
import time
from _socket import AF_UNIX, SOCK_DGRAM, socket

mode = sys.argv[1]
if mode == "crash":
    sys.exit(1)
sock = socket(AF_UNIX, SOCK_DGRAM)
address = os.environ["NOTIFY_SOCKET"]
sock.sendto(b"READY=1\nX_FLEETCTL_STATE=idle", address)
while mode == "beat":
    try:
        sock.sendto(b"WATCHDOG=1", address)
    except OSError:
        continue  # the overseer is away; the next one hears the next beat
    finally:
        time.sleep(1)
if mode == "once":
    time.sleep(0.05)
    sock.sendto(b"X_FLEETCTL_HIBERNATE_USEC=0", address)
    sys.exit(0)
while True:
    time.sleep(3600)
