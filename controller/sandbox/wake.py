"""Who must look again when something changes: the service schedulers, after their usual delay.

Neighbours: `tasks`, `instances`, `services` (report changes), `rollout` (is woken).
"""

from controller.sandbox.world import ServiceStatus, World


def wake(world: World, service: str) -> None:
    """The scheduler of one service reacts to a change."""
    world.agenda.wake(service, world.now + world.timing.scheduler)


def wake_cluster(world: World, cluster: str) -> None:
    """The instances of a cluster changed: daemons, and services that wait or sit on a draining host, look again."""
    for service in world.services.values():
        if service.cluster_arn == cluster and service.status is not ServiceStatus.INACTIVE:
            wake(world, service.arn)


def wake_waiting(world: World, cluster: str) -> None:
    """Resources became free: services that failed to place a task look again."""
    for service in world.services.values():
        if service.trouble is not None and service.cluster_arn == cluster:
            wake(world, service.arn)
