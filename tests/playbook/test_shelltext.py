"""Values put into sh texts, read back through a real shell."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fleetctl.playbook.substitute import check_shell, fill_shell, shell_template_of

SHELLS = [name for name in ("sh", "dash", "bash", "busybox") if shutil.which(name)]
HOSTILE = (
    "plain", "", " ", "a b", "'", '"', "''\"'", "\\", "\\\\", "a\\", "$HOME", "$(touch pwned)",
    "`touch pwned`", "${x}", "a\nb", "\n", "x\n\n", "-rf", "--", "-n", "~", "*", "?[a]", "{{x}}",
    "!!", "#no comment", "a;b", "a&b|c", "<x >y", "é ü 漢字 🎉", "\u202e", "\x01\x7f", "\r\n", "\t",
    "'; exit 3; '", '"; exit 3; "', "EOF\nexit 3", ")", "))", "if", "a=b",
)  # fmt: skip
PLACES = (
    "printf '%s\\n' {{var.x}}; printf .",
    "printf '%s\\n' \"{{var.x}}\"; printf .",
    "printf '%s\\n' '{{var.x}}'; printf .",
    "v={{var.x}}; printf '%s\\n' \"$v\"; printf .",
    "v=\"$(printf '%s.' {{var.x}})\"; printf '%s\\n' \"${v%.}\"; printf .",
    'v="$(printf \'%s.\' "{{var.x}}")"; printf \'%s\\n\' "${v%.}"; printf .',
    "# it's a comment with \"quotes\nprintf '%s\\n' {{var.x}}; printf .",
    "cat >/dev/null <<'END'\nit's \"free\nEND\nprintf '%s\\n' {{var.x}}; printf .",
    'n=$((1<<2)); : ${n:-x} "$#"; printf \'%s\\n\' "{{var.x}}"; printf .',
    "case x in x) printf '%s\\n' {{var.x}};; esac; printf .",
    "printf '%s\\n' \\\n  {{var.x}}; printf .",
    'sh -c \'printf "%s\\n" "$1"\' - {{var.x}}; printf .',
)


def _said(shell: str, text: str) -> str:
    argv = [shell, "sh", "-c", text] if shell == "busybox" else [shell, "-c", text]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_values_arrive_unchanged(shell: str, place: str) -> None:
    """Every hostile value is printed as itself from every kind of place, by every shell here."""
    script = "\n".join(fill_shell(place, lambda _, v=v: v) for v in HOSTILE)  # type: ignore[misc]
    assert _said(shell, script) == "".join(f"{value}\n." for value in HOSTILE)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_values_arrive_unchanged(values: list[str]) -> None:
    """Whatever a value holds, sh prints it as itself from every kind of place."""
    filled = (fill_shell(place, lambda _, v=v: v) for place in PLACES for v in values)  # type: ignore[misc]
    assert _said("sh", "\n".join(filled)) == "".join(f"{v}\n." for v in values) * len(PLACES)


@given(st.text(alphabet="'\"\\$(){}`#<EOF\n ;x"), st.sampled_from(HOSTILE))
@settings(max_examples=120, deadline=None)
def test_a_text_is_filled_only_where_two_values_read_alike(text: str, value: str) -> None:
    """After any beginning of a text, sh reads a hostile value as well as a plain one."""
    template = text + "{{var.x}}"
    try:
        plain, hostile = (fill_shell(template, lambda _, v=v: v) for v in ("x", value))  # type: ignore[misc]
    except ValueError:
        return
    checked = [_parses(plain), _parses(hostile)]
    assert checked[0] == checked[1], (plain, hostile)


def _parses(text: str) -> bool:
    """Whether sh can read the text to its end (-n: nothing is run)."""
    done = subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True, timeout=60)
    return done.returncode == 0


REFUSED = {
    "cat <<END\n{{var.x}}\nEND": "here-document",
    "cat <<-'END'\n\t{{var.x}}\n\tEND\n": "here-document",
    "true # {{var.x}}": "comment",
    "echo `echo {{var.x}}`": "backquote",
    "echo ${y:-{{var.x}}}": "${...}",
    "echo ${y:-\"z\"} {{var.x}}": "${...}",
    "echo $(( {{var.x}} + 1 ))": "$((...))",
    'echo "${{var.x}}"': "$",
    "echo \\{{var.x}}": "backslash",
    'echo "\\{{var.x}}"': "backslash",
    "echo $'{{var.x}}'": "$'",
    "echo $(case x in x) echo {{var.x}};; esac)": "case",
    "cat <<{{var.x}}": "here-document",
    "sh -c 'echo {{var.x}}'": "code",
    'su app -c "echo {{var.x}}"': "code",
    "eval echo {{var.x}}": "code",
    "ssh db001 'echo {{var.x}}'": "code",
    "[[ {{var.x}} -eq 1 ]]": "[[",
    "(( {{var.x}} ))": "((",
    "cat <<<{{var.x}}": "here-document",
}  # fmt: skip


@pytest.mark.parametrize(("template", "word"), REFUSED.items())
def test_places_that_cannot_be_quoted_are_refused(template: str, word: str) -> None:
    """A name where quoting cannot be made safe is an error that says why and the way out."""
    with pytest.raises(ValueError, match=r"var\.x") as caught:
        check_shell(template)
    assert word in str(caught.value)
    assert 'v={{var.x}}, then use "$v"' in str(caught.value)


@given(st.lists(st.text(st.characters(exclude_characters="\0{", exclude_categories=["Cs"])),
                max_size=5), st.sampled_from(HOSTILE))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_an_argv_reaches_the_program_word_for_word(words: list[str], value: str) -> None:
    """Each element of a list becomes exactly one argument, with names filled inside it."""
    assume(not any(re.search(r"sh$|eval|trap|su(do)?$|exec$|env$|-c$", word) for word in words))
    template = shell_template_of(["printf", "%s\\0", "", *words, "pre-{{var.x}}'post"])
    said = _said("sh", fill_shell(template, lambda _: value))
    assert said.split("\0")[:-1] == ["", *words, f"pre-{value}'post"]


def test_a_script_inside_an_argv_takes_no_names() -> None:
    """`[sh, -c, ...{{x}}...]` is refused: the inner shell would read the value as code."""
    with pytest.raises(ValueError, match="read as code"):
        shell_template_of(["sh", "-c", "echo {{host.name}}"])


INJECTIONS = (
    "'; pwn; '", '"; pwn; "', "$(pwn)", "`pwn`", "\npwn\n", ")\npwn\n", "'\npwn\n'", '"\npwn\n"',
    ";pwn;", "\\\npwn\n", "END\npwn\n", "}\npwn\n", "a) pwn;; b", "#\npwn\n", "& pwn &",
    "\\`pwn\\`",
)  # fmt: skip
AROUND = (
    "x a # it's \"odd\n", "cat <<END\nit's $((1)) \"\nEND\n", "cat <<-'END'\n\t`'\n\tEND\n",
    "case x in x) x 'b)';; (y) x ;; esac\n", "x $((1<<2)) ${y:-a} \"${y#*.}\" $#\n", "x `x 'a'`\n",
    "x \"${y:-'}\"\n", "x \"$(x \")\" 'b)')\"\n", "x $(x a # )\n)\n", "x a\\\nb \\\n#c\n",
    "x $(case a in a) x b;; esac)\n", "x \\' \\\" \\\\\n", "cat <<END; x 'a\n'\nEND\nEND\n",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(AROUND), max_size=3), st.sampled_from(PLACES),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from("'\"\\$(){}`#\n ;<")), max_size=2),
    st.sampled_from(INJECTIONS),
)  # fmt: skip
@example(
    ["x \\' \\\" \\\\\n"], "# it's a comment with \"quotes\nprintf '%s\\n' {{var.x}}", [], "$(pwn)"
)
def test_no_value_is_ever_run(
    around: list[str], place: str, slips: list[tuple[int, str]], value: str
) -> None:
    """In odd texts, with slips of the pen in them, a value that gets in is never executed."""
    place = place.replace("printf", "x").replace(" >/dev/null", "")  # slips must not write files
    text = "".join(around) + place + "\n"
    for at, char in slips:
        text = text[: at % len(text)] + char + text[at % len(text) :]
    try:
        script = fill_shell(text, lambda _: value)
    except ValueError:
        return
    known = "pwn() { echo executed >&2; }\nx() { printf '[%s]' \"$@\"; }\n"
    for shell in ("sh", "bash") if "bash" in SHELLS else ("sh",):
        done = subprocess.run([shell, "-c", known + script], capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL)  # fmt: skip
        assert b"executed" not in done.stderr, text
