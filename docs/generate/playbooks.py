"""The playbook's part of the formats: its kinds of steps and gates."""

from __future__ import annotations

import importlib
import re
from typing import Any

from docs.generate.models import aliases, models, table
from fleetctl.playbook.kinds import GateKind, StepKind, gate_kinds, step_kinds


def kinds_sections() -> list[str]:
    """What every kind of step and gate takes."""
    lines: list[str] = []
    for noun, kinds in (("step", step_kinds()), ("gate", gate_kinds())):
        lines += [f"### Kinds of {noun}s", ""]
        lines += [f"One of these words, and any of `{noun.capitalize()}Options` beside it.", ""]
        for kind in kinds.values():
            lines += kind_section(f"{noun}s", kind)
    return lines


def kind_section(folder: str, kind: StepKind | GateKind) -> list[str]:
    """What one kind says of itself, and the models only it uses."""
    word = kind.word.replace("-", "_")
    module = importlib.import_module(f"fleetctl.playbook.{folder}.{word}")
    paragraphs = (module.__doc__ or "").rstrip().split("\n\n")
    lines = [f"#### {kind.word}", ""]
    for text in paragraphs:
        lines += ["```yaml", text, "```", ""] if text.startswith("- ") else [text, ""]
    lines += [f"Value: `{type_words(kind.model)}`", ""]
    named = aliases(module)
    lines += [*named, ""] if named else []
    for model in models(module):
        lines += table(model, level=5)
    return lines


def type_words(kind: Any) -> str:
    """A type by its bare names, without the modules they live in."""
    words = kind.__name__ if isinstance(kind, type) else str(kind)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", words)
