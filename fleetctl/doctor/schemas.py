"""How far the schemas of instances are, before a push that upgrades them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleetctl.doctor.findings import SCHEMA, Level, Remark

_COUNTED = ("current", "pending", "failed", "unknown", "asleep")
_HINT = "see: fleetctl schema status"


def judge_schemas(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Remark]]:
    """Host and remark for each shard, as `schema status` tells it; then what there is in all.

    That migrations are pending is what a push is for; one that broke stays broken until mended.
    """
    for row in rows:
        level, text = _meaning(str(row["state"]))
        detail = f": {row['detail']}" if row.get("detail") and level is not Level.OK else ""
        yield str(row["host"]), Remark(SCHEMA, level, text + detail, _HINT if text else "")
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({word: row[word] for word in _COUNTED if row.get(word)})
    told = ", ".join(f"{counts[word]} {word}" for word in _COUNTED if counts[word])
    if told:
        yield "", Remark(SCHEMA, Level.OK, f"instances: {told}")


def _meaning(state: str) -> tuple[Level, str]:
    match state:
        case "current" | "PENDING":
            return Level.OK, ""
        case "FAILED":
            return Level.FAIL, "a migration failed and was not mended"
        case _:
            return Level.UNKNOWN, "did not tell its schemas"
