# What a host tells a doctor: one line a fact, `::KIND<TAB>FIELD...`. It reads and changes nothing.
# Each section is a process of its own beside the others, so that one that hangs (a dead network
# file system, a sudo that asks a dead directory) holds up no other; the look's deadline ends it.
LC_ALL=C
export LC_ALL
_now=$(date +%s.%N)
read -r _up _rest </proc/uptime
printf '::clock\t%s\t%s\n' "$_now" "$_up"
while read -r _key _size _rest; do
  case $_key in
    MemTotal:|MemAvailable:) printf '::memory\t%s\t%s\n' "${_key%:}" "$_size" ;;
  esac
done </proc/meminfo
if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then
  printf '::reboot required\n'
fi

# KIND PATH NEED: the file system of PATH, or of what is there of it.
_disk() {
  case $2 in
    /*) _path=$2 ;;
    '~/'*) _path=$HOME/${2#??} ;;
    *) _path=$HOME/$2 ;;
  esac
  _there=yes _at=$_path
  while [ ! -e "$_at" ] && [ "$_at" != / ]; do
    _there=no _at=${_at%/*}
    [ -n "$_at" ] || _at=/
  done
  _may=no
  [ ! -w "$_at" ] || _may=yes
  _room=$(df -Pk -- "$_at" | { read -r _; read -r _ _size _ _free _; echo "$_size $_free"; })
  _nodes=$(df -Pi -- "$_at" 2>/dev/null | { read -r _; read -r _ _size _ _free _; echo "$_size $_free"; })
  printf '::%s\t%s\t%s\t%s %s\t%s\t%s\n' "$1" "$2" "$3" "$_there" "$_may" "$_room" "$_nodes"
}

_sudo() {
  if ! command -v sudo >/dev/null 2>&1; then
    printf '::sudo\tmissing\t\n'
  elif _said=$(sudo -n true 2>&1 </dev/null); then
    printf '::sudo\tyes\t\n'
  else
    printf '::sudo\tno\t%s\n' "$(printf '%s' "$_said" | tr '\n\t' '  ')"
  fi
}

# STRICTNESS NAME...
_programs() {
  _strict=$1
  shift
  for _name in "$@"; do
    _found=no
    ! command -v "$_name" >/dev/null 2>&1 || _found=yes
    printf '::program\t%s\t%s\t%s\n' "$_strict" "$_name" "$_found"
  done
}

# KIND NAME TEXT: what another text said last, on each stream, and how it ended.
_text() {
  _said=$({ { { sh -c "$3" 3>&-; printf '\nrc=%s\n' "$?"; } </dev/null | sed 's/^/o/' >&3; } 2>&1 |
    sed 's/^/e/'; } 3>&1 | tail -n 12 | tail -c 2000 | tr '\n\t' '\r ')
  printf '::%s\t%s\t%s\n' "$1" "$2" "$_said"
}

# How many connections its sshd has, and how many it takes.
_bastion() {
  _port=$(printf ':%04X' "${SSH_CONNECTION##* }" 2>/dev/null)
  _open=0
  for _file in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$_file" ] || continue
    while read -r _ _local _ _state _; do
      case $_local$_state in *"${_port}01") _open=$((_open + 1)) ;; esac
    done <"$_file"
  done
  _early=0
  for _file in /proc/[0-9]*/cmdline; do
    _line=
    { read -r _line <"$_file"; } 2>/dev/null || :
    case $_line in
      sshd*:*'[preauth]'*|sshd*:*'[net]'*|sshd*:*'[accepted]'*) _early=$((_early + 1)) ;;
    esac
  done
  _set=$(cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null |
    grep -iE '^[[:space:]]*(MaxStartups|MaxSessions)[[:space:]]' | tr '\n\t' '; ')
  printf '::bastion\t%s\t%s\t%s\n' "$_open" "$_early" "$_set"
}
