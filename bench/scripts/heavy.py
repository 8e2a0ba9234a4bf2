"""The light daemon with the imports of a typical one; `python3 heavy.py MODE`."""

import asyncio
import json
import sqlite3
import ssl
from pathlib import Path

USED = (asyncio, json, sqlite3, ssl)

if __name__ == "__main__":
    exec(Path(__file__).with_name("daemon.py").read_text())
