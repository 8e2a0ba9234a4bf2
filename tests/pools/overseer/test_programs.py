"""Programs that are not on the host: told, never refused, for a release may bring them later."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.pools.overseer import program
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.programs import Programs, in_words


def test_a_kind_whose_program_is_not_there_is_told_until_it_is(tmp_path: Path) -> None:
    """By path, by PATH, below the folder it runs in; and that folder itself."""
    kinds: dict[str, dict[str, object]] = {
        "path": {"command": [str(tmp_path / "x")]},
        "name": {"command": ["no-such-program-here"]},
        "below": {"command": ["bin/x"], "cwd": str(tmp_path)},
        "folder": {"command": ["sh"], "cwd": "/no/{instance}"},
        "there": {"command": ["sh"], "cwd": str(tmp_path)},
        "asleep": {"command": [str(tmp_path)]},
    }
    programs = Programs([(f"a/{name}", Kind(name, given)) for name, given in kinds.items()])
    assert programs.missing() == {
        "path": f"no program {tmp_path}/x",
        "name": "no program no-such-program-here",
        "below": f"no program {tmp_path}/bin/x",
        "folder": "no folder /no/a",
        "asleep": f"no program {tmp_path}",
    }
    (tmp_path / "x").write_text("#!/bin/sh\n")
    assert "path" in programs.missing()
    (tmp_path / "x").chmod(0o700)
    assert "path" not in programs.missing()


def test_one_instance_without_its_release_is_found(tmp_path: Path) -> None:
    """Where the program depends on the instance, several are looked at; else one, of any number."""
    (tmp_path / "i0").write_text("")
    (tmp_path / "i0").chmod(0o700)
    kind = Kind("k", {"command": [f"{tmp_path}/{{instance}}"]})
    programs = Programs([(f"i{n}/k", kind) for n in range(9)])
    assert in_words(programs.missing()) == [
        f"kind k cannot be started now: no program {tmp_path}/i1"
    ]


def test_a_check_on_the_host_warns_of_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The specs are right, so the exit code is 0; what cannot start is named."""
    text = '[kind.k]\ncommand = ["/no/such"]\n[[instances]]\nnames = ["a"]\nkinds = ["k"]\n'
    (tmp_path / "a.toml").write_text(text)
    assert program.main(["--specs", str(tmp_path), "--check"]) == 0
    told = capsys.readouterr()
    assert told.err == "warning: kind k cannot be started now: no program /no/such\n"
