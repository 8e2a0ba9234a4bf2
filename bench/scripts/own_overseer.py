"""The rival: an overseer for one instance alone, as small as Python makes it.

`python3 -I -S own_overseer.py DATABASE INSTANCE KIND...`: looks once a second whether the instance
has work, and would start the daemon of a kind that has. With all asleep it does nothing else.
"""

import os
import sqlite3
import sys
import time

database, instance, *kinds = sys.argv[1:]
connection = sqlite3.connect(database, isolation_level=None)
query = "SELECT kind, seq FROM attention WHERE instance = ?"
seen: dict[str, int] = {}
while True:
    for kind, seq in connection.execute(query, (instance,)):
        if kind in kinds and seq > seen.get(kind, 0):
            seen[kind] = seq
            os.posix_spawn("/bin/true", ["/bin/true"], os.environ)
    time.sleep(1.0)
