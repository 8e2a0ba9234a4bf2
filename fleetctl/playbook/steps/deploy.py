"""`deploy`: a release onto a host, live by one rename, restarted, checked, read back.

- deploy:
    to: /srv/app
    restart: [systemctl, restart, app]
    health: curl -fs localhost:8080/health
    live: cat /run/app/release
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import msgspec

from fleetctl.playbook import releasetree as tree
from fleetctl.playbook.kinds import (
    Artifact,
    KindContext,
    SchemaNumber,
    SchemaWords,
    StepDraft,
    StepKind,
)
from fleetctl.playbook.operations import Exec, Put, Retry
from fleetctl.playbook.substitute import check_shell, names_in, shell_template_of
from fleetctl.playbook.units import Seconds, seconds

AGAIN = Retry(attempts=1)
"""Idempotent: may be done again when nobody knows how it ended. What failed stays failed, since
trying again at once would mend nothing but only wait for bad health twice."""
MARGIN_S = 30.0
"""What a part that watches for a while gets on top, for its last look."""
_URL = re.compile(r"https?://")


class Requires(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be so elsewhere before this release runs here."""

    schema: SchemaNumber | None = None
    """The migration all instances must have: its number, or `release`: the one the release says."""


class Deploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the author wrote."""

    to: str
    """Where the application lives on the host: absolute, or relative to the login's home."""
    keep: Annotated[int, msgspec.Meta(ge=1)] = 3
    """Releases to keep on the host; the live one and the one before it are kept in any case."""
    restart: str | tuple[str, ...] = ""
    """Run after a switch: argv or sh text."""
    health: str = ""
    """sh text that exits 0, or a URL that answers below 400, both asked on the host."""
    health_timeout: Seconds = seconds(60)
    """How long `health` and `live` may take to come right."""
    live: str = ""
    """sh text whose last line says which release the running application is."""
    requires: Requires = Requires()


def compile_deploy(deploy: Deploy, context: KindContext) -> tuple[StepDraft, ...]:
    """The parts of a deploy in order; raises ValueError."""
    assert context.artifact is not None
    texts = _Texts(_checked(deploy), context.artifact)
    return tuple(part for part in _parts(texts) if part is not None)


KIND = StepKind(
    word="deploy",
    model=Deploy,
    compile=compile_deploy,
    needs_release=True,
    schema=lambda value: SchemaWords(needs=value.requires.schema),
)


class _Texts:
    """Puts the sh texts of one deploy together: settings, author's functions, then what to do."""

    def __init__(self, deploy: Deploy, artifact: Artifact) -> None:
        self.deploy = deploy
        self.artifact = artifact
        self._settings = {
            "FLEETCTL_RELEASE": artifact.release,
            "FLEETCTL_ROOT": deploy.to,
        }
        self._facts = {
            "sha256": artifact.sha256,
            "content": artifact.content or artifact.sha256,
            "keep": str(deploy.keep),
            "patience": str(math.ceil(deploy.health_timeout)),
            "restarts": "yes" if deploy.restart else "",
        }

    def text(self, *pieces: str, authors: str = "") -> str:
        words = [f"{name}={shell_template_of([value])}" for name, value in self._settings.items()]
        used = [name for name in self._facts if any(f"${name}" in piece for piece in pieces)]
        words += [f"{name}={shell_template_of([self._facts[name]])}" for name in used]
        head = "\n".join([" ".join(words), "export FLEETCTL_RELEASE FLEETCTL_ROOT"])
        return "\n".join(part.strip("\n") for part in (head, authors, tree.BASE, *pieces) if part)

    @property
    def restart(self) -> str:
        restart = self.deploy.restart
        if not restart:
            return ""
        body = restart if isinstance(restart, str) else shell_template_of(restart)
        return _function("restart_application", body)

    @property
    def health(self) -> str:
        if not self.deploy.health:
            return ""
        if not self.fetches:
            return _function("healthy", self.deploy.health)
        return f"url={shell_template_of([self.deploy.health])}\n" + _function("healthy", tree.FETCH)

    @property
    def fetches(self) -> bool:
        return _URL.match(self.deploy.health) is not None


def _function(name: str, body: str) -> str:
    body = body.strip("\n")
    return f"{name}() (\n{body}\n)"


def _parts(texts: _Texts) -> tuple[StepDraft | None, ...]:
    return (
        _prepare(texts),
        _upload(texts),
        _unpack(texts),
        _switch(texts),
        _restart(texts),
        _health(texts),
        _verify(texts),
        _prune(texts),
    )


def _draft(part: str, title: str, operation: Exec | Put, **more: Any) -> StepDraft:
    if isinstance(operation, Exec):
        for text in (operation.act, operation.check, operation.undo):
            check_shell(text)
    return StepDraft(operation, title, part=part, **{"retry": AGAIN, **more})


def _prepare(texts: _Texts) -> StepDraft:
    fetcher = (tree.FETCHER_CHECK, tree.FETCHER) if texts.fetches else ("", "")
    check = texts.text(tree.PREPARE_CHECK, fetcher[0])
    act = texts.text(fetcher[1], tree.WRITING, tree.PREPARE)
    return _draft("prepare", f"prepare {texts.deploy.to}", Exec(act, check))


def _upload(texts: _Texts) -> StepDraft:
    artifact = texts.artifact
    dest = f"{texts.deploy.to}/archives/{artifact.release}.tar.gz"
    # The archive may hold files that are nobody else's to read.
    put = Put(artifact.path, artifact.sha256, artifact.size, dest, mode=0o600)
    return _draft("upload", f"upload {artifact.release}", put)


def _unpack(texts: _Texts) -> StepDraft:
    act = texts.text(tree.WRITING, tree.UNPACK)
    exec_ = Exec(act, texts.text(tree.UNPACK_CHECK))
    return _draft("unpack", f"unpack {texts.artifact.release}", exec_)


def _switch(texts: _Texts) -> StepDraft:
    undo = [tree.WRITING, tree.GO_BACK]
    authors = texts.restart
    if authors:
        undo.append(tree.RESTART)
    # A check that names the new release cannot tell whether the old one is well.
    if texts.health and "release.id" not in names_in([texts.deploy.health]):
        undo += [tree.DEADLINE, tree.HEALTH]
        authors = "\n".join(text for text in (authors, texts.health) if text)
    undo.append('printf "%s\\n" "$FLEETCTL_RELEASE"')
    exec_ = Exec(
        texts.text(tree.WRITING, tree.SWITCH),
        texts.text(tree.SWITCH_CHECK),
        texts.text(*undo, authors=authors),
    )
    title = f"switch {texts.deploy.to}/current to {texts.artifact.release}"
    return _draft("switch", title, exec_, undo_reads_release=True)


def _restart(texts: _Texts) -> StepDraft | None:
    if not texts.restart:
        return None
    act = texts.text(tree.RESTART, authors=texts.restart)
    exec_ = Exec(act, texts.text(tree.RESTART_CHECK))
    return _draft("restart", "restart", exec_, retry=None)


def _health(texts: _Texts) -> StepDraft | None:
    if not texts.health:
        return None
    act = texts.text(tree.DEADLINE, tree.HEALTH, authors=texts.health)
    exec_ = Exec(act, texts.text(tree.HEALTH_CHECK, authors=texts.health))
    return _draft("health", "check health", exec_, timeout_s=_watch_s(texts.deploy))


def _verify(texts: _Texts) -> StepDraft:
    pieces, authors, timeout_s = [tree.VERIFY], "", None
    if texts.deploy.live:
        pieces += [tree.DEADLINE, tree.VERIFY_LIVE]
        authors = _function("live_release", texts.deploy.live)
        timeout_s = _watch_s(texts.deploy)
    return _draft(
        "verify",
        "read the live release back",
        Exec(texts.text(*pieces, authors=authors)),
        timeout_s=timeout_s,
        reads_release=True,
        expects="{{release.id}}",
    )


def _prune(texts: _Texts) -> StepDraft:
    act = texts.text(tree.DOOMED, tree.PRUNE)
    exec_ = Exec(act, texts.text(tree.DOOMED, tree.PRUNE_CHECK))
    return _draft("prune", f"keep {texts.deploy.keep} releases", exec_)


def _watch_s(deploy: Deploy) -> float:
    return deploy.health_timeout + MARGIN_S


def _checked(deploy: Deploy) -> Deploy:
    """The same with a tidy `to`; raises ValueError for what would only fail on hosts."""
    to = deploy.to.removeprefix("~/").rstrip("/")
    if not to.strip() or "\n" in to or ".." in to.split("/") or to.startswith("~"):
        raise ValueError(
            f"to: {deploy.to!r} is no folder for an application; write /srv/app, "
            "or a path below the login's home"
        )
    restart = deploy.restart
    if not isinstance(restart, str) and not all(restart[:1]):
        raise ValueError("restart: the program's name is empty")
    if "release.id" in names_in([restart] if isinstance(restart, str) else restart):
        raise ValueError(
            "restart: {{release.id}} would be the wrong release when a host is taken back; "
            'write it as sh text with "$FLEETCTL_RELEASE"'
        )
    for name, text in (("restart", restart), ("health", deploy.health), ("live", deploy.live)):
        if isinstance(text, str):
            _check_author_text(name, text)
    return msgspec.structs.replace(deploy, to=to)


def _check_author_text(name: str, text: str) -> None:
    try:
        check_shell(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
