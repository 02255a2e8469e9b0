"""The one list of reasons: what a condition, an event or an error may name as its cause.

A reason is an API: people grep for it and alert on it, so it is CamelCase, never reworded, and listed here only.
Messages are free text beside it. Neighbours: `errors` (every error carries one), `core.status` (conditions).
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition has its status, or why an error was raised."""

    # The spec
    ACCEPTED = "Accepted"
    INVALID_SPEC = "InvalidSpec"
    POLICY_DENIED = "PolicyDenied"
    DUPLICATE_TARGET = "DuplicateTarget"
    # Drift
    IN_SYNC = "InSync"
    DRIFTED = "Drifted"
    MISSING = "Missing"
    ORPHANED = "Orphaned"
    NOT_OBSERVED = "NotObserved"
    # Ownership and guards: nothing is written
    NOT_OWNED = "NotOwned"
    OWNED_BY_ANOTHER = "OwnedByAnother"
    FOREIGN_CONTROLLER = "ForeignController"
    REPLACE_REQUIRED = "ReplaceRequired"
    SUSPENDED = "Suspended"
    NOTIFY_ONLY = "NotifyOnly"
    RECONCILE_OFF = "ReconcileOff"
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    DELETE_HELD = "DeleteHeld"
    ROLLED_BACK = "RolledBack"
    AUTOSCALED = "Autoscaled"
    TOO_MANY_ROLLOUTS = "TooManyRollouts"
    # Health
    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    DRAINING = "Draining"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NO_CAPACITY = "NoCapacity"
    # The way to AWS
    THROTTLED = "Throttled"
    UNREACHABLE = "Unreachable"
    SERVER_ERROR = "ServerError"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    CONFLICT = "Conflict"
    ACCESS_DENIED = "AccessDenied"
    NO_CREDENTIALS = "NoCredentials"
    WRONG_ACCOUNT = "WrongAccount"
    NOT_CONFIGURED = "NotConfigured"
    CLUSTER_NOT_FOUND = "ClusterNotFound"
    LIMIT_EXCEEDED = "LimitExceeded"
    REJECTED_BY_ECS = "RejectedByEcs"
    TIMED_OUT = "TimedOut"
    # The source
    SOURCE_UNREADABLE = "SourceUnreadable"
    SOURCE_STALE = "SourceStale"
    SOURCE_UNVERIFIED = "SourceUnverified"
    SOURCE_REWOUND = "SourceRewound"
    # Ourselves
    LEASE_LOST = "LeaseLost"
    USAGE = "Usage"
    INTERRUPTED = "Interrupted"
    INTERNAL = "Internal"
