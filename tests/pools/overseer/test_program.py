"""The overseer's command line: what is wrong with it is said before how it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.pools.overseer import program
from fleetctl.pools.overseer.amounts import counted


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--specs s", "--home DIR is missing"),
        ("--home h", "--specs DIR is missing"),
        ("--check", "--specs DIR is missing"),
        ("", "--home DIR is missing"),
        ("--hom h --specs s", "what is '--hom'? did you mean '--home'?"),
        ("--home h --specs", "--specs needs a value"),
        ("--home h --specs s --reserve ten", "--reserve 'ten' is no percentage below 100"),
        ("--home h --specs s --reserve 100", "--reserve '100' is no percentage below 100"),
        ("--home h --specs s --lay", "--lay stands alone behind --home DIR"),
        (f"--home /{'h' * 90} --specs s", "is longer than 90 bytes: sockets are put into it"),
    ],
)
def test_what_is_wrong_with_the_words_is_said(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason first, with the nearest word, then the usage; exit code 2."""
    assert program.main(words.split()) == 2
    first, _, rest = capsys.readouterr().err.partition("\n")
    assert first.startswith("fleetctl-overseer: ")
    assert told in first
    assert rest == program.USAGE


def test_one_is_not_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`1 pool`, `1 source of attention`, `1 process`; of others, none included, there are many."""
    (tmp_path / "a.toml").write_text(
        '[kind.k]\ncommand = ["sh"]\n[instances]\nnames = ["a"]\nkinds = ["k"]\n'
        '[attention.q]\ncommand = ["sh"]\n'
    )
    assert program.main(["--specs", str(tmp_path), "--check"]) == 0
    assert capsys.readouterr().out == "1 pool, 1 source of attention\n"
    assert counted(0, "source of attention") == "0 sources of attention"
    assert [counted(n, "process") for n in (1, 2)] == ["1 process", "2 processes"]
