"""What a run could not deliver before it ended, delivered by a process that nobody waits for.

`python -m fleetctl.report.courier` reads one parcel from standard input: secrets never stand in a
process list.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from fleetctl.playbook.channels import Channel
from fleetctl.report.delivery import Secret
from fleetctl.report.messages import Message
from fleetctl.report.notifier import Notifier

PARCEL_BYTES_MAX = 60_000
"""What a pipe takes at once: nobody sits on a parcel nobody reads."""
LIFE_S = 90.0


class Parcel(msgspec.Struct, frozen=True):
    """Messages to one channel."""

    channel: Channel
    texts: tuple[str, ...]
    secrets: dict[str, str]


def hand_over(channel: Channel, messages: Sequence[Message], secret: Secret) -> bool:
    """Start a process that delivers them; False when that cannot be."""
    try:
        secrets = {use.name: secret(use.name).decode() for use in channel.secrets}
    except (KeyError, UnicodeDecodeError):
        return False
    parcel = Parcel(channel, tuple(message.text for message in messages), secrets)
    body = msgspec.json.encode(parcel)
    if len(body) > PARCEL_BYTES_MAX:
        return False
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "fleetctl.report.courier"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(body)
        process.stdin.close()
    except OSError:
        return False
    process.returncode = 0  # it outlives us, and nobody asks for its end
    return True


def main() -> None:
    """Deliver what is on standard input, within `LIFE_S`."""
    parcel = msgspec.json.decode(sys.stdin.buffer.read(), type=Parcel)
    notifier = Notifier(parcel.channel, lambda name: parcel.secrets[name].encode())
    for text in parcel.texts:
        notifier.send(Message(parcel.channel.moments[0], tuple(text.split("\n"))))
    notifier.close(LIFE_S)


if __name__ == "__main__":
    main()
