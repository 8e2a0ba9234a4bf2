"""Forks a process for each datagram it gets, which says READY to the address in it: the ground.

Nothing is imported, kept, logged or limited: no fork server that does anything can be quicker on
the same machine. `python3 -I -S bare_fork.py SOCKET`.
"""

import os
import sys
from _socket import AF_UNIX, SOCK_DGRAM, socket

sock = socket(AF_UNIX, SOCK_DGRAM)
sock.bind(sys.argv[1])
while True:
    address = sock.recv(200).decode()
    pid = os.fork()
    if not pid:
        sock.sendto(b"READY=1", address)
        os._exit(0)
    os.waitpid(pid, 0)
