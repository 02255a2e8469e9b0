"""How long things take in the simulated ECS: one frozen table, in seconds.

The defaults are realistic (sources beside each); a test that needs another speed hands in another table, never a sleep.
Neighbours: `images` (how long a pull takes, per image), `tasks` and `rollout` (who wait).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds."""

    scheduler: float = 4.0
    """From a change to the service scheduler's reaction (recorded: created 06:11:09.8, "has started" 06:11:13.9)."""
    attach: float = 8.0
    """PROVISIONING of an elastic network interface (awsvpc only)."""
    accept: float = 1.0
    """From PENDING to the start of the image pull: the agent polls."""
    start: float = 1.0
    """From the end of the pull to RUNNING."""
    healthy_after: float = 40.0
    """RUNNING seconds until a task without health check counts as healthy (botocore: minimumHealthyPercent)."""
    deactivate: float = 1.0
    """DEACTIVATING of a task that is registered nowhere."""
    deregistration_delay: float = 300.0
    """DEACTIVATING of a task behind a load balancer (the default of a target group)."""
    stop_timeout: float = 30.0
    """From SIGTERM to SIGKILL unless the container says otherwise (botocore: stopTimeout)."""
    report: float = 1.0
    """From the end of the last container to the agent's word of it."""
    detach: float = 4.0
    """DEPROVISIONING of the network interface."""
    acquire: float = 3.0
    """From RUNNING to the moment in which a process opens its Gaudi cards."""
    stopped_kept: float = 3600.0
    """How long a STOPPED task can be described (botocore: "at least one hour")."""
    inactive_kept: float = 3600.0
    """How long an INACTIVE service can be described ("may be cleaned up and purged", no time documented)."""
    placement_retry: float = 300.0
    """First pause after a failed placement; it doubles up to `longest_pause` unless capacity changes earlier."""
    start_retry: float = 30.0
    """First pause after `start_failures` tasks in a row did not reach RUNNING; it doubles up to `longest_pause`."""
    start_failures: int = 3
    longest_pause: float = 27 * 60.0
    """The longest pause of the service throttle (ECS developer guide, service throttle logic)."""
    steady_repeat: float = 6 * 3600.0
    """How often a quiet service says again that it is steady (recorded: every six hours)."""
