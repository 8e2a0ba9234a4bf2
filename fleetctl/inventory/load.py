"""Finding the inventory and reading it, whichever of the known forms it has."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetctl.base.errors import InputError, Location, UsageError
from fleetctl.base.marked import Document, read
from fleetctl.base.names import did_you_mean_file
from fleetctl.inventory.dialect import is_program, looks_grouped
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.native import read_native
from fleetctl.inventory.reading import Reading

FOUND_NAMES = ("inventory.yaml", "inventory.yml", "inventory.ini")
_SUFFIXES = (".yaml", ".yml")
_GROUPED = (*_SUFFIXES, ".json")


def find_inventory(start: Path, named: str | None) -> Path:
    """The inventory `named`, or the one found from `start` upwards; raises UsageError.

    In each folder `inventory.yaml` is looked for, then the one YAML file in its `inventory` folder.
    """
    if named:
        path = start / Path(named).expanduser()
        if path.is_dir():
            return _only_one(path, [*_in_folder(path)]) or _nothing(f"no inventory in {named}")
        if not path.exists():
            return _nothing(f"there is no inventory {named}", did_you_mean_file(Path(named)))
        return path
    for folder in (start, *start.parents):
        for name in FOUND_NAMES:
            if (folder / name).is_file():
                return folder / name
        found = _only_one(folder, _in_folder(folder / "inventory"))
        if found is not None:
            return found
    return _nothing("no inventory found from here upwards")


def _in_folder(folder: Path) -> list[Path]:
    """YAML files that may be inventories: files that belong to one (`x.pins.yaml`) are left out."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    return [path for path in files if path.is_file() and "." not in path.stem]


def _only_one(folder: Path, paths: list[Path]) -> Path | None:
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths[:5])
        raise UsageError(
            f"there are {len(paths)} inventories in {paths[0].parent}: {names}",
            hint="name one with --inventory or FLEETCTL_INVENTORY",
        )
    return paths[0] if paths else None


def _nothing(what: str, hint: str = "") -> Path:
    ways = "name one with --inventory or FLEETCTL_INVENTORY, or write inventory.yaml"
    raise UsageError(what, hint=hint or ways)


def load_fleet(path: Path) -> Fleet:
    """The fleet of the inventory at `path`; raises InputError or InputErrors."""
    return read_inventory(path).fleet


def read_inventory(path: Path) -> Reading:
    """The fleet of the inventory at `path`, and what of it could not be carried over."""
    file = shown(path)
    with _uncollected():
        if is_program(path):
            return _carried(path, file, None)
        text = read_text(path, file)
        if path.suffix not in _GROUPED and not text.lstrip().startswith(("---", "{")):
            return _carried(path, file, text)
        document = read(text, file)
        if looks_grouped(document.data):
            return _carried(path, file, document)
        return Reading(read_native(document, path), file)


def _carried(path: Path, file: str, found: Document | str | None) -> Reading:
    """An Ansible inventory: a document, an INI text, or (None) what its program prints."""
    # A fleet in our own format is not to pay for reading other formats.
    from fleetctl.inventory.carry import carry_over

    if found is None:
        from fleetctl.inventory.program import read_program

        return carry_over(read_program(path, file), path)
    if isinstance(found, str):
        from fleetctl.inventory.ini import read_ini

        return carry_over(read_ini(found, file), path)
    from fleetctl.inventory.grouped import read_grouped

    return carry_over(read_grouped(found), path)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cyclic collector: it would walk a growing fleet again and again for nothing.

    What was made meanwhile is left out of later walks, too; it is freed all the same when dropped.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()


def shown(path: Path) -> str:
    """A path as errors name it: relative to the current folder where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_text(path: Path, file: str) -> str:
    """The text of a file; raises InputError when it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("not readable as UTF-8 text", Location(file)) from None
    except OSError as error:
        raise InputError("cannot be read", Location(file), why=str(error.strerror)) from None
