"""The sh texts that keep releases on a host, one a part of a deploy.

    ROOT/archives/ID.tar.gz      what was uploaded; there as long as the release is
    ROOT/releases/ID/            unpacked; appears by one rename, never changes after it
    ROOT/current -> releases/ID  swapped by one rename
    ROOT/previous -> releases/ID what `current` was before
    ROOT/.fleetctl/contents/ID   the content hash of an unpacked release
    ROOT/.fleetctl/order         releases by their last switch, newest first
    ROOT/.fleetctl/replaced      what `previous` was before the last switch, for going back
    ROOT/.fleetctl/switching     there while a switch is under way: it must end as one that acted
    ROOT/.fleetctl/restart-pending   there from before a switch until a restart went well

Plain POSIX sh, coreutils, tar and gzip; no grep, sed, awk or find. Every text may be killed
anywhere and run again. Author's texts become functions in parentheses, so that their `exit`,
variables and settings stay theirs; they stand first, where placeholders can still be quoted.
"""

from __future__ import annotations

BASE = r"""
case $FLEETCTL_ROOT in /*) ;; *) FLEETCTL_ROOT=$HOME/$FLEETCTL_ROOT ;; esac
root=$FLEETCTL_ROOT id=$FLEETCTL_RELEASE
book=$root/.fleetctl new=releases/$id archive=$root/archives/$id.tar.gz
fail() { printf '%s\n' "$@" >&2; exit 1; }
link() { readlink "$root/$1" 2>/dev/null || :; }
settle() { sync "$@" 2>/dev/null || sync; }
first_line() { line=; [ ! -f "$1" ] || read -r line < "$1" || :; printf '%s\n' "$line"; }
"""

WRITING = r"""
umask 022
note() {
  printf '%s\n' "$2" > "$book/.new" && settle "$book/.new" && mv -f "$book/.new" "$1" \
    || fail "cannot write $1"
}
point() {
  rm -f "$root/.$1.new" && ln -s "$2" "$root/.$1.new" && mv -fT "$root/.$1.new" "$root/$1" \
    || fail "cannot make $root/$1 lead to $2"
}
"""

PROGRAMS = "tar gzip sha256sum readlink ln mv rm mkdir sync date sleep timeout"

PREPARE_CHECK = rf"""
[ -L "$root/current" ] || [ ! -e "$root/current" ] || exit 1
for folder in archives releases .fleetctl/contents; do
  [ -d "$root/$folder" ] && [ -w "$root/$folder" ] || exit 1
done
for program in {PROGRAMS}; do
  command -v "$program" >/dev/null 2>&1 || exit 1
done
"""

PREPARE = rf"""
case $root in /|//*) fail "releases cannot live in $root" ;; esac
missing=
for program in {PROGRAMS}; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] || fail "missing on this host:$missing" \
  "hint: a deploy unpacks its release here, which takes tar and gzip besides coreutils"
if [ -e "$root/current" ] && [ ! -L "$root/current" ]; then
  fail "$root/current is no link" "hint: move it away; fleetctl makes it a link to the live release"
fi
mkdir -p "$root/archives" "$root/releases" "$book" || fail "cannot make folders in $root" \
  "hint: let the login own $root"
rm -f "$book/try" "$book/try.new"
ln -s . "$book/try" && ln -s releases "$book/try.new" || fail "cannot write in $root"
mv -fT "$book/try.new" "$book/try" || fail "mv on this host knows no -T" \
  "hint: without it a link cannot be swapped in one step; install GNU coreutils or busybox"
rm -f "$book/try"
mkdir -p "$book/contents" && settle "$root" || fail "cannot make folders in $book"
"""

FETCHER_CHECK = r"""
command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || exit 1
"""

FETCHER = r"""
command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 \
  || fail "missing on this host: curl or wget, to fetch the health URL" \
  "hint: install one, give \`health\` a command, or use an http gate, which asks from outside"
"""

UNPACK_CHECK = r"""
[ -d "$root/$new" ] && [ "$(first_line "$book/contents/$id")" = "$content" ]
"""

UNPACK = r"""
if [ -e "$root/$new" ]; then
  [ "$(first_line "$book/contents/$id")" != "$content" ] || exit 0
  fail "release $id is on this host already, with another content: $root/$new" \
    "hint: a release never changes; give the new content another id, or remove that folder"
fi
have=$(sha256sum < "$archive") || fail "cannot read $archive"
[ "${have%% *}" = "$sha256" ] \
  || fail "the upload is damaged: $archive" "  why: sha256 is ${have%% *}, not $sha256"
half=$root/releases/.unpacking-$id
rm -rf "$root"/releases/.unpacking-* && mkdir "$half" || fail "cannot write in $root/releases"
tar -xzmopf "$archive" -C "$half" || { rm -rf "$half"; fail "cannot unpack $archive"; }
sync -f "$half" 2>/dev/null || sync
note "$book/contents/$id" "$content"
mv -T "$half" "$root/$new" || fail "cannot make $root/$new"
settle "$root/releases" "$book/contents"
"""

SWITCH_CHECK = r"""
[ "$(link current)" = "$new" ] && [ "$(first_line "$book/switching")" != "$id" ]
"""

SWITCH = r"""
old=$(link current)
[ "$old" != "$new" ] || { rm -f "$book/switching"; exit 0; }
[ -d "$root/$new" ] || fail "release $id is not unpacked on this host: $root/$new"
note "$book/switching" "$id"
[ -z "$restarts" ] || note "$book/restart-pending" "$id"
ordered=$id
if [ -f "$book/order" ]; then
  while read -r other; do
    [ "$other" = "$id" ] || [ ! -f "$book/contents/$other" ] || ordered="$ordered
$other"
  done < "$book/order"
fi
note "$book/order" "$ordered"
before=$(link previous)
if [ -z "$old" ] || [ "$before" != "$old" ]; then
  note "$book/replaced" "$before"
  [ -z "$old" ] || point previous "$old"
fi
settle "$root" "$book"
point current "$new"
rm -f "$book/switching"
settle "$root" "$book"
printf '%s -> %s\n' "${old:-nothing}" "$new"
"""

GO_BACK = r"""
now=$(link current) back=$(link previous)
rm -f "$book/switching"
if [ "$now" = "$new" ]; then
  [ -n "$back" ] && [ "$back" != "$new" ] && [ -d "$root/previous/." ] \
    || fail "there is no previous release to go back to; $id stays" \
    "hint: deploy another release to this host"
  [ -z "$restarts" ] || note "$book/restart-pending" "${back##*/}"
  point current "$back"
  settle "$root"
  now=$back
fi
if [ -n "$now" ] && [ "$now" = "$back" ]; then
  before=$(first_line "$book/replaced")
  [ -z "$before" ] || point previous "$before"
  [ -n "$before" ] && [ -d "$root/previous/." ] || rm -f "$root/previous"
  settle "$root"
fi
FLEETCTL_RELEASE=${now##*/}
"""

RESTART_CHECK = r"""
[ ! -f "$book/restart-pending" ]
"""

RESTART = r"""
if [ -f "$book/restart-pending" ]; then
  restart_application || fail "the restart command ended with exit status $?"
  rm -f "$book/restart-pending"
  settle "$book"
fi
"""

FETCH = r"""
if command -v curl >/dev/null 2>&1; then exec curl -gfsS -o /dev/null --max-time 10 "$url"; fi
exec timeout 10 wget -q -O /dev/null "$url"
"""

DEADLINE = r"""
# Whole seconds: what begins at the end of one has one more.
deadline=$(($(date +%s) + $patience + ($patience > 0)))
in_time() { [ "$(date +%s)" -lt "$deadline" ] && { sleep 0.3 2>/dev/null || sleep 1; }; }
"""

HEALTH_CHECK = r"""
healthy >/dev/null 2>&1
"""

HEALTH = r"""
until healthy >/dev/null 2>&1; do
  in_time && continue
  healthy && break
  fail "not healthy after $patience s (exit status $?)"
done
"""

VERIFY = r"""
now=$(link current)
[ -n "$now" ] || fail "$root/current is not there"
printf '%s\n' "${now##*/}"
[ "$now" = "$new" ] || fail "$root/current leads to $now, not to $new"
[ -d "$root/current/." ] || fail "$root/current leads nowhere: $now"
"""

VERIFY_LIVE = r"""
said() {
  answer=$(live_release) || :
  answer=${answer##*"
"}
  printf '%s\n' "${answer%"$(printf '\r')"}"
}
until says=$(said) && [ "$says" = "$id" ]; do
  in_time && continue
  printf '%s\n' "${says:-unknown}"
  fail "$root/current is $id, but the application says it runs ${says:-nothing}"
done
printf '%s\n' "$says"
"""

DOOMED = r"""
kept=" $id "
for name in current previous; do target=$(link "$name"); kept="$kept${target##*/} "; done
count=0
if [ -f "$book/order" ]; then
  while read -r name && [ "$count" -lt "$keep" ]; do
    kept="$kept$name " count=$((count + 1))
  done < "$book/order"
fi
spared() { case $kept in *" $1 "*) return 0 ;; esac; return 1; }
doomed() {
  for path in "$book"/contents/*; do
    [ ! -f "$path" ] || spared "${path##*/}" || "$1" "${path##*/}" whole
  done
  for path in "$root"/archives/*.tar.gz; do
    name=${path##*/} name=${name%.tar.gz}
    [ ! -f "$path" ] || spared "$name" || "$1" "$name" whole
  done
  for path in "$root"/releases/.removing-*; do
    [ ! -d "$path" ] || "$1" "${path##*/.removing-}" half
  done
}
"""

PRUNE_CHECK = r"""
found() { exit 1; }
doomed found
"""

PRUNE = r"""
remove() {
  half=$root/releases/.removing-$1
  rm -rf "$half" || cannot "$1"
  [ "$2" != half ] || return 0
  if [ -f "$book/contents/$1" ] && [ -d "$root/releases/$1" ]; then
    mv -T "$root/releases/$1" "$half" || cannot "$1"
  fi
  rm -f "$book/contents/$1" "$root/archives/$1.tar.gz" && rm -rf "$half" || cannot "$1"
  printf 'removed %s\n' "$1"
}
cannot() {
  fail "$id is live, but the old release $1 cannot be removed" \
    "hint: the login must be able to delete what the application wrote into its release"
}
doomed remove
"""
