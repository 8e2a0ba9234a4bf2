"""`python -m docs.generate`: write every generated page; `make docs` does it."""

from __future__ import annotations

from docs.generate.pages import DOCS, pages

for name, text in pages().items():
    path = DOCS / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"docs/{name}")
