"""Which pages are generated."""

from __future__ import annotations

from pathlib import Path

from docs.generate.formats import formats_page, schemas
from docs.generate.reference import reference_page

DOCS = Path(__file__).resolve().parent.parent


def pages() -> dict[str, str]:
    """Path under docs/ -> text, for every generated page."""
    found = {"reference.md": reference_page(), "formats.md": formats_page()}
    found.update({f"schemas/{name}.json": text for name, text in schemas().items()})
    return found
