"""Probes made from this machine: HTTP, TCP, a local command; each in a thread, each with an end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fleetctl.playbook.operations import HttpProbe, LocalProbe, TcpProbe
from fleetctl.rollout.messages import ProbeAnswered, RunProbe

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from http.client import HTTPConnection

AT_ONCE_MAX = 64
BODY_BYTES_MAX = 1_000_000


class Prober(Protocol):
    """Answers every RunProbe with one ProbeAnswered, in finite time."""

    def submit(self, probe: RunProbe) -> None: ...

    def close(self) -> None: ...


class ThreadProber:
    """Real probes; the threads are made when the first one is asked for."""

    def __init__(
        self, sink: Callable[[ProbeAnswered], None], redact: Callable[[str], str] = str,
        run: str = "",
    ) -> None:  # fmt: skip
        """`redact` takes secrets out of what a probe says; commands find `run` as FLEETCTL_RUN."""
        self._run_id = run
        self._sink = sink
        self._redact = redact
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, probe: RunProbe) -> None:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # most runs probe nothing from here

            self._pool = ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="probe")
        self._pool.submit(self._run, probe)

    def close(self) -> None:
        """Probes that run end by their own deadlines; nothing is left to be asked."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, probe: RunProbe) -> None:
        try:
            holds, detail = _ask(probe, self._run_id)
        except Exception as error:  # noqa: BLE001 - a probe that breaks is a missing signal
            holds, detail = False, f"no signal: {str(error) or type(error).__name__}"
        self._sink(ProbeAnswered(probe.ticket, probe.host, holds, self._redact(detail)))


def _ask(order: RunProbe, run: str) -> tuple[bool, str]:
    match order.probe:
        case HttpProbe():
            return _ask_http(order.probe, order.timeout_s)
        case TcpProbe():
            address = order.probe.address or order.address
            with socket.create_connection((address, order.probe.port), order.timeout_s):
                return True, ""
        case LocalProbe():
            return _ask_command(order.probe, order.timeout_s, run)


def _ask_http(probe: HttpProbe, timeout_s: float) -> tuple[bool, str]:
    """One GET, redirects not followed; a server that drips is cut off at the deadline."""
    # Only who has an HTTP gate waits for this import, a tenth of what a push takes to start.
    from http.client import HTTPConnection, HTTPSConnection

    url = urllib.parse.urlsplit(probe.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout_s)
    cut = threading.Timer(timeout_s, _cut, [connection])
    cut.daemon = True
    cut.start()
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", path, headers={"User-Agent": "fleetctl"})
        response = connection.getresponse()
        body = response.read(BODY_BYTES_MAX) if probe.contains else b""
    finally:
        cut.cancel()
        connection.close()
    if response.status != probe.status:
        return False, f"status {response.status}, not {probe.status}"
    if probe.contains and probe.contains.encode() not in body:
        return False, f"the answer does not contain {probe.contains!r}"
    return True, ""


def _cut(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _ask_command(probe: LocalProbe, timeout_s: float, run: str) -> tuple[bool, str]:
    """In a session of its own, so that all it started ends with it at the deadline."""
    process = subprocess.Popen(
        probe.argv,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "FLEETCTL_RUN": run},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False, f"no signal: it did not end within {timeout_s:g} s"
    finally:
        if process.stdout is not None:
            process.stdout.close()
    last = output.decode(errors="replace").strip().rpartition("\n")[2][:200]
    detail = f"exit {process.returncode}" + (f": {last}" if last else "")
    return process.returncode == 0, detail
