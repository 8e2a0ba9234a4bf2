"""How the shipped schema program is laid down on a host and called there."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fleetctl.adapters.pack import Pack
from fleetctl.playbook.substitute import shell_template_of

FOLDER = ".fleetctl/programs"
"""Below the login's home."""
PYTHON_LEAST = (3, 10)


class Program(msgspec.Struct, frozen=True):
    """The packed program, the Python that runs it, and what it is told each time."""

    python: str
    pack: Pack
    settings: Mapping[str, str]

    @property
    def source(self) -> str:
        return self.pack.path

    @property
    def sha256(self) -> str:
        return self.pack.sha256

    @property
    def size(self) -> int:
        return self.pack.size

    @property
    def _name(self) -> str:
        return f"schema-{self.sha256[:16]}"

    @property
    def zipped(self) -> str:
        """Where the pack lies on a host; relative to the login's home."""
        return f"{FOLDER}/{self._name}.zip"

    def unpacked(self) -> str:
        """sh text: exit 0 when it is there for use."""
        return f'[ -e "$HOME/{FOLDER}/{self._name}/__main__.py" ]'

    def unpacking(self) -> str:
        """sh text that unpacks it, so that Python keeps what it compiles; says what is lacking."""
        into = f'"$HOME/{FOLDER}/{self._name}"'
        return "\n".join([
            *_python_checked(self._python),
            f'half=$(mktemp -d "$HOME/{FOLDER}/.half-XXXXXX") || exit 1',
            f'{self._python} -m zipfile -e "$HOME/{self.zipped}" "$half" || exit 1',
            f'[ -e {into} ] && rm -rf {into}',
            f'mv "$half" {into}',
        ])  # fmt: skip

    def call(self, *words: str) -> str:
        """sh text that runs it; `{{item}}` and other names may stand in words and settings."""
        return f'{self._python} -E -s "$HOME/{FOLDER}/{self._name}" {self._told(words)}'

    def carried_call(self, *words: str) -> str:
        """sh text for `carrying` to follow; names may stand in it as in `call`."""
        call = f'"$python" -E -s "$pack" {self._told(words)}'
        return f"python={self._python}\ncarried() {{ {call}; }}\n"

    def carrying(self) -> str:
        """sh text without names, after a `carried_call`: it brings the program along in itself and
        makes the call. For hosts nothing may be laid down on."""
        text = base64.encodebytes(Path(self.source).read_bytes()).decode()
        return "\n".join([
            *_python_checked('"$python"'),
            'pack=$(mktemp "${TMPDIR:-/tmp}/fleetctl-XXXXXX") || exit 1',
            "trap 'rm -f \"$pack\"' EXIT",
            f"base64 -d > \"$pack\" <<'END' || exit 1\n{text}END",
            "carried",
            "",
        ])  # fmt: skip

    @property
    def _python(self) -> str:
        return shell_template_of([self.python])

    def _told(self, words: tuple[str, ...]) -> str:
        settings = [f"{key}={value}" for key, value in self.settings.items()]
        return shell_template_of([*settings, *words])


def _python_checked(python: str) -> list[str]:
    """sh lines that end with what is lacking; `python` is a word of sh."""
    least = ".".join(map(str, PYTHON_LEAST))
    need = f"schema upgrades need Python {least} or later on this host"
    return [
        f"command -v {python} >/dev/null || {{ echo '{need}, and there is none' >&2; exit 1; }}",
        f"{python} -c 'import sys; sys.exit(sys.version_info < {PYTHON_LEAST})' || "
        f"{{ echo '{need}' >&2; exit 1; }}",
    ]
