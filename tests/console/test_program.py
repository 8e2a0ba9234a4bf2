"""`fleetctl console` as it is started: over a lab's host with a real overseer, and wrongly."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from fleetctl.base.errors import UsageError
from fleetctl.cli.console import console
from fleetctl.inventory.model import Pools
from tests.cli.program import Program, end, wait_until
from tests.console.served import Answer, ask, form_token
from tests.labfixture import StartLab, a_fleet
from tests.pools.overseer.live import Host, host

pytestmark = pytest.mark.slow
TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def overseer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Keeps two pools that have an idle daemon each."""
    with host(tmp_path_factory.mktemp("h")) as made:
        made.write(
            kind={"task": made.taskmaster(down_after=600)},
            instances=[{"names": ["a", "b"], "kinds": ["task"]}],
        )
        made.start()
        shutil.copy(made.program, made.home / "overseer.pyz")
        yield made


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, module_lab_fleet: StartLab, overseer: Host
) -> Program:
    """A lab of one host on which the overseer works."""
    fleet = a_fleet({"repo": ["repo001"]})
    hosts = {n: msgspec.structs.replace(h, pools=Pools()) for n, h in fleet.hosts.items()}
    lab = module_lab_fleet(msgspec.structs.replace(fleet, hosts=hosts))
    at_the_lab = yaml.safe_load(lab.inventory.read_text())
    at_the_lab["tiers"]["repo"]["pools"]["home"] = str(overseer.home)
    lab.inventory.write_text(yaml.safe_dump(at_the_lab))
    return Program(tmp_path_factory.mktemp("p"), lab)


class Browsing:
    """A console in a process of its own, asked with a cookie."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)/", said)
        assert found is not None, said
        self.port = int(found[1])
        self._cookie = ""

    def log_in(self) -> None:
        """With the token."""
        answer = ask(self.port, "/login", {"token": TOKEN})
        self._cookie = answer.headers["set-cookie"].partition(";")[0]

    def get(self, path: str) -> str:
        """That page."""
        return ask(self.port, path, cookie=self._cookie).text

    def post(self, path: str, form: dict[str, str]) -> Answer:
        """That form."""
        return ask(self.port, path, form, cookie=self._cookie)


def test_it_asks_overseers_and_a_page_puts_pools_to_sleep(program: Program, overseer: Host) -> None:
    """What runs is on the page, the typed number hibernates it, and the run is in the journal."""
    overseer.until(lambda: len(overseer.pids()) == 2)
    token = program.write("token", f"{TOKEN}\n")
    token.chmod(0o600)
    words = ("--listen", "127.0.0.1:0", "--refresh", "1s", "--allow-actions")
    process = program.start("console", *words, "--token-file", str(token))
    try:
        desk = Browsing(process)
        desk.log_in()
        wait_until(lambda: "2 idle" in desk.get("/pools"), "the idle daemons")
        wait_until(lambda: "1 idle" in desk.get("/pools?by=instance"), "the instances")
        path = "/act/hibernate?kind=task&tier=repo"
        form = {"form": form_token(desk.get(path)), "kind": "task", "tier": "repo"}
        assert desk.post("/act/hibernate", form | {"number": "2"}).status == 400
        assert desk.post("/act/hibernate", form | {"number": "1"}).status == 303
        wait_until(lambda: "2 hibernating" in desk.get("/pools"), "the sleep")
        wait_until(lambda: "exit 0: all verified" in desk.get("/runs"), "the end")
        assert not overseer.pids()
        listed = program.here("runs", "list", "--output", "jsonl").stdout
        assert "hibernate" in listed
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        end(process)


def test_it_leaves_at_once_though_pages_listen(tmp_path: Path, program: Program) -> None:
    """Ctrl-C with an open stream: 130; SIGTERM: 0. No journal is made."""
    journal = tmp_path / "journal.db"
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 0)):
        process = program.start("console", "--listen", "127.0.0.1:0", "--journal", str(journal))
        try:
            port = Browsing(process).port
            assert "No push is running" in ask(port, "/").text
            listening = http.client.HTTPConnection("127.0.0.1", port)
            listening.request("GET", "/live")
            assert listening.getresponse().status == 200
            process.send_signal(number)
            assert process.wait(30) == code
            listening.close()
        finally:
            end(process)
    assert not journal.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--listen", "8420"), '"8420" is no address'),
        (("--listen", "[::1]"), "is no address"),
        (("--token-file", "readable"), "others may read the token"),
        (("--token-file", "short"), "the token is too short"),
        (("--token-file", "none"), "the token cannot be read"),
        (("--refresh", "0.1s"), '"0.1s" is too often'),
        (("--refresh", "soon"), "soon"),
    ],
)
def test_what_is_asked_for_wrongly_starts_nothing(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    """Refused with what is wrong before anything listens."""
    for name, text, mode in (("readable", TOKEN, 0o644), ("short", "short", 0o600)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    monkeypatch.chdir(tmp_path)
    inventory = ("--inventory", program.environ["FLEETCTL_INVENTORY"])
    with pytest.raises(UsageError, match=re.escape(said)):
        console.main([*words, *inventory], standalone_mode=False)
