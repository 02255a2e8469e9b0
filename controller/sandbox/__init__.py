"""The embedded AWS: an honest simulator of Amazon ECS, three ways to reach it, and nothing of the controller's core.

It states on its own what ECS does (defaults, order, errors, scheduling, rollouts), so that a test which drives the
controller against it is not circular: of the core it knows only the cluster query language.

    Sandbox → Simulator (one per region) → World (state) + rooms: clusters, instances, task definitions, services, tasks
    fronts:   inprocess (an Api, no sockets) · transport (behind the real aiobotocore client) · server (HTTP)
"""
