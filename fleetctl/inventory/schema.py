"""The JSON Schema of the native inventory, for editors: made from the types that read it."""

from __future__ import annotations

from typing import Any

import msgspec

from fleetctl.inventory.source import InventoryFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def inventory_schema() -> dict[str, Any]:
    """The schema as plain data."""
    schema = msgspec.json.schema(InventoryFile)
    return {"$schema": DIALECT, "title": "fleetctl inventory", **schema}
