"""Six steps over asyncssh connections, gathered after each."""

import asyncio
import json
import sys
from pathlib import Path

import asyncssh


async def main() -> None:
    """Connect to all hosts at once, then one step at a time on all of them."""
    task = json.loads(Path(sys.argv[1]).read_text())
    key = asyncssh.read_private_key(task["identity"])
    known_hosts = asyncssh.read_known_hosts(task["known_hosts"])
    connections = await asyncio.gather(
        *(
            asyncssh.connect(
                address,
                task["port"],
                username=task["user"],
                client_keys=[key],
                known_hosts=known_hosts,
                config=None,
                agent_path=None,
                kex_algs=["ecdh-sha2-nistp256"],
            )
            for address in task["addresses"]
        )
    )
    for step in task["steps"]:
        await asyncio.gather(*(link.run(step, check=True) for link in connections))
    for link in connections:
        link.close()
    await asyncio.gather(*(link.wait_closed() for link in connections))


asyncio.run(main())
