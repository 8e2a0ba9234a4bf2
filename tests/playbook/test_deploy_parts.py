"""What the deploy step compiles to, and what it refuses before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.playbook.kinds import Artifact, KindContext, StepDraft
from fleetctl.playbook.operations import Exec, Put
from fleetctl.playbook.steps.deploy import KIND, Deploy
from fleetctl.playbook.units import Seconds

ARTIFACT = Artifact("v2", "/store/v2/artifact.tar.gz", "a" * 64, 1234, "c" * 64)


def compiled(**keys: object) -> dict[str, StepDraft]:
    context = KindContext("/playbooks", ARTIFACT, lambda path: ("", 0))
    drafts = KIND.compile(Deploy(**{"to": "/srv/app", **keys}), context)  # type: ignore[arg-type]
    return {draft.part: draft for draft in drafts}


def test_only_what_was_asked_for_becomes_a_part() -> None:
    """No restart and no health means none is run; the live release is read back in any case."""
    least = ["prepare", "upload", "unpack", "switch", "verify", "prune"]
    assert list(compiled()) == least
    whole = compiled(restart="true", health="true", live="true")
    assert list(whole) == [*least[:4], "restart", "health", "verify", "prune"]


def test_the_upload_goes_where_unpack_looks_for_it_and_is_private() -> None:
    """The archive may hold private files; nobody but the login reads it."""
    put = compiled(to="~/app/")["upload"].operation
    assert put == Put(ARTIFACT.path, "a" * 64, 1234, "app/archives/v2.tar.gz", mode=0o600)


def test_only_the_live_release_is_read_back() -> None:
    """Exactly one part answers which release a host runs, and must answer the planned one."""
    reading = [draft for draft in compiled(live="true").values() if draft.reads_release]
    assert [(draft.part, draft.expects) for draft in reading] == [("verify", "{{release.id}}")]


def test_only_the_authors_restart_is_never_repeated_blindly() -> None:
    """Our own parts may be repeated after any interruption; what the author restarts may not."""
    parts = compiled(restart="true", health="true")
    assert [part for part, draft in parts.items() if draft.retry is None] == ["restart"]


def test_a_part_that_watches_is_given_its_time() -> None:
    """The deadline of the watching text comes before the step's own."""
    parts = compiled(health="true", live="true", health_timeout=Seconds(90))
    assert parts["health"].timeout_s == parts["verify"].timeout_s == 120
    assert parts["unpack"].timeout_s is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"to": "/"}, "no folder for an application"),
        ({"to": "  "}, "no folder for an application"),
        ({"to": "../app"}, "no folder for an application"),
        ({"to": "~bob/app"}, "no folder for an application"),
        ({"to": "/srv/{{var.}}"}, "names nothing"),
        ({"restart": ("",)}, "name is empty"),
        ({"restart": "app {{release.id}}"}, r"\$FLEETCTL_RELEASE"),
        ({"restart": ("app", "{{release.id}}")}, r"\$FLEETCTL_RELEASE"),
        ({"health": "sh -c 'x {{host.name}}'"}, "health: .*another shell"),
        ({"live": "`x` {{host.name}}"}, "live: .*backquote"),
    ],
)
def test_what_could_only_fail_on_hosts_is_refused(keys: dict[str, object], words: str) -> None:
    """The author hears of it before the first connection."""
    with pytest.raises(ValueError, match=words):
        compiled(**keys)


def test_every_text_is_small_enough_to_send_with_every_order() -> None:
    """All parts together stay below what travels in a few packets."""
    parts = compiled(restart="true", health="http://localhost/", live="true")
    texts = [draft.operation for draft in parts.values() if isinstance(draft.operation, Exec)]
    assert sum(len(one.act) + len(one.check) + len(one.undo) for one in texts) < 24_000


def test_the_kind_is_found_by_its_word() -> None:
    """A playbook's `deploy` is this kind, and asks for a release."""
    from fleetctl.playbook.kinds import step_kinds

    assert step_kinds()["deploy"] is KIND
    assert KIND.needs_release
    assert Path(KIND.compile.__code__.co_filename).name == "deploy.py"
