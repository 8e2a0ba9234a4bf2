"""Answers HTTP on a host's own address: `web.py ADDRESS PORT HOST STATE-FILE`.

Says which release it runs; FLEETCTL_RELEASE is in the environment of whoever starts it.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

RELEASE = os.environ.get("FLEETCTL_RELEASE", "unknown")


class Page(BaseHTTPRequestHandler):
    """The same answer for every path."""

    host = ""

    def do_GET(self) -> None:
        """Host and release, one line."""
        body = f"{self.host} runs {RELEASE}: ALIVE\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve; the state file appears once the address answers."""
    address, port, Page.host, state_file = sys.argv[1:]
    server = HTTPServer((address, int(port)), Page)
    Path(state_file).write_text(f"{RELEASE}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
