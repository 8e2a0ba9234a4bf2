"""A daemon that prints what it finds itself in, and then does what its instance is called."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from socket import AF_UNIX, SOCK_DGRAM, socket


def circumstances() -> dict[str, object]:
    """All that an exec'd start has and a forked one must have as well."""
    status = Path("/proc/self/status").read_text().splitlines()
    signals = [line for line in status if line.startswith("Sig") and not line.startswith("SigQ")]
    return {
        "argv": sys.argv[1:],
        "cwd": str(Path.cwd()),
        "env": dict(os.environ),
        "fds": sorted(int(fd.name) for fd in Path("/proc/self/fd").iterdir())[:-1],
        "leads": (os.getsid(0), os.getpgid(0)) == (os.getpid(), os.getpid()),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "main": __name__,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "oom": Path("/proc/self/oom_score_adj").read_text(),
        "parent": os.getppid(),
        "signals": signals,
        "interrupt": str(signal.getsignal(signal.SIGINT)),
        "streams": [os.path.realpath(f"/proc/self/fd/{fd}") for fd in range(3)],
        "umask": os.umask(0o22),
    }


if __name__ == "__main__":
    print(json.dumps(circumstances()), flush=True)
    with socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1\nX_FLEETCTL_STATE=idle", os.environ["NOTIFY_SOCKET"])
    if os.environ["FLEETCTL_INSTANCE"].startswith("three"):
        sys.exit(3)
    if os.environ["FLEETCTL_INSTANCE"].startswith("throw"):
        raise RuntimeError("thrown")
    time.sleep(3600)
