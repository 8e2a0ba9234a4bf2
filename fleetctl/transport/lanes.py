"""Worker threads that come when there is work; none keeps the process alive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class Lanes:
    """Runs work in up to `most` threads, first come, first served."""

    def __init__(self, name: str, most: int) -> None:
        assert most > 0
        self._name = name
        self._most = most
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._free = 0

    def put(self, work: Work) -> None:
        """Take `work`, which must not raise; never blocks."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif len(self._threads) < self._most:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                self._queue.put(work)
                thread.start()
                return
        self._queue.put(work)

    def end(self) -> None:
        """Let every thread end once the work taken so far is done."""
        with self._lock:
            for _ in self._threads:
                self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads, together no longer than about `timeout_s` each."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
            with self._lock:
                if self._queue.empty():
                    self._free += 1
