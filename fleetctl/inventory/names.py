"""How hosts, tiers, tags and variables may be named, and which words are taken."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""A host, a tier, a fleet; never starting with a dash."""
HOST_PATTERN = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.\-\[\], ]*")
"""One or more host names, with ranges."""
TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
RESERVED_HOSTS = frozenset({"all", "and", "or", "not"})
RESERVED_TAGS = frozenset({"tier", "host", "name", "all", "and", "or", "not"})
