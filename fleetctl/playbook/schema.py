"""The JSON Schema of playbooks, made from the types that read them; for editors."""

from __future__ import annotations

from typing import Any

import msgspec

from fleetctl.playbook.kinds import gate_kinds, step_kinds
from fleetctl.playbook.pieces import gate_shape, step_shape
from fleetctl.playbook.source import BudgetText, PhaseText, PlaybookText, RetryText
from fleetctl.playbook.units import Amount, unit_schema

TEMPLATE = "#/$defs/{name}"


def playbook_schema() -> dict[str, Any]:
    """The schema, every kind of step and gate included."""
    steps = [step_shape(word) for word in sorted(step_kinds())]
    gates = [gate_shape(word) for word in sorted(gate_kinds())]
    types: list[Any] = [PlaybookText, PhaseText, BudgetText, RetryText, Amount, *steps, *gates]
    refs, defs = msgspec.json.schema_components(
        types, schema_hook=unit_schema, ref_template=TEMPLATE
    )
    whole, phase, budget, retry, amount = refs[:5]
    step_refs = list(refs[5 : 5 + len(steps)])
    gate_refs = list(refs[5 + len(steps) :])
    defs["PlaybookText"]["properties"]["phases"]["items"] = phase
    inside = defs["PhaseText"]["properties"]
    inside["steps"]["items"] = {"anyOf": step_refs}
    inside["gates"]["items"] = {"anyOf": gate_refs}
    inside["budget"] = {**inside["budget"], "anyOf": [amount, budget]}
    for shape in steps:
        option = defs[shape.__name__]["properties"]["retry"]
        option["anyOf"] = [{"type": "integer", "minimum": 1}, retry]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fleetctl playbook",
        **whole,
        "$defs": defs,
    }
