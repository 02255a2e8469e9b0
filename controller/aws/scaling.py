"""Application Auto Scaling, as far as it moves the counts of ECS services.

Asked in batches, only about services whose count is not the wanted one, and connected to only then: a fleet without
autoscalers whose counts are right never speaks to it. Neighbours: `client` (the connection), `ecs` (asks on behalf of
the reconciler), `core.guards` (what is made of the answer).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.client import Connection, connect
from controller.aws.errors import classify
from controller.core.live import ScalableTarget

SERVICE: Final = "application-autoscaling"
BATCH: Final = 50
"""Resource ids per DescribeScalableTargets. Source: Application Auto Scaling API, `MaxResults`."""
DIMENSION: Final = "ecs:service:DesiredCount"


class Scaling:
    """Reads the scalable targets of one account and region."""

    def __init__(self, connected: Callable[[], AbstractAsyncContextManager[Api]]) -> None:
        self._connected = connected
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._api: Api | None = None

    async def scalable_targets(self, cluster: str, names: Iterable[str]) -> dict[str, ScalableTarget]:
        """Name → scalable target of the services of a cluster (by its name) that have one.

        Raises:
            ControllerError: it could not be asked.
        """
        wanted = list(dict.fromkeys(names))
        found: dict[str, ScalableTarget] = {}
        for start in range(0, len(wanted), BATCH):
            ids = [f"service/{cluster}/{name}" for name in wanted[start : start + BATCH]]
            found |= {target["ResourceId"].rpartition("/")[2]: _target(target) for target in await self._describe(ids)}
        return found

    async def _describe(self, ids: list[str]) -> list[dict[str, Any]]:
        params = {"ServiceNamespace": "ecs", "ResourceIds": ids, "ScalableDimension": DIMENSION}
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = await self._call({**params, **({"NextToken": token} if token else {})})
            found.extend(page.get("ScalableTargets", ()))
            token = page.get("NextToken")
            if not token:
                return found

    async def _call(self, params: Mapping[str, Any]) -> dict[str, Any]:
        async with self._opening:
            if self._api is None:
                self._api = await self._open.enter_async_context(self._connected())
        try:
            return await self._api.call("DescribeScalableTargets", params)
        except ApiError as error:
            raise classify(error, write=False) from error

    async def aclose(self) -> None:
        """Close the connection, if there ever was one."""
        await self._open.aclose()


@asynccontextmanager
async def scaling(connection: Connection) -> AsyncIterator[Scaling]:
    """Application Auto Scaling of an account and region; connected when first asked."""
    reader = Scaling(lambda: connect(connection, SERVICE))
    try:
        yield reader
    finally:
        await reader.aclose()


def _target(answer: Mapping[str, Any]) -> ScalableTarget:
    state = answer.get("SuspendedState") or {}
    parts = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    suspended = all(state.get(part, False) for part in parts)
    return ScalableTarget(int(answer["MinCapacity"]), int(answer["MaxCapacity"]), suspended=suspended)
