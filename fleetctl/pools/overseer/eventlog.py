"""The log of events: appended to, one JSON object a line, and read back after a crash.

Each line has the record and its wall time; the first names the boot. A file that grows too large is
put aside under `.1` and a new one begins with what is known, so the newest alone gives the state.
 A line cut short by a crash is the last one and is passed over.
"""

from __future__ import annotations

import json
import os

from fleetctl.pools.overseer.pools import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fleetctl.pools.overseer.book import Record

BYTES_MOST = 4 << 20
UNWRITTEN_MOST = 8 << 20


class EventLog:
    """The file, open for appending."""

    def __init__(self, path: str, boot: str) -> None:
        self.path = path
        self.boot = boot
        self.size = 0
        self.trouble = ""
        """Why nothing can be written at the moment."""
        self._most = BYTES_MOST
        self._unwritten = b""
        self._fd = -1

    def open(self) -> None:
        """Append to what is there, a line cut short ended first; begin a file if there is none."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        self.size = os.fstat(self._fd).st_size
        if self.size and os.pread(self._fd, 1, self.size - 1) != b"\n":
            self._put(b"\n")
        if not self.size:
            self._put(encode({"e": "begin", "boot": self.boot}, 0.0))

    @property
    def full(self) -> bool:
        """It is time for a new file."""
        return self.size > self._most

    def append(self, records: Iterable[Record], ahead_s: float) -> None:
        """Write records down; `ahead_s` is how far the wall clock is ahead of their times.

        What cannot be written, because the disk is full, is written with the next that can be.
        """
        self._put(b"".join([encode(record, ahead_s) for record in records]))

    def _put(self, data: bytes) -> None:
        """Write, after what could not be written before."""
        self._unwritten += data
        if not self._unwritten:
            return
        try:
            written = os.write(self._fd, self._unwritten)
        except OSError as error:
            self.trouble = error.strerror or str(error)
        else:
            self.size += written
            self._unwritten = self._unwritten[written:]
            self.trouble = "not all could be written" if self._unwritten else ""
        if len(self._unwritten) > UNWRITTEN_MOST:
            self._unwritten = b""  # a line is missing then, and the state is written anew
            self._most = 0

    def begin_anew(self, kept: Iterable[Record], ahead_s: float) -> None:
        """Put the file aside and begin another with what is known; if that fails, keep this one."""
        fresh = f"{self.path}.new"
        data = b"".join([encode(record, ahead_s) for record in kept])
        data = encode({"e": "begin", "boot": self.boot}, ahead_s) + data
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        descriptor = -1
        try:
            descriptor = os.open(fresh, flags, 0o600)
            if os.write(descriptor, data) < len(data):
                raise OSError("not all could be written")
            self._put_aside()
            os.replace(fresh, self.path)  # noqa: PTH105
        except OSError as error:
            self.trouble = error.strerror or str(error)
            self._most = self.size + BYTES_MOST
            if descriptor >= 0:
                os.close(descriptor)
            return
        os.close(self._fd)
        self._fd, self.size, self._unwritten, self.trouble = descriptor, len(data), b"", ""
        self._most = max(BYTES_MOST, 3 * self.size)

    def _put_aside(self) -> None:
        """Give the file its second name; it keeps the first until the new one takes it."""
        aside = f"{self.path}.1"
        if os.path.exists(aside):  # noqa: PTH110
            os.unlink(aside)  # noqa: PTH108
        os.link(self.path, aside)

    def sync(self) -> None:
        """See that it is on the disk: an operator's word must outlast the host's power."""
        os.fsync(self._fd)


def encode(record: Record, ahead_s: float) -> bytes:
    """A record as its line; a time that never comes is left out."""
    told = {key: value for key, value in record.items() if value != NEVER}
    if "t" in told:
        told["w"] = round(told["t"] + ahead_s, 3)
    return json.dumps(told, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def read(path: str) -> Iterator[Record]:
    """The records of a file, the first naming the boot; what is no record is passed over."""
    try:
        with open(path, encoding="ascii", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    yield record
    except FileNotFoundError:
        return
