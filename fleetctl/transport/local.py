"""This very machine as a host: the same runner, spoken to over pipes instead of SSH."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from fleetctl.transport.dispatch import Dispatcher
from fleetctl.transport.protocol import Sink
from fleetctl.transport.session import Patience
from fleetctl.transport.wire import STDERR, STDOUT, Broken, Silent

_READ_BYTES = 64 * 1024


class LocalChannel:
    """One command as a child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input: int | None = process.stdin.fileno()
        os.set_blocking(self._input, False)
        self._woken, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._selector.register(process.stdout, selectors.EVENT_READ, STDOUT)
        if process.stderr is not None:
            self._selector.register(process.stderr, selectors.EVENT_READ, STDERR)
        self._turn = threading.Lock()
        """Held by whoever uses the selector; so `close` never takes it from under a reader."""
        self._ending = threading.Lock()
        """Held while the reader is woken; so nobody gives back the pipe being written to."""
        self._closing = threading.Event()
        self._let_go = False

    def write(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Send all of `data`; raises Broken."""
        view = memoryview(data)
        deadline_s = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            if self._input is None:
                raise Broken("closed", "the command's input was closed")
            selector.register(self._input, selectors.EVENT_WRITE)
            while view:
                if not selector.select(max(0.0, deadline_s - time.monotonic())):
                    raise Broken("silence", f"nothing was taken within {timeout_s:.0f} s")
                try:
                    view = view[os.write(self._input, view) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise Broken("closed", "the command ended") from error

    def end_input(self) -> None:
        """The command reads end of file from now on."""
        if self._input is not None and self._process.stdin is not None:
            self._input = None
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """The next bytes and their stream; None at the end of both; raises Silent or Broken."""
        try:
            with self._turn:
                return self._read(time.monotonic() + timeout_s)
        finally:
            if self._closing.is_set():
                self._free()

    def _read(self, deadline_s: float) -> tuple[int, bytes] | None:
        while not self._closing.is_set() and len(self._selector.get_map()) > 1:
            ready = self._selector.select(max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise Silent
            key = ready[0][0]
            if key.data is not None and (data := os.read(key.fd, _READ_BYTES)):
                return int(key.data), data
            if key.data is not None:
                self._selector.unregister(key.fileobj)
        if self._closing.is_set():
            raise Broken("closed", "the connection was closed")
        return None

    def exit_status(self, timeout_s: float) -> int | None:
        """How the command ended; None when it has not."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        return status if status >= 0 else 128 - status

    def close(self) -> None:
        """Let go of the command; a step that runs goes on."""
        with self._ending:
            if not self._closing.is_set():
                self._closing.set()
                self.end_input()
                os.write(self._waker, b".")
        self._free()

    def _free(self) -> None:
        """Give back what the channel holds, unless a reader still uses it: it will do so."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._let_go:
                return
            self._let_go = True
            self._selector.close()
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()
            with self._ending:
                os.close(self._woken)
                os.close(self._waker)
            if self._process.poll() is None:
                threading.Thread(target=self._process.wait, daemon=True).start()
        finally:
            self._turn.release()


class LocalWire:
    """Starts commands here, each in a session of its own as sshd does."""

    def __init__(self, environment: Mapping[str, str], shell: str = "/bin/sh") -> None:
        self._environment = dict(environment)
        self._shell = shell
        self._channels: list[LocalChannel] = []
        self._open = True

    def start(self, command: str, *, merged: bool, timeout_s: float) -> LocalChannel:
        """Run `command` with a shell in the home folder."""
        if not self._open:
            raise Broken("closed", "the connection was closed")
        try:
            process = subprocess.Popen(
                [self._shell, "-c", command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                env=self._environment,
                cwd=self._environment.get("HOME") or None,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            what = error.filename or self._shell  # the home folder may be what is not there
            raise Broken("connect", f"cannot start a shell: {what}: {error.strerror}") from error
        channel = LocalChannel(process)
        self._channels.append(channel)
        return channel

    def usable(self) -> bool:
        """False once closed."""
        return self._open

    def answers(self, timeout_s: float) -> bool:
        """This machine is always there."""
        return self._open

    def close(self) -> None:
        """Close all channels."""
        self._open = False
        for channel in self._channels:
            channel.close()


class LocalTransport(Dispatcher):
    """Every host is this very machine, each with the runner's folder that `environment` names."""

    def __init__(
        self,
        sink: Sink,
        *,
        environment: Callable[[str], Mapping[str, str]] | None = None,
        fanout: int = 50,
        patience: Patience | None = None,
        shell: str = "/bin/sh",
        live: bool = False,
    ) -> None:
        surroundings = environment or (lambda _host: dict(os.environ))
        super().__init__(
            lambda host: LocalWire(surroundings(host), shell),
            sink,
            fanout=fanout,
            patience=patience,
            live=live,
        )
