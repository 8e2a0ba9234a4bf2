"""Which program this is."""

from __future__ import annotations

VERSION = ""
"""Hash of its sources, put in when it is packed into one file; empty: it is not packed."""
