"""Servers on this machine that take messages, or behave badly in one way."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """An HTTP server that remembers what was posted."""

    def __init__(self, status: int = 200) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Event()
        self.answers = threading.Event()
        """Until then who posted hears nothing."""
        hook = self

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posted.append((self.path, json.loads(body)))
                hook.answers.wait(60)
                hook.arrived.set()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(f"no luck with {self.path}\n".encode() if status >= 400 else b"ok")

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cr3tt0k3n"

    @property
    def texts(self) -> list[str]:
        """What was said, in order."""
        return [body["text"] for _, body in self.posted]


@contextmanager
def hook(status: int = 200, *, answers: bool = True) -> Iterator[Hook]:
    """A webhook that answers with that status, at once or when it is let."""
    taken = Hook(status)
    if answers:
        taken.answers.set()
    thread = threading.Thread(target=taken.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        taken.server.shutdown()
        taken.server.server_close()
        thread.join(5)


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word; the kernel does that by itself."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


@contextmanager
def dripping() -> Iterator[int]:
    """A port that answers for ever, a byte at a time, faster than any deadline between bytes."""
    stop = threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        listening.settimeout(0.05)

        def drip() -> None:
            taken: list[socket.socket] = []
            while not stop.wait(0.05):
                try:
                    taken.append(listening.accept()[0])
                except TimeoutError:
                    pass
                except OSError:
                    break
                for each in taken:
                    try:
                        each.sendall(b"H")
                    except OSError:
                        taken.remove(each)
                        each.close()
                        break
            for each in taken:
                each.close()

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            thread.join(5)
