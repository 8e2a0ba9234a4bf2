"""The light daemon with the imports of a typical one; `python3 heavy.py MODE`."""

import asyncio
import json
import sqlite3
import ssl
import sys

assert asyncio
assert json
assert sqlite3
assert ssl

sys.modules.pop("daemon", None)
import daemon  # noqa: E402

assert daemon
