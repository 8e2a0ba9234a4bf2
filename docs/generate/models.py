"""Tables of typed models, read from their source: annotations, defaults and docstrings as written.

The syntax tree is used because docstrings below fields exist nowhere else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Field:
    """One field of a model."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class Model:
    """One msgspec structure."""

    name: str
    tag: str
    bases: tuple[str, ...]
    meaning: str
    fields: tuple[Field, ...]


def models(module: ModuleType) -> list[Model]:
    """The structures a module defines, in its order."""
    tree = ast.parse(inspect.getsource(module))
    found: list[Model] = []
    known: set[str] = set()
    for item in tree.body:
        if isinstance(item, ast.ClassDef) and is_struct(item, known):
            known.add(item.name)
            found.append(model_of(item))
    return found


def aliases(module: ModuleType) -> list[str]:
    """A line for each name a module gives to a type, in its order."""
    body = ast.parse(inspect.getsource(module)).body
    lines = []
    for item, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if not isinstance(item, ast.Assign) or not isinstance(item.targets[0], ast.Name):
            continue
        name, meaning = item.targets[0].id, described(item.value) or docstring_of(after)
        if name[0].isupper() and not name.isupper() and names_types(item.value):
            shown = ast.unparse(Plain().visit(item.value))
            lines.append(f"- `{name}` is `{shown}`" + (f": {meaning}" if meaning else ""))
    return lines


def names_types(value: ast.expr) -> bool:
    """Whether an expression is a type: a union, or something in brackets."""
    return isinstance(value, ast.Subscript | ast.BinOp)


def is_struct(item: ast.ClassDef, known: set[str]) -> bool:
    """Whether a class is a msgspec structure or builds on one of the same module."""
    bases = {ast.unparse(base) for base in item.bases}
    return bool(bases & ({"msgspec.Struct", "Struct"} | known))


def model_of(item: ast.ClassDef) -> Model:
    """A structure with its tag and fields."""
    options = {keyword.arg: keyword.value for keyword in item.keywords}
    tag = options.get("tag")
    renamed = ast.literal_eval(options["rename"]) if "rename" in options else {}
    bases = tuple(ast.unparse(base) for base in item.bases)
    return Model(
        name=item.name,
        tag=str(ast.literal_eval(tag)) if tag is not None else "",
        bases=tuple(base for base in bases if not base.endswith("Struct")),
        meaning=(ast.get_docstring(item) or "").replace("\n", " "),
        fields=tuple(fields_of(item, renamed)),
    )


def fields_of(item: ast.ClassDef, renamed: Mapping[str, str]) -> Iterator[Field]:
    """The annotated names of a class as files spell them, each with the docstring below it."""
    below = [*item.body[1:], ast.Pass()]
    for statement, after in zip(item.body, below, strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            meaning = described(statement.annotation) or docstring_of(after)
            yield Field(
                renamed.get(statement.target.id, statement.target.id),
                ast.unparse(Plain().visit(statement.annotation)),
                default_of(statement.value),
                meaning,
            )


def docstring_of(statement: ast.stmt) -> str:
    """The text of a statement that is nothing but a text."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return inspect.cleandoc(str(statement.value.value)).replace("\n", " ")
    return ""


def described(annotation: ast.expr) -> str:
    """The description a `Meta` in the annotation gives."""
    for part in ast.walk(annotation):
        if isinstance(part, ast.keyword) and part.arg == "description":
            return str(ast.literal_eval(part.value))
    return ""


def default_of(value: ast.expr | None) -> str | None:
    """How a default reads to a user; None when the field must be given."""
    if value is None:
        return None
    factory = [part.body for part in ast.walk(value) if isinstance(part, ast.Lambda)]
    shown = factory[0] if factory else value
    if isinstance(shown, ast.Call):
        return ast.unparse(shown.args[0]) if shown.args else ""
    return "" if ast.unparse(shown) == "UNSET" else ast.unparse(shown)


class Plain(ast.NodeTransformer):
    """Takes from an annotation what only msgspec reads: `Annotated`, `UnsetType`."""

    def visit_Subscript(self, item: ast.Subscript) -> ast.expr:
        """`Annotated[X, ...]` becomes X."""
        self.generic_visit(item)
        if ast.unparse(item.value) == "Annotated" and isinstance(item.slice, ast.Tuple):
            return item.slice.elts[0]
        return item

    def visit_BinOp(self, item: ast.BinOp) -> ast.expr:
        """`X | UnsetType` becomes X."""
        self.generic_visit(item)
        return item.left if ast.unparse(item.right) == "UnsetType" else item


def table(model: Model, level: int = 3) -> list[str]:
    """A heading, the meaning, and a line a field."""
    tag = f" (`{model.tag}`)" if model.tag else ""
    lines = [
        f"{'#' * level} {model.name}{tag}",
        "",
        *([model.meaning, ""] if model.meaning else []),
    ]
    if model.bases:
        lines += [f"All of {', '.join(model.bases)}, and:" if model.fields else
                  f"All of {', '.join(model.bases)}.", ""]  # fmt: skip
    if model.fields:
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        lines += [row(field) for field in model.fields] + [""]
    return lines


def row(field: Field) -> str:
    """One field as a line of a table."""
    default = "required" if field.default is None else f"`{field.default}`" if field.default else ""
    cells = (f"`{field.name}`", f"`{field.type}`", default, field.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
