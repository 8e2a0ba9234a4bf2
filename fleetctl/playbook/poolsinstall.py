"""The recipes that lay overseers down on hosts and take them away, and the look before it. Pure.

What is laid down on a host is an order in its variables (`ORDER`), so a frozen plan holds it whole.
"""

from __future__ import annotations

from typing import Any

from fleetctl.playbook.overseers import NAMED

ORDER, WISHED_INSTANCES = "overseer_order", "overseer_instances"
"""Variables a host is given for the plan: what is to be laid down, as JSON; the sh text that lists
its instances."""
SENT = ".fleetctl/programs/overseer-{version}.pyz"
"""Where the program is sent to, below the login's home, before it lays itself down."""
RAMP = (1, "25%", "100%")
_MARK = "==="
"""Begins a line of the look that no JSON we write and no instance's name can begin with."""

_RUN = '"$python" -I -S "$home/overseer.pyz" --home "$home"'

LOOK = (
    "list={{var.overseer_instances}}\n"
    + NAMED
    + r"""
look() {
  command -v "$python" >/dev/null || echo '=== lacks python'
  if [ -e "$home/laid.json" ]; then echo '=== laid'; cat "$home/laid.json"; echo; fi
  for file in "$home"/specs/*; do
    if [ -f "$file" ]; then printf '=== file %s\n' "${file##*/}"; cat "$file"; echo; fi
  done
  if [ -n "$list" ]; then
    echo '=== listing'
    names=$(eval "$list") && printf '=== instances\n%s\n' "$names" || echo "=== unlisted $?"
  fi
  if [ -e "$home/overseer.pyz" ]; then
    told=$("$python" -I -S "$home/overseer.pyz" --home "$home" --ask '{"do":"status"}' 2>/dev/null)
    printf '=== status %s\n%s\n' "$?" "$told"
  fi
}
look 2>&1 </dev/null | gzip -c | base64
"""
)
"""sh template: prints what there is of an overseer, and the instances that are wished, as sections
(see `sections`), compressed: a look's answer is bounded."""


def sections(told: str) -> dict[str, str]:
    """Heading -> text below it, of what a look printed."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in told.splitlines():
        if line.startswith(f"{_MARK} "):
            lines = found.setdefault(line.removeprefix(f"{_MARK} "), [])
        else:
            lines.append(line)
    return {heading: "\n".join(below) for heading, below in found.items()}


def installing(title: str, program: str, version: str, soak_s: float, budget: str) -> Any:
    """The recipe that sends the program in the file `program` and lets it lay itself down."""
    sent = SENT.format(version=version)
    lay = (
        f"order={{{{var.{ORDER}}}}}\n{NAMED}"
        f'printf \'%s\\n\' "$order" | "$python" -I -S "$HOME/{sent}" --home "$home" --lay\n'
    )
    well = {
        "command": f"{NAMED}{_RUN} --well",
        "name": "the overseer is the one laid down, and no pool got into trouble",
        "timeout": f"{soak_s + 30:g}s",
        "interval": "500ms",
        "soak": f"{soak_s:g}s",
    }
    return _recipe(
        title,
        budget,
        [
            {"upload": {"from": program, "to": sent, "mode": "0755"}, "name": "send the program",
             "idempotent": True},
            {"run": lay, "name": "check the specs, put them in place, tell the overseer",
             "idempotent": True, "timeout": "3m"},
        ],
        [well] if soak_s else [],
    )  # fmt: skip


def leaving(title: str, budget: str) -> Any:
    """The recipe that ends daemons and overseers and removes all of it."""
    return _recipe(
        title,
        budget,
        [
            {
                "run": f'{NAMED}[ -e "$home/overseer.pyz" ] || exit 0\n{_RUN} --leave\n',
                "name": "end the daemons gently, then the overseer, and remove it",
                "idempotent": True,
                "timeout": "15m",
            }
        ],
        [],
    )


def _recipe(title: str, budget: str, steps: list[Any], gates: list[Any]) -> Any:
    phase = {
        **{"name": "overseers", "hosts": "all", "batches": list(RAMP), "budget": budget},
        **{"steps": steps, "gates": gates},
    }
    return {"title": title, "phases": [phase]}
