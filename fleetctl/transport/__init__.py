"""The door to the hosts: takes orders, does them on connections it keeps, answers with events.

`protocol` is the whole of what others may know. Fabric and paramiko are known to `sshwire` and
`sshlogin` alone.
What runs on a host is the POSIX sh program `runner.sh`; it needs sshd, sh and coreutils, nothing
else.
"""
