"""Names in braces that stand for the pool: `{instance}`, `{kind}` and `{slot}`.

`{{word}}` is the word in braces, as it is. So is `${word}`, which is the shell's, and whatever else
in braces is no single word: `{ print }`, `{"a": 1}`, `{}`.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

INSTANCE, KIND, SLOT = "instance", "kind", "slot"
EVERYWHERE = (INSTANCE, KIND, SLOT)
OF_SOCKETS = (INSTANCE, KIND)
"""A socket is the pool's, not a slot's."""
_WORD = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|(?<!\$)\{([A-Za-z_]\w*)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled in; those nobody knows are left as they are."""
    if "{" not in text:
        return text
    return _WORD.sub(
        lambda found: values.get(found[2], found[0]) if found[2] else f"{{{found[1]}}}", text
    )


def of_pool(pool: str) -> dict[str, str]:
    """What the placeholders stand for in `instance/kind`, but for the slot."""
    instance, _, kind = pool.partition("/")
    return {INSTANCE: instance, KIND: kind}


def unknown(text: str, known: tuple[str, ...]) -> list[str]:
    """The words in braces that stand for nothing, each once."""
    found = (match[2] for match in _WORD.finditer(text))
    return list({word: None for word in found if word and word not in known})
