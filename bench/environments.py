"""Throw-away virtual environments for the rivals, kept in the user's cache folder between runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs


def environment(name: str, requirements: tuple[str, ...]) -> Path:
    """The `bin` folder of a virtual environment with `requirements`; made when there is none."""
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    folder = Path(platformdirs.user_cache_dir("fleetctl")) / "bench" / f"{name}-{digest}"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"bench: making an environment for {name}: {' '.join(requirements)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *requirements], check=True)
        ready.touch()
    return folder / "bin"
