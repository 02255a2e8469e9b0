"""Names: ARNs, ids that look like AWS's and depend on nothing but the seed, and how requests name things.

Decides: which ARN a reference (name, short ARN, long ARN) means, in this region and account only.
Neighbours: all rooms.
"""

import base64
from hashlib import blake2b

from controller.sandbox.errors import cluster_not_found, invalid
from controller.sandbox.world import Cluster, World

DEFAULT_CLUSTER = "default"


def _digest(world: World, kind: str) -> bytes:
    """The next id: a hash of the seed and a counter, so that a run can be repeated to the letter."""
    world.counter += 1
    return blake2b(f"{world.seed}/{world.region}/{kind}/{world.counter}".encode(), digest_size=16).digest()


def hex_id(world: World, kind: str) -> str:
    """32 hex digits: tasks, container instances, containers."""
    return _digest(world, kind).hex()


def uuid_id(world: World, kind: str) -> str:
    """A UUID: service events, attachments."""
    text = _digest(world, kind).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def revision_number(world: World) -> str:
    """19 digits: service revisions, and the deployments of the same number."""
    return str(10**18 + int.from_bytes(_digest(world, "revision")[:8], "big") % (8 * 10**18))


def deployment_key(world: World) -> str:
    """21 URL-safe characters: service deployments."""
    return base64.urlsafe_b64encode(_digest(world, "service-deployment")).decode()[:21].replace("=", "A")


def arn(world: World, kind: str, *path: str) -> str:
    """`arn:aws:ecs:REGION:ACCOUNT:kind/path…`."""
    return f"arn:aws:ecs:{world.region}:{world.account}:{kind}/{'/'.join(path)}"


def principal(world: World) -> str:
    """Who calls: one administrator, the sandbox knows no others."""
    return f"arn:aws:iam::{world.account}:role/sandbox"


def short_name(reference: str) -> str:
    """The last part of a name or ARN."""
    return reference.rpartition("/")[2]


def cluster_of(world: World, reference: str | None) -> Cluster:
    """The ACTIVE cluster that a request means; none given means `default`.

    Raises:
        EcsError: ClusterNotFoundException.
    """
    cluster = find_cluster(world, reference or DEFAULT_CLUSTER)
    if cluster is None:
        raise cluster_not_found()
    if cluster.status != "ACTIVE":
        error = cluster_not_found()
        error.message = "The referenced cluster was inactive."
        raise error
    return cluster


def find_cluster(world: World, reference: str) -> Cluster | None:
    """The cluster of a name or ARN, whatever its status."""
    known = world.clusters.get(reference)
    if known is not None or reference.startswith("arn:"):
        return known
    return world.clusters.get(arn(world, "cluster", reference))


def in_cluster(world: World, cluster: Cluster, kind: str, reference: str) -> str:
    """The long ARN of a thing in a cluster that a request names by id, `cluster/id` or ARN.

    Raises:
        EcsError: InvalidParameterException for an ARN of another kind, region, account or cluster.
    """
    if not reference.startswith("arn:"):
        head, _, tail = reference.rpartition("/")
        if head and head != cluster.name:
            raise invalid("Invalid identifier: Identifier is for cluster " + head + f". Your cluster is {cluster.name}")
        return arn(world, kind, cluster.name, tail)
    prefix = f"arn:aws:ecs:{world.region}:{world.account}:{kind}/"
    if not reference.startswith(prefix):
        raise invalid(f"Invalid identifier: {reference}")
    path = reference.removeprefix(prefix).split("/")
    if len(path) == 2 and path[0] != cluster.name:
        raise invalid(f"Invalid identifier: Identifier is for cluster {path[0]}. Your cluster is {cluster.name}")
    return arn(world, kind, cluster.name, path[-1])
