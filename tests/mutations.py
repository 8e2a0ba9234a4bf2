"""The product with one guard taken out of its source: some test must fail.

    python -m tests.mutations [--only WORDS]

Promises 1 to 5 are tried in every test run, over the simulation (`tests/sim/mutants.py`). Here are
the guards a simulation has none of: input, waits, secrets, leases. Each is taken out of a copy of
the tree, in which the tests named with it are run; it takes some minutes and is not part of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_ROOMS = ("fleetctl", "tests", "inventory", "playbooks", "docs", "bench", "pyproject.toml")
_PATIENCE_S = 240


class Mutation(NamedTuple):
    """One guard, and who should miss it."""

    name: str
    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_SECRETS = ("tests/cli/test_secrets.py", "tests/transport/test_secret_steps.py",
            "tests/base/test_redaction.py", "tests/cli/test_vault.py")  # fmt: skip
_LEASES = (
    "tests/transport/test_lease.py",
    "tests/rollout/test_ground.py",
    "tests/cli/test_lock.py",
)
_WAITS = ("tests/transport/test_faults.py", "tests/transport/test_dispatch.py",
          "tests/transport/test_contract.py", "tests/transport/test_runner_steps.py")  # fmt: skip
_ROUNDS = ("tests/transport/test_rounds.py",)
_INPUT = ("tests/inventory", "tests/playbook", "tests/plan")
_CORE = ("tests/pools/overseer/test_table.py", "tests/pools/overseer/test_napping.py",
         "tests/pools/overseer/test_orders.py", "tests/pools/overseer/test_failures.py",
         "tests/pools/overseer/test_scaling.py", "tests/pools/overseer/test_specs.py",
         "tests/pools/overseer/test_laws.py::test_nothing_starts_after_the_end_began")  # fmt: skip
_LIVE = ("tests/pools/overseer/test_live.py",)
_OVERSEER = "fleetctl/pools/overseer/"

MUTATIONS = (
    # 6. A typo changes nothing, and is told with its place.
    Mutation("unknown keys of an inventory are passed over", "6", "fleetctl/inventory/source.py",
             "forbid_unknown_fields=True", "forbid_unknown_fields=False",
             ("tests/inventory/test_native.py",)),
    Mutation("unknown keys of a playbook are passed over", "6", "fleetctl/playbook/source.py",
             "forbid_unknown_fields=True", "forbid_unknown_fields=False", _INPUT),
    Mutation("a host pattern may match nothing", "6", "fleetctl/inventory/select.py",
             "        found, missing = _match(pattern, hosts, where)\n        if missing:",
             "        found, missing = _match(pattern, hosts, where)\n        if False:", _INPUT),
    Mutation("a tier may match nothing", "6", "fleetctl/inventory/select.py",
             "self.fleet.tiers, where)\n        if missing:",
             "self.fleet.tiers, where)\n        if False:", _INPUT),
    Mutation("flags may leave no host", "6", "fleetctl/inventory/select.py",
             "    if not found:\n        raise UsageError(",
             "    if False:\n        raise UsageError(",
             (*_INPUT, "tests/cli/test_inventory.py")),
    # 7. A hung, frozen or flooding host delays nobody.
    Mutation("the watchdog does not bite", "7", "fleetctl/transport/watchdog.py",
             "                bite()", "                pass", _WAITS),
    Mutation("looks at a host that hangs take the threads of all", "7",
             "fleetctl/transport/dispatch.py", "                if look is not None:",
             "                if False:", ("tests/transport/test_dispatch.py",)),
    Mutation("silence is borne for ever", "7", "fleetctl/transport/session.py",
             "if not self._wire.answers(self._patience.answer_s):", "if False:", _WAITS),
    Mutation("a look has no deadline", "7", "fleetctl/transport/aside.py",
             "    while (left_s := deadline_s - time.monotonic()) > 0:\n        try:\n"
             "            chunk = channel.read(left_s)",
             "    while left_s := 1e6:\n        try:\n            chunk = channel.read(left_s)",
             _WAITS),
    Mutation("a step has no deadline", "7", "fleetctl/transport/runner.sh",
             '    [ "$_NOW" -ge "$_now_deadline" ] || continue', "    continue", _WAITS),
    Mutation("what hosts say is kept whole", "7", "fleetctl/transport/runner.sh",
             'elif [ "$_SIZE" -gt $((2 * _keep)) ]; then', "elif false; then", _WAITS),
    Mutation("an item has no deadline", "7", "fleetctl/transport/items.sh",
             '  [ -n "$_item_pid" ] && [ "$_NOW" -ge "$_item_due" ] || return', "  return",
             _ROUNDS),
    # 3 and 1, of items on a real host.
    Mutation("the record of an item is not looked at", "3", "fleetctl/transport/items.sh",
             '  [ -z "$_was_begun" ] || {', "  true || {", _ROUNDS),
    Mutation("an item that still runs is begun again", "3", "fleetctl/transport/items.sh",
             'if _lives "$_past_pid" "$_past_start" "$_past_boot"; then', "if false; then",
             _ROUNDS),
    Mutation("items begin after too many are lost", "1", "fleetctl/transport/items.sh",
             '[ $_lost -le "$_lose" ] || _shut=lost', ":", _ROUNDS),
    # 8. No secret leaves.
    Mutation("details are told as they are", "8", "fleetctl/transport/veil.py",
             "return change(event, detail=redactor.text(event.detail, cut=True))", "return event",
             _SECRETS),
    Mutation("lines of running steps are told as they are", "8", "fleetctl/transport/veil.py",
             "return change(event, line=redactor.text(event.line, cut=True))", "return event",
             _SECRETS),
    Mutation("probes tell what they saw", "8", "fleetctl/rollout/probes.py",
             "self._redact(detail)", "detail", _SECRETS),
    Mutation("head and tail are looked through apart", "8", "fleetctl/transport/veil.py",
             'head, tail = redactor.redact(output.head + output.tail), b""',
             "head, tail = redactor.redact(output.head), redactor.redact(output.tail)", _SECRETS),
    Mutation("a cut may show half of a secret", "8", "fleetctl/base/redaction.py",
             "if cut_end and (held := self.held(data)):", "if False:", _SECRETS),
    Mutation("a dead runner's secrets stay", "8", "fleetctl/transport/runner.sh",
             "  _sweep\n", "  :\n", _SECRETS),
    Mutation("a runner leaves a step's secrets behind", "8", "fleetctl/transport/runner.sh",
             '  case $5 in *w*) _wipe "$_D" ;; esac\n', "", _SECRETS),
    Mutation("a step's secrets outlive it", "8", "fleetctl/playbook/handover.py",
             "set -- $?\nrm -rf {folder}\n", "set -- $?\n",
             (*_SECRETS, "tests/playbook/test_secrets.py")),
    Mutation("standard input stays on the disk", "8", "fleetctl/playbook/handover.py",
             "exec <{folder}/0 && rm -f {folder}/0 || exit 74", "exec <{folder}/0 || exit 74",
             (*_SECRETS, "tests/playbook/test_secrets.py")),
    Mutation("standard output is not veiled", "8", "fleetctl/cli/veil.py",
             "    sys.stdout, sys.stderr = veils\n", "", _SECRETS),
    # Two people: the loser never touches a host.
    Mutation("a live lease is given to whoever asks", "leases", "fleetctl/transport/lease.sh",
             'if _alive && [ "$_holder" != "$2" ] && [ "$_holder" != "$4" ]; then',
             "if false; then", _LEASES),
    Mutation("a stolen lease goes on", "leases", "fleetctl/transport/lease.sh",
             '[ "$_word" = stolen ] && [ "$3" -le "$_number" ]', "false", _LEASES),
    Mutation("an older leg renews what a later one has", "leases", "fleetctl/transport/lease.sh",
             '[ "$_word" = held ] && [ "$3" -lt "$_number" ]', "false", _LEASES),
    Mutation("a lease never ends", "leases", "fleetctl/transport/lease.sh",
             "  [ $_left -gt 0 ]", "  :", _LEASES),
    Mutation("anybody gives a lease back", "leases", "fleetctl/transport/lease.sh",
             '[ "$_word $_holder $_number" != "held $_run $_order" ] ||', "", _LEASES),
    Mutation("some of the leases are enough", "leases", "fleetctl/transport/lease.sh",
             '  [ -z "$_refused" ] || return 0\n', "", _LEASES),
    Mutation("one keeper is a majority", "leases", "fleetctl/rollout/verdict.py",
             "if granted * 2 <= len(hosts):", "if not granted:", _LEASES),
    Mutation("a refusal is outvoted", "leases", "fleetctl/rollout/verdict.py",
             "if answer.tenures and not answer.granted:", "if False:", _LEASES),
    Mutation("orders go out under a lease nobody is sure of", "leases",
             "fleetctl/rollout/ground.py", "self._now_s() >= self._sure_until_s", "False", _LEASES),
    Mutation("a push does not ask for its lease", "leases", "fleetctl/rollout/ground.py",
             "        verdict = self._round()\n        for _ in",
             "        return\n        verdict = self._round()\n        for _ in", _LEASES),
    Mutation("a lease left by an ended run stops the next", "leases", "fleetctl/rollout/ground.py",
             "if verdict.tenure is None or not self._is_over(verdict.tenure):", "if True:",
             ("tests/rollout/test_elsewhere.py",)),
    Mutation("a later leg elsewhere counts as over", "leases", "fleetctl/rollout/elsewhere.py",
             "and leg.fence == tenure.number", "", ("tests/rollout/test_elsewhere.py",)),
    Mutation("a lost lease stops nothing", "leases", "fleetctl/rollout/ground.py",
             '            self._post(Command("lost", by, means=why))', "            pass", _LEASES),
    # The overseer: no wake is lost, nobody is doubled, errors are bounded.
    Mutation("work during a nap is forgotten", "overseer", _OVERSEER + "exits.py",
             "states.WOKEN if slot.pool.pending else states.SLEPT", "states.SLEPT", _CORE),
    Mutation("a nap forgets work it did not look at", "overseer", _OVERSEER + "book.py",
             '    if "seen" in record:', "    pool.cover()\n    if False:", _CORE),
    Mutation("work during a stop is forgotten", "overseer", _OVERSEER + "core.py",
             "if (pool.pending and not pool.works) or pool.bare", "if pool.bare", _CORE),
    Mutation("the budget of failures has no end", "overseer", _OVERSEER + "failures.py",
             "return probes > 0 or len(times) >= BUDGET", "return False", _CORE),
    Mutation("a probe's failure gets a budget of its own", "overseer", _OVERSEER + "failures.py",
             "probes > 0 or len", "len", _CORE),
    Mutation("things start after the end began", "overseer", _OVERSEER + "core.py",
             "pool.usual and not self.closing", "pool.usual", _CORE),
    Mutation("a storm takes no tokens", "overseer", _OVERSEER + "core.py",
             "while not self.floor_reached and len(self.starting) < self.tokens + self.starts.long:"
             "\n            full = len(self.starting) >= self.tokens",
             "while not self.floor_reached:\n            full = False", _CORE),
    Mutation("growth takes the memory reserve", "overseer", _OVERSEER + "scaling.py",
             "    if not load.memory:", "    if False:", _CORE),
    Mutation("a busy daemon is drained", "overseer", _OVERSEER + "holds.py",
             "if slot.state in (states.STARTING, states.IDLE):",
             "if slot.state in (states.STARTING, states.IDLE, states.BUSY):", _CORE),
    Mutation("a sleeper is started by new specs", "overseer", _OVERSEER + "orders.py",
             "core.move(slot, states.RETUNED, now, states.HIBERNATE, u=until)",
             'core.want(slot, states.WAKE, "", now)', _CORE),
    Mutation("strangers are listened to", "overseer", _OVERSEER + "children.py",
             "                return None\n        return slot",
             "                return None\n        return slot or next(iter(self.by_pid.values()))",
             _LIVE),
    Mutation("a following overseer starts its daemons anew", "overseer",
             _OVERSEER + "children.py", "        if not life.born or", "        if True or", _LIVE),
    Mutation("processes without a record are doubled", "overseer", _OVERSEER + "restoring.py",
             "    for (name, number), pid in found.items():", "    for (name, number), pid in ():",
             _LIVE),
    Mutation("mistakes in specs are passed over", "overseer", _OVERSEER + "specs.py",
             "        if key not in defaults:", "        if False:", _CORE),
)  # fmt: skip


def try_out(mutation: Mutation, tree: Path) -> str:
    """The first test that failed for want of the guard; empty when none did.

    Tests that hang or cannot be collected tell nothing about the guard, and do not count.
    """
    path = tree / mutation.file
    whole = path.read_text()
    assert mutation.old in whole, f"{mutation.name}: {mutation.file} has changed"
    path.write_text(whole.replace(mutation.old, mutation.new))
    tests = (*mutation.tests, "-p", "no:cacheprovider", "-x", "-q", "--no-header")
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *tests], cwd=tree, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(tree)}, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
        said = ended.stdout.splitlines()
    except subprocess.TimeoutExpired:
        return ""
    finally:
        path.write_text(whole)
    failed = [line for line in said if line.startswith("FAILED")]
    return failed[0].partition(" - ")[0].partition(" ")[2] if failed else ""


def copy_tree(folder: Path) -> Path:
    """The tree, to be spoilt."""
    for name in _ROOMS:
        source = ROOT / name
        skip = shutil.ignore_patterns("__pycache__", "*.pyc")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skip)
        else:
            shutil.copy(source, folder / name)
    return folder


def main() -> int:
    """0: every guard is missed by a test."""
    parser = argparse.ArgumentParser(prog="tests.mutations")
    parser.add_argument("--only", default="", help="those whose name or promise holds this")
    only = parser.parse_args().only
    chosen = [m for m in MUTATIONS if only in m.name or only == m.promise]
    kept = 0
    with tempfile.TemporaryDirectory(prefix="fleetctl-mutations-") as name:
        tree = copy_tree(Path(name))
        for mutation in chosen:
            missed_by = try_out(mutation, tree)
            kept += not missed_by
            print(f"{mutation.promise}: {mutation.name}: {missed_by or 'NOT MISSED'}", flush=True)
    print(f"{len(chosen) - kept} of {len(chosen)} missed by a test")
    return int(kept > 0)


if __name__ == "__main__":
    sys.exit(main())
