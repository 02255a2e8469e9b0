"""The little of the account that clients ask for: capacity providers and account settings. Read-only.

Capacity providers are Fargate's two and the names that clusters were created with; those stand for the instances of
their cluster. Settings are AWS's defaults for an account of today. Neighbours: `clusters`.
"""

from controller.sandbox.identity import arn, principal, short_name
from controller.sandbox.paging import page
from controller.sandbox.wire import Wire, present
from controller.sandbox.world import World

SETTINGS = {
    "serviceLongArnFormat": "enabled",
    "taskLongArnFormat": "enabled",
    "containerInstanceLongArnFormat": "enabled",
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "tagResourceAuthorization": "on",
    "defaultLogDriverMode": "non-blocking",
}


def describe_capacity_providers(world: World, params: Wire) -> Wire:
    """DescribeCapacityProviders: all, or the named ones."""
    known = ["FARGATE", "FARGATE_SPOT"]
    for cluster in world.clusters.values():
        known += [name for name in cluster.members.get("capacityProviders", ()) if name not in known]
    asked = [short_name(reference) for reference in params.get("capacityProviders") or known]
    names, token = page([name for name in asked if name in known], params, size=10, largest=10)
    found = [
        {
            "capacityProviderArn": arn(world, "capacity-provider", name),
            "name": name,
            "status": "ACTIVE",
            "tags": [],
        }
        for name in names
    ]
    failures = [
        {"arn": arn(world, "capacity-provider", name), "reason": "MISSING"} for name in asked if name not in known
    ]
    return present(capacityProviders=found, failures=failures, nextToken=token)


def list_account_settings(world: World, params: Wire) -> Wire:
    """ListAccountSettings: what an account has by default; nothing was ever set, so it needs `effectiveSettings`."""
    wanted = params.get("name")
    effective = params.get("effectiveSettings", False)
    chosen = [
        name
        for name, value in SETTINGS.items()
        if effective and wanted in (None, name) and params.get("value") in (None, value)
    ]
    names, token = page(chosen, params, size=10, largest=10)
    settings = [
        {"name": name, "value": SETTINGS[name], "principalArn": params.get("principalArn", principal(world))}
        for name in names
    ]
    return present(settings=settings, nextToken=token)
