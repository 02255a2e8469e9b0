"""Reads that come to nothing are tried again; writes never are.

What botocore's `standard` mode does below a client without limits, done here where each attempt takes a token of its
own (`limits`) and where a quota is no throttle: botocore takes ECS's LimitExceededException for one. A throttled read
has more attempts than a lost one, since the limiter has slowed down meanwhile. A write is sent once whatever comes
back, throttles included: it was decided by a live read, which is old by the time the bucket has filled again, so its
workload looks again first. Neighbours: `errors` (what a failure means), `client` (botocore's own retries).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.client import READ_ATTEMPTS, is_read
from controller.aws.errors import classify
from controller.reasons import Reason

ATTEMPTS: Final[Mapping[Reason, int]] = {
    Reason.UNREACHABLE: READ_ATTEMPTS,
    Reason.SERVER_ERROR: READ_ATTEMPTS,
    Reason.THROTTLED: 6,
}
"""How often a read is sent that ends so; for any other reason once."""
LONGEST: Final = 20.0
"""Seconds that a retry waits at most. Source: botocore, retries/standard.py."""


@dataclass(frozen=True, slots=True)
class Retried:
    """An `Api` whose reads are tried again. `jitter` answers a number in [0, 1)."""

    api: Api
    jitter: Callable[[], float]

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self.api.call(operation, params)
            except ApiError as error:
                reason = classify(error, write=False).reason
                if not is_read(operation) or attempt >= ATTEMPTS.get(reason, 1):
                    raise
            await asyncio.sleep(self.jitter() * min(2.0 ** (attempt - 1), LONGEST))
