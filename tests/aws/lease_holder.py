"""A process that works under a lease: appends `name` to a file as long as it may write.

`python -m tests.aws.lease_holder URL TABLE FILE NAME`
"""

import asyncio
import random
import sys
from pathlib import Path

from controller.aws.client import Connection
from controller.aws.lease.lease import Lease, candidate
from controller.aws.lease.stores import open_store
from controller.aws.lease.terms import LeaseSettings


async def hold(url: str, table: str, file: Path, name: str) -> None:
    settings = LeaseSettings(store=f"dynamodb://{table}", duration=1.5, deadline=1.0, retry=0.1)
    connection = Connection(region="us-east-1", endpoint_url=url, access_key="test", secret_key="test")
    async with open_store(settings, connection, "controller/123456789012/us-east-1") as store:
        lease = Lease(store, candidate(settings), random.random)

        async def work() -> None:
            while True:
                lease.check()
                with file.open("a") as out:
                    out.write(f"{name}\n")
                await asyncio.sleep(0.02)

        await lease.during(work)


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
