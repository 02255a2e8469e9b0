"""An `Api` that asks the lease immediately before each write is sent.

It stands directly on the client, below the limiter: a write may wait long for its token, and what counts is whether the
lease is held when it leaves. Reads pass: a standby may look. Neighbours: `lease` (is asked), `limits` (stands above).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.aws.api import Api
from controller.aws.client import is_read


@dataclass(frozen=True, slots=True)
class Fenced:
    """Sends a write only if `check` lets it. `check` raises if not, and takes no time: nothing comes between."""

    api: Api
    check: Callable[[], None]

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`.

        Raises:
            LeaseLost: a write was not sent.
        """
        if not is_read(operation):
            self.check()
        return await self.api.call(operation, params)
