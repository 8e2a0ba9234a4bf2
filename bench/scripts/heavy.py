"""The light daemon with the imports of a typical one; `python3 heavy.py MODE`."""

import asyncio
import json
import runpy
import sqlite3
import ssl
import sys

USED = (asyncio, json, sqlite3, ssl)

if __name__ == "__main__":
    runpy.run_path(sys.argv[0].replace("heavy", "daemon"), run_name="__main__")
