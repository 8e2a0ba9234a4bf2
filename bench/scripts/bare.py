"""fleetctl without its guarantees, and without all that a step's shell does for anything else.

    python bare.py WORD...

Nothing waits for a disk; hosts keep no lock, fence or record, end no step at its deadline, and tell
one stream where there are two: the least that can be done with this client.
"""

from lessened import push_with  # type: ignore[import-not-found]

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
push_with(lambda ours: _RUNNER)
