"""Equal answers of many hosts are read once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.outcome import Outcome
from fleetctl.cli.folding import Said, answers_of, fold_answers
from fleetctl.rollout import records as r
from tests.cli.samples import WEB, Story


def _said(host: str, text: str, status: int = 0) -> Said:
    return Said(host, Outcome.FAILED if status else Outcome.CHANGED, status, text)


def test_equal_answers_are_told_once_under_their_hosts() -> None:
    """The largest group first, then by name; a failed command says its exit status."""
    answers = [_said(f"db{number:03d}", "up 3 days\n") for number in range(1, 16)]
    answers += [
        _said("db016", "sh: no\n", 127),
        Said("db017", Outcome.UNREACHABLE, None, "", "refused"),
    ]
    assert fold_answers(answers) == [
        "---------------",
        "db[001-015] (15)",
        "---------------",
        "up 3 days",
        "---------------",
        "db016 (1): exit 127",
        "---------------",
        "sh: no",
        "---------------",
        "db017 (1): unreachable: refused",
        "---------------",
    ]  # fmt: skip


def test_the_answers_of_a_run_are_what_its_steps_said() -> None:
    """A host without an end has no answer yet."""
    story = Story().open().tell(r.PhaseBegan("web")).send("web", WEB)
    for host, text in ((WEB[1], b"two\n"), (WEB[0], b"one\n")):
        story.tell(
            r.StepSettled(
                "web", host, "p2-s01-run", Outcome.CHANGED, 0, stdout=text, stderr=b"e\n"
            ),
            r.HostSettled("web", host, Outcome.CHANGED),
        )
    assert [(said.host, said.text) for said in answers_of(story.view())] == [
        ("web001", "one\ne\n"),
        ("web002", "two\ne\n"),
    ]


@given(
    st.dictionaries(st.from_regex(r"h[0-9]{2}", fullmatch=True), st.sampled_from("ab"), min_size=1)
)
def test_no_host_is_lost_in_folding(texts: dict[str, str]) -> None:
    """The counts of the groups add up to the hosts that answered."""
    lines = fold_answers(_said(host, text) for host, text in texts.items())
    counts = [int(line.rsplit("(", 1)[1].rstrip(")")) for line in lines if "(" in line]
    assert sum(counts) == len(texts)
    assert len(counts) == len(set(texts.values()))
