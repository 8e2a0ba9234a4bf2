"""The plan's fingerprint: sha256 over one canonical encoding, the same on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from fleetctl.plan.model import Plan

SHORT = 12
"""Characters of a digest shown to people."""


def canonical(value: Any) -> bytes:
    """JSON with every mapping sorted by key: independent of insertion order and of hashing."""
    return msgspec.json.encode(value, order="deterministic")


def digest_of(plan: Plan) -> str:
    """The plan's digest, in hexadecimal."""
    return hashlib.sha256(canonical(plan)).hexdigest()


def hash_of(value: Any) -> str:
    """The fingerprint of anything msgspec can encode: one input of a plan."""
    return hashlib.sha256(canonical(value)).hexdigest()
