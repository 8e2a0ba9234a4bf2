"""The real program with little patience, so that a host given up costs a test seconds, not minutes.

`python hasty.py WORDS...` is `fleetctl WORDS...`; only waits are shorter.
"""

from __future__ import annotations

import functools

from fleetctl.cli.main import main
from fleetctl.rollout import patience, reducer
from fleetctl.transport import dispatch, roads, session

if __name__ == "__main__":
    shorter = functools.partial(
        session.Patience, open_s=10.0, grace_s=10.0, silence_s=1.0, answer_s=4.0
    )
    vars(dispatch)["Patience"] = shorter
    fewer = functools.partial(
        patience.Patience, asks_max=2, connects_max=1, ask_delay_s=0.2,
        ask_delay_max_s=0.5, connect_delay_s=0.2,
        ask_wait_s=2.0, kill_wait_s=5.0,
    )  # fmt: skip
    vars(reducer)["Patience"] = fewer
    vars(roads)["_CONNECT_TRIES"] = 2
    main()
