"""A connection that is opened by the first call that needs it: a fleet that never asks EC2 never speaks to it.

Neighbours: `client` (opens connections), `app.compose` (owns this one and closes it).
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from controller.aws.api import Api


class Later:
    """An `Api` behind a connection that does not exist yet."""

    def __init__(self, connected: Callable[[], AbstractAsyncContextManager[Api]]) -> None:
        self._connected = connected
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._api: Api | None = None

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`."""
        async with self._opening:
            if self._api is None:
                self._api = await self._open.enter_async_context(self._connected())
        return await self._api.call(operation, params)

    async def aclose(self) -> None:
        """Close the connection, if there ever was one."""
        await self._open.aclose()
