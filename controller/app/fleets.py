"""The DL1 fleets of clusters, for people. Reads only.

What EC2 does not tell (no permission, AMIs that are gone) is left out and said; the cards need none of it.
Neighbours: `aws.fleet` and `aws.ecs` (read), `core.gaudi.fleet` (understands), `report.fleet` (tells).
"""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack

from controller.app import compose
from controller.aws.api import Api
from controller.aws.ecs import EcsReader
from controller.aws.fleet import FleetReader
from controller.aws.limits import Limits
from controller.core.gaudi.fleet import Fleet
from controller.errors import ControllerError


async def fleets(
    place: compose.Place, clusters: Iterable[str], limits: Limits
) -> Sequence[tuple[str, Fleet, str | None]]:
    """The fleets of some clusters of one account and region, by name.

    Raises:
        ControllerError: one of them could not be read.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(compose.session(place))
        limiter = limits.of(place.name or "", session.region or "")
        api: Api = await stack.enter_async_context(session.ecs(limiter, jitter=lambda: 0.0))
        ec2 = await stack.enter_async_context(session.connect("ec2"))
        reader, ecs = FleetReader(api, ec2), EcsReader(api)
        found = []
        for cluster in clusters:
            if await reader.cluster(cluster) is None:
                raise ControllerError(f"there is no cluster {cluster}", advice="check --cluster and the region")
            fleet = await reader.fleet(cluster, ecs.revisions, everything=True)
            found.append((cluster, fleet, fleet.unnamed))
    return found
