"""The built wheel, installed alone in a clean environment: what a user gets works without us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetctl import __version__
from fleetctl.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
OFFLINE_WORDS = ("Could not find a version", "NewConnectionError", "No matching distribution")
DEV_ONLY = {"pytest", "hypothesis", "mypy", "ruff", "import-linter", "build", "asyncssh", "uvicorn"}
EXTRAS = {"fleetctl.lab": {"asyncssh"}, "fleetctl.console": {"starlette", "uvicorn", "h11"}}
IMPORT_ALL = """
import importlib, pkgutil, fleetctl
extras = EXTRAS
for module in pkgutil.walk_packages(fleetctl.__path__, "fleetctl."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as missing:
        room = ".".join(module.name.split(".")[:2])
        if missing.name.partition(".")[0] not in extras.get(room, ()):
            raise
""".replace("EXTRAS", repr(EXTRAS))

START_ALL = """
import sys
from fleetctl.cli.main import COMMANDS, main
for command in COMMANDS:
    sys.argv = ["fleetctl", command, "--help"]
    try:
        main()
    except SystemExit as ending:
        assert not ending.code, command
"""
PATIENCE_S = 300

pytestmark = pytest.mark.slow
Program = Callable[..., subprocess.CompletedProcess[str]]


def pip_or_skip(command: list[str]) -> None:
    """Run a command that fetches packages; a machine without an index cannot test this."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    said = done.stdout + done.stderr
    if done.returncode and any(word in said for word in OFFLINE_WORDS):
        pytest.skip("no package index is reachable from here: the wheel is NOT tested")
    assert done.returncode == 0, said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    pip_or_skip(command)
    return next(folder.glob("fleetctl-*.whl"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel and what it asks for, only."""
    folder = tmp_path_factory.mktemp("clean")
    venv = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(venv, check=True, timeout=PATIENCE_S)
    locked = ["--constraint", str(ROOT / "requirements.lock")]
    pip_or_skip(
        [*pip_of(folder / "bin"), "install", "--quiet", "--no-compile", *locked, str(wheel)]
    )
    return folder / "bin"


def pip_of(programs: Path) -> list[str]:
    """Our own pip at work on that environment, which so holds none."""
    return [sys.executable, "-m", "pip", "--python", str(programs / "python")]


@pytest.fixture
def program(clean: Path, tmp_path: Path) -> Program:
    """Runs a program of the clean environment away from the source tree; it must succeed."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}

    def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(clean / name), *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, f"{name} {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done

    return run


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    """Types marker and data travel with the code; tests and benchmarks stay at home."""
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {path.relative_to(ROOT).as_posix() for path in product_files()}

    assert "fleetctl/py.typed" in names
    assert shipped <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "fleetctl",
        f"fleetctl-{__version__}.dist-info",
    }


def product_files() -> list[Path]:
    """Every file of the package in the source tree, data such as the host's runner included."""
    known = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "fleetctl"], capture_output=True, check=False
    )
    if known.returncode == 0 and known.stdout:
        return [ROOT / name.decode() for name in known.stdout.split(b"\0") if name]
    found = (ROOT / "fleetctl").rglob("*")
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def test_what_only_development_needs_is_not_there(clean: Path, program: Program) -> None:
    """The wheel asks for its run-time libraries, and for all of them."""
    words = [*pip_of(clean), "list", "--format", "json"]
    listed = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    installed = {package["name"].lower() for package in json.loads(listed.stdout)}

    assert "fleetctl" in installed
    assert not installed & DEV_ONLY
    subprocess.run([*pip_of(clean), "check"], timeout=PATIENCE_S, check=True)
    program("python", "-c", IMPORT_ALL)


def test_the_program_says_who_it_is(program: Program) -> None:
    """Version and help come without an inventory or a home."""
    assert __version__ in program("fleetctl", "--version").stdout
    assert "Exit codes" in program("fleetctl", "--help").stdout


def test_every_command_starts(program: Program) -> None:
    """Each command's own imports are satisfied by the wheel alone."""
    told = program("python", "-c", START_ALL).stdout
    assert [f"Usage: fleetctl {command} " in told for command in COMMANDS] == [True] * len(COMMANDS)


def test_the_shipped_inventory_and_playbook_make_a_plan(program: Program, tmp_path: Path) -> None:
    """Keeping a release, reading, selecting and compiling work end to end, for all 44 hosts."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "page").write_text("hello\n")
    program("fleetctl", "releases", "add", str(tmp_path / "app"), "--id", "v1", "--schema", "1")
    inventory = ["--inventory", str(ROOT / "inventory" / "phacility.yaml")]
    program("fleetctl", "inventory", "check", *inventory)
    listed = program("fleetctl", "inventory", "list", *inventory, "--output", "json").stdout
    playbook = ROOT / "playbooks" / "saturday-push.yaml"
    plan = ["plan", str(playbook), *inventory, "--release", "v1"]
    shown = program("fleetctl", *plan, "--output", "json").stdout

    assert len(json.loads(listed)) == 44
    assert json.loads(shown)
