"""Where the shipped program begins: only what is asked for is loaded; most of its time is that."""

from __future__ import annotations

import sys

OLDEST = (3, 9)
EXIT_INPUT = 5


def main() -> int:
    """Ask, lay down, leave, or be the overseer; the exit code."""
    words = sys.argv[1:]
    if sys.version_info < OLDEST:
        sys.stderr.write("the overseer needs Python 3.9 or later on this host\n")
        return EXIT_INPUT
    if len(words) == 4 and words[0] == "--home" and words[2] == "--ask":
        from fleetctl.pools.overseer.relay import relay

        code = relay(words[1], words[3])
        if code is not None:
            return code
        from fleetctl.pools.overseer.asking import ask

        return ask(words[1], words[3])
    if len(words) == 3 and words[0] == "--home" and words[2] in ("--lay", "--well", "--leave"):
        from fleetctl.pools.overseer.laying import main as lay

        return lay(words[1], words[2])
    from fleetctl.pools.overseer.program import main as keep

    return keep(words)
