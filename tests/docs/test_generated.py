"""The generated pages tell what the program is today."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from docs.generate.pages import DOCS, pages
from docs.generate.reference import commands, shown_options
from fleetctl.cli.main import fleetctl

ROOT = DOCS.parent
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def test_every_generated_page_is_current() -> None:
    """Whoever changes a command, an option or a model runs `make docs`."""
    stale = [name for name, text in pages().items() if text_of(DOCS / name) != text]

    assert not stale, f"run `make docs`: {', '.join(stale)} differ from the code"


def text_of(path: Path) -> str:
    """What a file holds; empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_every_command_and_option_explains_itself() -> None:
    """`--help` is never empty, at any depth; a command's first line is a sentence."""
    mute: list[str] = []
    for path, command in commands(fleetctl, "fleetctl"):
        if not (command.help or "").strip().partition("\n\n")[0].endswith((".", ":")):
            mute.append(path)
        mute += [f"{path} {o.opts[0]}" for o in shown_options(command) if not o.help]

    assert not mute, f"without help: {', '.join(mute)}"


def test_the_root_lists_each_command_with_its_own_words() -> None:
    """The short help kept beside the lazy command table matches a command that exists."""
    context = click.Context(fleetctl)
    for word in fleetctl.list_commands(context):
        assert fleetctl.get_command(context, word) is not None


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_no_link_of_the_front_pages_is_dead(page: str) -> None:
    """A reader of README and its neighbours gets where a link says."""
    assert dead_links(ROOT / page) == []


def test_no_link_between_the_documents_is_dead() -> None:
    """The same for everything under docs/."""
    assert [dead for path in sorted(DOCS.rglob("*.md")) for dead in dead_links(path)] == []


def dead_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return [f"{page.name}: {target}" for target in targets if not (page.parent / target).exists()]
