"""fleetctl without its guarantees: nothing waits for a disk, hosts keep no lock, fence or record.

    python bare.py WORD...

Only what the guarantees are is left out, so the difference to the real program is what they cost.
"""

import sqlite3
import sys
from pathlib import Path

from fleetctl.cli.main import main
from fleetctl.journal import schema
from fleetctl.transport import session

_RUNNER = r"""
exec 2>/dev/null
read -r _BOOT </proc/sys/kernel/random/boot_id
printf '\n%s hello %s %s\n' "$_T" "$_BOOT" "$HOME/.fleetctl"
_segment() { :; }
_leave() { printf '%s done\n' "$_T"; }
_step() {
  _said=$( (eval "$6") 2>&1 </dev/null )
  _status=$?
  _end=acted
  [ $_status -eq 0 ] || _end=failed
  printf '%s ended %s %s %s 0 %s 0 0 \n%s\n%s err\n\n%s end\n' \
    "$_T" "$1" "$_end" $_status ${#_said} "$_said" "$_T" "$_T"
}
"""
_prepare = schema.prepare


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """As ever, but the disk is not waited for."""
    _prepare(database, path)
    database.execute("PRAGMA synchronous=OFF")


session.program = lambda *names: _RUNNER  # type: ignore[assignment]
schema.prepare = prepare
sys.argv.insert(2, "--no-lease")
main()
