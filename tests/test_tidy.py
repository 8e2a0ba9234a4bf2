"""The house rules of CONTRIBUTING.md that no linter knows, checked on the syntax trees.

`EXCEPTIONS` lists what breaks a rule for now, with the date it was let in. It may only shrink: an
entry that is no longer needed fails the test, too.
"""

from __future__ import annotations

import ast
import gc
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = {"fleetctl": 400, "bench": 400, "docs": 400, "tests": 600}
POSITIONALS_MAX = 7

BANNED_STEMS = ("node", "agent", "job", "manager", "handler", "util", "helper", "misc")
BANNED_WORDS = frozenset({*BANNED_STEMS, *(f"{s}s" for s in BANNED_STEMS), "common", "waiting"})
"""One meaning each: ARCHITECTURE.md has the words that are used instead."""
BANNED_PAIRS = (("target", "host"), ("target", "hosts"))

PROGRAM_NAMES = re.compile("ssh_agent")
"""Names of other people's programs, which say nothing about ours."""

LIBRARY_NAMES = {"fleetctl/base/marked.py:node": "PyYAML"}
"""`path:name` of a name that a library's interface dictates -> which library."""

EXCEPTIONS: dict[str, str] = {}
"""`rule path:name` -> the day it was let in."""

# Written in two pieces so that this file keeps its own rule.
MACHINE_PATH = re.compile("(?<![A-Za-z0-9_.}~-])/(?:wo" + "rk|ro" + "ot)/")
UNOWNED_TODO = re.compile(r"#.*\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))")
SUSPICIOUS = re.compile("|".join([*BANNED_WORDS, "target.?host"]), re.IGNORECASE)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One parsed file of Python."""

    path: str
    """Relative to the project, with `/`."""
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.partition("/")[0]


@cache
def sources() -> tuple[Source, ...]:
    """Every file of Python that is ours."""
    paths = [path for room in FILE_LINES_MAX for path in sorted((ROOT / room).rglob("*.py"))]
    gc.disable()  # the trees all stay; looking for garbage among them doubles the time
    try:
        return tuple(source_of(path) for path in paths)
    finally:
        gc.enable()


def source_of(path: Path) -> Source:
    """One file, parsed."""
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every file people read: path and text, the Python ones included."""
    loose = [path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name != ".git"]
    rooms = ("fleetctl", "tests", "bench", "docs", "inventory", "playbooks", ".ci")
    kept = [path for room in rooms for path in sorted((ROOT / room).rglob("*")) if path.is_file()]
    found = []
    for path in (*loose, *kept):
        if "__pycache__" in path.parts or path.name.startswith(".coverage"):
            continue
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return tuple(found)


def qualified(tree: ast.Module) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Every function and class with its dotted name."""
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, parent = pending.pop()
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, Function | ast.ClassDef):
                name = f"{prefix}{child.name}"
                yield name, child
                pending.append((f"{name}.", child))
            elif isinstance(child, ast.stmt):
                pending.append((prefix, child))


def lines_of(function: Function) -> int:
    """Lines of the body and the signature, without the docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        first = function.body[0]
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def long_functions() -> Iterator[str]:
    """Functions longer than the limit."""
    for source in sources():
        for name, item in qualified(source.tree):
            if isinstance(item, Function) and lines_of(item) > FUNCTION_LINES_MAX:
                yield f"long function {source.path}:{name}"


def long_files() -> Iterator[str]:
    """Files longer than their room allows."""
    for source in sources():
        if source.text.count("\n") > FILE_LINES_MAX[source.room]:
            yield f"long file {source.path}"


def many_positionals() -> Iterator[str]:
    """Functions that take more values by position than a reader can keep apart."""
    for source in sources():
        for name, item in qualified(source.tree):
            if not isinstance(item, Function):
                continue
            names = [arg.arg for arg in (*item.args.posonlyargs, *item.args.args)]
            if len(names) - (names[:1] in (["self"], ["cls"])) > POSITIONALS_MAX:
                yield f"many positionals {source.path}:{name}"


def names_given(tree: ast.Module) -> Iterator[str]:
    """Every name this file gives to something; names it merely uses belong to others."""
    for item in ast.walk(tree):
        if isinstance(item, Function | ast.ClassDef):
            yield item.name
        elif isinstance(item, ast.arg):
            yield item.arg
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            yield item.id
        elif isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store):
            yield item.attr
        elif isinstance(item, ast.alias) and item.asname:
            yield item.asname


@cache
def banned_in(name: str) -> bool:
    """Whether a name holds a word the project does not use."""
    words = [word.lower() for word in WORD.findall(PROGRAM_NAMES.sub("", name))]
    pairs = itertools.pairwise(words)
    return not BANNED_WORDS.isdisjoint(words) or any(pair in BANNED_PAIRS for pair in pairs)


def banned_names() -> Iterator[str]:
    """Names and modules with a word the project does not use."""
    for source in sources():
        for part in Path(source.path).with_suffix("").parts:
            if banned_in(part):
                yield f"banned name {source.path}"
        if not SUSPICIOUS.search(source.text):
            continue
        for name in sorted(set(names_given(source.tree))):
            if banned_in(name) and f"{source.path}:{name}" not in LIBRARY_NAMES:
                yield f"banned name {source.path}:{name}"


def missing_docstrings() -> Iterator[str]:
    """Public modules, functions and classes, and tests, that do not say what they promise."""
    for source in sources():
        inside_tests = source.room == "tests"
        empty = inside_tests and source.path.endswith("/__init__.py")
        if not empty and ast.get_docstring(source.tree) is None:
            yield f"docstring {source.path}"
        for name, item in qualified(source.tree):
            if inside_tests:
                owed = item.name.startswith("test_") and isinstance(item, Function)
            else:
                owed = "." not in name and not name.startswith("_")
            if owed and ast.get_docstring(item) is None:
                yield f"docstring {source.path}:{name}"


def full_packages() -> Iterator[str]:
    """Package files that hold more than a docstring (and, at the top, the version)."""
    for source in sources():
        if not source.path.endswith("/__init__.py"):
            continue
        more = [ast.unparse(statement) for statement in source.tree.body[1:]]
        if any(not statement.startswith("__version__ = ") for statement in more):
            yield f"full package {source.path}"


def mocks() -> Iterator[str]:
    """Files that replace things by mocks instead of using a fake at a port."""
    for source in sources():
        if re.search(
            r"^\s*(?:from|import) (?:unittest\.mock|unittest import mock)", source.text, re.M
        ):
            yield f"mock {source.path}"


def machine_paths() -> Iterator[str]:
    """Files that name a folder of the machine somebody worked on."""
    for path, text in texts():
        if MACHINE_PATH.search(text):
            yield f"machine path {path}"


def unowned_todos() -> Iterator[str]:
    """Files with a note to come back that names no issue."""
    for path, text in texts():
        if UNOWNED_TODO.search(text):
            yield f"unowned todo {path}"


def unused_goldens() -> Iterator[str]:
    """Files under a `golden` folder of the tests that no test names, nor their folder."""
    tests = "\n".join(source.text for source in sources() if source.room == "tests")
    for path in sorted((ROOT / "tests").rglob("golden/**/*")):
        folder = path.parent.name
        known = path.stem in tests or (folder != "golden" and folder in tests)
        if path.is_file() and "__pycache__" not in path.parts and not known:
            yield f"unused golden {path.relative_to(ROOT).as_posix()}"


RULES: tuple[Callable[[], Iterator[str]], ...] = (
    long_functions,
    long_files,
    many_positionals,
    banned_names,
    missing_docstrings,
    full_packages,
    mocks,
    machine_paths,
    unowned_todos,
    unused_goldens,
)


@cache
def offences() -> frozenset[str]:
    """Everything that breaks a rule, the exceptions included."""
    return frozenset(offence for rule in RULES for offence in rule())


def test_every_house_rule_is_kept() -> None:
    """Nothing new breaks a rule of CONTRIBUTING.md."""
    broken = sorted(offences() - EXCEPTIONS.keys())
    assert not broken, "\n".join(broken)


def test_the_list_of_exceptions_only_shrinks() -> None:
    """An exception that is no longer needed is taken out."""
    idle = sorted(EXCEPTIONS.keys() - offences())
    assert not idle, "\n".join(idle)


def test_the_rules_can_tell_a_bad_name() -> None:
    """Words are found inside snake and camel case, and only whole words."""
    assert all(map(banned_in, ("node", "HostManager", "job_id", "target_host", "TargetHosts")))
    assert not any(
        map(banned_in, ("commonly", "ssh_agent", "hosts", "target", "Jobless", "reagent"))
    )


def test_the_rules_can_tell_a_long_function() -> None:
    """The docstring does not count, the rest does."""
    body = "\n".join(f"    x{number} = {number}" for number in range(FUNCTION_LINES_MAX))
    documented = ast.parse(f'def f():\n    """Some.\n\n    More."""\n{body}\n').body[0]
    assert isinstance(documented, ast.FunctionDef)
    assert lines_of(documented) == FUNCTION_LINES_MAX + 1


def test_the_rules_can_tell_a_machine_path() -> None:
    """A folder of one machine is found; a route or a package path of that name is not."""
    assert MACHINE_PATH.search('open("/wo' + 'rk/x")')
    assert MACHINE_PATH.search("in /ro" + "ot/.ssh")
    assert not MACHINE_PATH.search("frame/wo" + "rk/x")
