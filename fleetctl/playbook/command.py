"""Commands as authors write them, made into sh templates."""

from __future__ import annotations

from fleetctl.playbook.source import Command
from fleetctl.playbook.substitute import check_shell, shell_template_of

TITLE_CHARACTERS_MAX = 60


def shell_of(command: Command) -> str:
    """The sh template of a command; raises ValueError when it is empty or cannot be quoted."""
    if not command or (isinstance(command, str) and not command.strip()):
        raise ValueError("the command is empty")
    if isinstance(command, str):
        check_shell(command)
        return command
    template = shell_template_of(command)
    check_shell(template)
    return template


def argv_of(command: Command) -> tuple[str, ...]:
    """The argv template of a command that runs on this machine; a text goes through sh."""
    if isinstance(command, str):
        return ("sh", "-c", shell_of(command))
    shell_of(command)
    return command


def short(command: Command) -> str:
    """A title for people: the first line, cut."""
    text = command if isinstance(command, str) else " ".join(command)
    line, _, rest = text.strip().partition("\n")
    if len(line) > TITLE_CHARACTERS_MAX or rest.strip():
        return line[: TITLE_CHARACTERS_MAX - 3].rstrip() + "..."
    return line
