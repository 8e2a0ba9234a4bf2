"""Another try for tests that failed among others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import again

TESTS = """\
from pathlib import Path

def test_first():
    seen = Path("seen").exists()
    Path("seen").touch()
    assert seen

def test_never():
    assert Path("good").exists()
"""


@pytest.mark.parametrize(
    ("status", "failed", "code"), [(1, again.MOST + 1, 1), (1, 0, 1), (2, 1, 2), (3, 1, 3)]
)
def test_many_that_fail_and_other_ends_are_no_accident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, failed: int, code: int
) -> None:
    """Nothing is tried again, and the first answer stands."""
    kept = tmp_path / ".pytest_cache/v/cache/lastfailed"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({f"test_{number}.py::test": True for number in range(failed)}))
    monkeypatch.chdir(tmp_path)
    assert again.main(status) == code


@pytest.mark.slow
@pytest.mark.parametrize("good", [True, False])
def test_who_fails_alone_has_failed_and_who_passes_is_named(tmp_path: Path, good: bool) -> None:
    """Only what had failed runs again; the exit code is that of the second try."""
    (tmp_path / "test_some.py").write_text(TESTS + "\ndef test_well():\n    assert True\n")
    (tmp_path / "pytest.ini").touch()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "."]
    first = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert first.returncode == 1, first.stdout
    if good:
        (tmp_path / "good").touch()
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
    code += "from tests import again; sys.exit(again.main(1))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == (0 if good else 1), done.stdout
    assert "collected 2 items" in done.stdout
    assert ("PASSED ONLY ALONE" in done.stdout) == good
