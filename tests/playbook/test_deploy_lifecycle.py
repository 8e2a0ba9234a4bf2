"""The deploy step's texts, really run: every shell, with only the programs a host must have."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.units import Seconds
from fleetctl.releases.store import ReleaseStore
from tests.playbook.deployhost import (
    SHELLS,
    DeployHost,
    drafts_of,
    make_host,
    make_release,
    part_of,
)

RESTART = 'echo "$FLEETCTL_RELEASE" >> restarts'
LIVE = 'while read -r line; do last=$line; done < restarts; echo starting; echo "$last"'
WHOLE = {
    "restart": RESTART,
    "health": "test -f app/current/VERSION",
    "live": LIVE,
    "health_timeout": Seconds(1),
}
ALL_CHECKED = {
    "prepare": "checked",
    "upload": "checked",
    "unpack": "checked",
    "switch": "checked",
    "restart": "checked",
    "health": "checked",
    "verify": "acted",
    "prune": "checked",
}


@pytest.fixture(params=list(SHELLS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> DeployHost:
    if shutil.which(SHELLS[request.param][0]) is None:
        pytest.skip(f"{request.param} is not installed here")
    return make_host(tmp_path, request.param)


@pytest.fixture
def dash(tmp_path: Path) -> DeployHost:
    return make_host(tmp_path, "dash")


def restarts(host: DeployHost) -> list[str]:
    return (host.home / "restarts").read_text().split()


def well(ends: dict[str, str]) -> bool:
    return list(ends.values()).count("acted") + list(ends.values()).count("checked") == len(ends)


def test_a_life_of_releases(host: DeployHost, tmp_path: Path) -> None:
    """v1, v2, v2 again (nothing happens), back to v1, v3: links, restarts and folders as told."""
    v1, v2 = (make_release(tmp_path, id) for id in ("v1", "v2"))
    assert well(host.deploy(drafts_of(host, v1, **WHOLE)))
    assert (host.link("current"), host.link("previous")) == ("releases/v1", None)
    drafts = drafts_of(host, v2, **WHOLE)
    assert host.deploy(drafts)["switch"] == "acted"
    assert (host.link("current"), host.link("previous")) == ("releases/v2", "releases/v1")
    assert host.deploy(drafts) == ALL_CHECKED
    assert restarts(host) == ["v1", "v2"]
    for _ in range(2):  # going back twice is going back once
        back = host.undo(drafts)
        assert (back.returncode, back.stdout) == (0, "v1\n")
        assert (host.link("current"), host.link("previous")) == ("releases/v1", None)
        assert restarts(host) == ["v1", "v2", "v1"]
    v3 = make_release(tmp_path, "v3")
    assert well(host.deploy(drafts_of(host, v3, **WHOLE)))
    assert (host.root / "current" / "VERSION").read_text() == "v3\n"
    assert os.access(host.root / "current" / "bin" / "start", os.X_OK)
    assert sorted(path.name for path in (host.root / "releases").iterdir()) == ["v1", "v2", "v3"]


def test_old_releases_go_and_the_live_and_the_previous_stay(
    host: DeployHost, tmp_path: Path
) -> None:
    """Only releases of ours are removed, by their last switch; never the way back."""
    releases = {id: make_release(tmp_path, id) for id in ("a", "b", "c", "d")}
    (host.root / "releases" / "mine").mkdir(parents=True)
    for id in ("a", "b", "c", "a", "d"):
        assert well(host.deploy(drafts_of(host, releases[id], keep=2)))
    kept = ["a", "d"]
    assert sorted(p.name for p in (host.root / "releases").iterdir()) == [*kept, "mine"]
    assert sorted(p.name for p in (host.root / "archives").iterdir()) == [
        f"{id}.tar.gz" for id in kept
    ]
    assert well(host.deploy(drafts_of(host, releases["b"], keep=1)))
    assert host.link("previous") == "releases/d"
    assert (host.root / "previous" / "VERSION").read_text() == "d\n"


@pytest.mark.parametrize(
    "to", ["a b/$(touch hacked)", "-rf", "it's", 'quo"te', "`x`;y", "*", "ü/é"]
)
def test_a_hostile_path_is_only_a_path(host: DeployHost, tmp_path: Path, to: str) -> None:
    """Spaces, quotes and commands in a value put into the path reach the shell as text."""
    host.values["var.app"] = to
    release = make_release(tmp_path, "v1+x.2_3-4.tar.gz", **{"a b;$(x)\n'": "odd\n"})
    drafts = drafts_of(host, release, to="{{var.app}}", restart="true")
    assert well(host.deploy(drafts))
    assert (host.home / to / "current" / "a b;$(x)\n'").read_text() == "odd\n"
    assert host.deploy(drafts)["prune"] == "checked"
    assert sorted(path.name for path in host.home.iterdir()) == [to.split("/")[0]]


def test_an_absolute_root_is_taken_as_it_is(dash: DeployHost, tmp_path: Path) -> None:
    """Only relative roots stand below the login's home."""
    drafts = drafts_of(dash, make_release(tmp_path, "v1"), to=str(tmp_path / "srv"))
    assert well(dash.deploy(drafts))
    assert (tmp_path / "srv" / "current" / "VERSION").read_text() == "v1\n"


@pytest.mark.parametrize("program", ["tar", "gzip", "sha256sum"])
def test_a_missing_program_is_named_before_anything_changes(
    dash: DeployHost, tmp_path: Path, program: str
) -> None:
    """Coreutils have no tar: a host without it says so, and stays as it is."""
    (dash.programs / program).unlink()
    ends = dash.deploy(drafts_of(dash, make_release(tmp_path, "v1")))
    assert list(ends) == ["prepare"]
    assert ends["prepare"].startswith(f"missing on this host: {program}\nhint: ")
    assert not dash.root.exists()


def test_an_application_that_is_no_link_is_left_alone(dash: DeployHost, tmp_path: Path) -> None:
    """A real folder named `current` is somebody's application, not ours to move."""
    (dash.root / "current").mkdir(parents=True)
    ends = dash.deploy(drafts_of(dash, make_release(tmp_path, "v1")))
    assert "is no link" in ends["prepare"]
    assert [path.name for path in dash.root.iterdir()] == ["current"]


def test_a_damaged_upload_is_never_unpacked(host: DeployHost, tmp_path: Path) -> None:
    """What arrived is hashed again on the host; the live release stays."""
    drafts = drafts_of(host, make_release(tmp_path, "v1"))
    for part in ("prepare", "upload"):
        assert host.step(part_of(drafts, part)) == "acted"
    with (host.root / "archives" / "v1.tar.gz").open("ab") as file:
        file.write(b"x")
    assert "the upload is damaged" in host.step(part_of(drafts, "unpack"))
    assert list((host.root / "releases").iterdir()) == []


def test_the_same_id_with_another_content_is_refused_on_the_host(
    host: DeployHost, tmp_path: Path
) -> None:
    """Two machines that made different releases of one id cannot overwrite each other's."""
    assert well(host.deploy(drafts_of(host, make_release(tmp_path, "v1"))))
    (tmp_path / "other").mkdir()
    other = make_release(tmp_path / "other", "v1", more="x")
    assert "with another content" in host.deploy(drafts_of(host, other))["unpack"]
    assert (host.root / "current" / "VERSION").read_text() == "v1\n"


def test_a_restart_that_failed_is_run_again_by_the_next_deploy(
    host: DeployHost, tmp_path: Path
) -> None:
    """The switch is done, so it is skipped; the restart it needs is not forgotten."""
    release = make_release(tmp_path, "v1")
    ends = host.deploy(drafts_of(host, release, restart="echo oh >&2; exit 3"))
    assert ends["restart"] == "oh\nthe restart command ended with exit status 3\n"
    ends = host.deploy(drafts_of(host, release, **WHOLE))
    assert (ends["switch"], ends["restart"]) == ("checked", "acted")
    assert host.deploy(drafts_of(host, release, **WHOLE)) == ALL_CHECKED


def test_a_restart_given_as_words_keeps_them(host: DeployHost, tmp_path: Path) -> None:
    """An argv reaches the program as it was written, host values put in."""
    shown = host.home / "words"
    (host.programs / "tell").write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{shown.name}"\n')
    (host.programs / "tell").chmod(0o755)
    words = ("tell", "a b", "$HOME;'", "{{host.name}}")
    assert well(host.deploy(drafts_of(host, make_release(tmp_path, "v1"), restart=words)))
    assert shown.read_text() == "a b|$HOME;'|db001|"


def test_the_first_release_has_no_way_back(host: DeployHost, tmp_path: Path) -> None:
    """Going back from nothing is told, and changes nothing."""
    drafts = drafts_of(host, make_release(tmp_path, "v1"), **WHOLE)
    assert well(host.deploy(drafts))
    back = host.undo(drafts)
    assert back.returncode == 1
    assert "no previous release" in back.stderr
    assert host.link("current") == "releases/v1"


def test_health_is_waited_for_and_given_up_in_time(host: DeployHost, tmp_path: Path) -> None:
    """A slow start is no failure; what never comes right fails with its last words."""
    release = make_release(tmp_path, "v1")
    slow = "echo x >> tries; read -r a < tries; test $(wc -l < tries) -gt 2"
    (host.programs / "wc").symlink_to(str(shutil.which("wc")))
    ends = host.deploy(drafts_of(host, release, health=slow, health_timeout=Seconds(60)))
    assert ends["health"] == "acted"
    ends = host.deploy(
        drafts_of(host, release, health="echo no answer >&2; exit 7", health_timeout=Seconds(1))
    )
    assert ends["health"] == "no answer\nnot healthy after 1 s (exit status 7)\n"


def test_time_to_be_healthy_is_not_what_is_left_of_a_second(
    host: DeployHost, tmp_path: Path
) -> None:
    """Begun at the very end of a second, an application has all of the time it was promised."""
    clock = host.programs / "date"
    clock.unlink()
    clock.write_text('#!/bin/sh\n[ ! -f "$HOME/asked" ] || { echo 101; exit; }\n'
                     ': > "$HOME/asked"; echo 100\n')  # fmt: skip
    clock.chmod(0o755)
    (host.programs / "wc").symlink_to(str(shutil.which("wc")))
    fifth = "echo x >> tries; test $(wc -l < tries) -gt 4"
    drafts = drafts_of(host, make_release(tmp_path, "v1"), health=fifth, health_timeout=Seconds(1))
    assert host.deploy(drafts)["health"] == "acted"


def test_an_application_that_runs_another_release_is_found_out(
    host: DeployHost, tmp_path: Path
) -> None:
    """The link alone proves nothing: what the running application says is what counts."""
    drafts = drafts_of(
        host, make_release(tmp_path, "v2"), live="echo v1", health_timeout=Seconds(0)
    )
    ends = host.deploy(drafts)
    assert "current is v2, but the application says it runs v1" in ends["verify"]
    verify = part_of(drafts, "verify").operation
    assert isinstance(verify, Exec)
    assert host.sh(verify.act).stdout.splitlines()[-1] == "v1"


@pytest.fixture
def web() -> Iterator[str]:
    """A server that answers 200 on /ok and 404 elsewhere."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/ok" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("fetcher", ["curl", "wget", "busybox"])
def test_a_health_url_is_fetched_with_what_the_host_has(
    dash: DeployHost, tmp_path: Path, web: str, fetcher: str
) -> None:
    """curl or any wget will do; a host with neither says so before anything changes."""
    found = shutil.which(fetcher)
    if found is None:
        pytest.skip(f"{fetcher} is not installed here")
    release = make_release(tmp_path, "v1")
    wrong = drafts_of(dash, release, health=f"{web}/wrong", health_timeout=Seconds(0))
    assert "missing on this host: curl or wget" in dash.deploy(wrong)["prepare"]
    (dash.programs / fetcher.replace("busybox", "wget")).symlink_to(found)
    assert well(dash.deploy(drafts_of(dash, release, health=f"{web}/ok")))
    assert "not healthy" in dash.deploy(wrong)["health"]


@pytest.mark.slow
def test_a_reader_never_finds_current_missing(host: DeployHost, tmp_path: Path) -> None:
    """While releases are switched as fast as can be, every read finds a whole one."""
    switches: list[StepDraft] = []
    for id in ("v1", "v2"):
        drafts = drafts_of(host, make_release(tmp_path, id))
        assert well(host.deploy(drafts))
        switches.append(part_of(drafts, "switch"))
    seen: dict[str, int] = {}
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                text = (host.root / "current" / "VERSION").read_text().strip()
            except OSError as error:
                text = str(error)
            seen[text] = seen.get(text, 0) + 1
            time.sleep(0)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(20):
            assert host.step(switches[number % 2]) == "acted"
    finally:
        stop.set()
        reader.join()
    assert set(seen) == {"v1", "v2"}


def test_odd_file_names_arrive_as_they_are(host: DeployHost, tmp_path: Path) -> None:
    """Names that are no UTF-8, long paths, empty folders and links survive artifact and tar."""
    source = tmp_path / "odd"
    deep = source.joinpath(*(["d" * 90] * 4))
    deep.mkdir(parents=True)
    (source / "empty").mkdir()
    (deep / ("f" * 200)).write_text("deep\n")
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\n")).write_text("raw\n")
    (source / "up").symlink_to("d" * 90)
    (deep / "link").symlink_to("../" + "d" * 90 + "/" + "f" * 200)
    (source / "secret").write_text("s\n")
    (source / "secret").chmod(0o600)
    store = ReleaseStore(tmp_path / "store")
    drafts = drafts_of(host, store.artifact(store.add(source, "v1").id))
    assert well(host.deploy(drafts))
    live = host.root / "releases" / "v1"
    assert {path.name for path in live.iterdir()} == {path.name for path in source.iterdir()}
    assert live.joinpath(*(["d" * 90] * 4), "link").read_text() == "deep\n"
    assert (live / "secret").stat().st_mode & 0o777 == 0o600
    assert time.time() - (live / "secret").stat().st_mtime < 3600
