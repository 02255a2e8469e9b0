"""The one table that says what an AWS error means for us.

A row matches by error code and, where ECS says different things under one code, by a part of its text; the first
match wins. A write that AWS failed at (its own trouble, 5xx) may have happened all the same and is Ambiguous.
Everything that no row names and that ECS calls the caller's fault is Stalled: the text is shown as it is and nobody
retries what cannot work. Sources: ECS API reference, botocore model, and the texts that Terraform, hako,
ecspresso and others have met (reference in `docs/design.md`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.aws.api import AnswerError, ApiError, NoAnswerError
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason

_Make = Callable[[str], ControllerError]


def _transient(reason: Reason, advice: str | None = None) -> _Make:
    return lambda message: Transient(message, reason=reason, advice=advice)


def _stalled(reason: Reason, advice: str | None = None) -> _Make:
    return lambda message: Stalled(message, reason=reason, advice=advice)


def _denied(reason: Reason, advice: str) -> _Make:
    return lambda message: Denied(message, reason=reason, advice=advice)


def _waiting(reason: Reason, after: float) -> _Make:
    return lambda message: Waiting(message, after=after, reason=reason)


@dataclass(frozen=True, slots=True)
class Row:
    """An error code, a part of the text (any where empty), and what it means."""

    code: str
    make: _Make
    text: str = ""


THROTTLES: Final = (
    *("ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded", "SlowDown"),
    *("ProvisionedThroughputExceededException", "PriorRequestNotComplete", "EC2ThrottledException"),
)
"""Codes that mean: too fast. Source: botocore's `standard` retries, without LimitExceededException, which is a
quota."""
_BAD_CREDENTIALS: Final = (
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "AuthFailure"),
    *(
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "MissingAuthenticationToken",
    ),
    *("ExpiredTokenException", "ExpiredToken"),
)

_CREDENTIALS: Final = "check them with `aws sts get-caller-identity`, which must work in this environment"
_QUEUE: Final = "check the URL of the queue"
_CLOCK: Final = "set the clock of this machine right"
_SKEWED: Final = ("Signature expired", "Signature not yet current")
_ROLE_ADVICE: Final = "grant iam:PassRole on that role to this controller, and let ecs-tasks.amazonaws.com assume it"
_PERMISSION: Final = "grant the action that the message names to this role"
_OBSERVED: Final = "it is observed again before anything else"

TABLE: Final[tuple[Row, ...]] = (
    # Too fast
    *(Row(code, _transient(Reason.THROTTLED)) for code in THROTTLES),
    Row("ClientException", _transient(Reason.CONFLICT), "Too many concurrent attempts to create a new revision"),
    # A quota is no throttle, although botocore retries it as one
    Row("LimitExceededException", _stalled(Reason.LIMIT_EXCEEDED, "raise the quota in Service Quotas")),
    Row("AttributeLimitExceededException", _stalled(Reason.LIMIT_EXCEEDED, "take custom attributes off the instance")),
    # Credentials and permissions
    *(Row("InvalidSignatureException", _denied(Reason.NO_CREDENTIALS, _CLOCK), text) for text in _SKEWED),
    *(Row(code, _denied(Reason.NO_CREDENTIALS, _CLOCK)) for code in ("RequestExpired", "RequestTimeTooSkewed")),
    *(Row(code, _denied(Reason.NO_CREDENTIALS, _CREDENTIALS)) for code in _BAD_CREDENTIALS),
    Row("AccessDeniedException", _denied(Reason.ACCESS_DENIED, _ROLE_ADVICE), "iam:PassRole"),
    Row("ClientException", _denied(Reason.ACCESS_DENIED, _ROLE_ADVICE), "iam:PassRole"),
    *(Row(code, _denied(Reason.ACCESS_DENIED, _PERMISSION)) for code in ("AccessDeniedException", "AccessDenied")),
    Row("BlockedException", _stalled(Reason.ACCESS_DENIED, "AWS has blocked the account; ask AWS Support")),
    # The world is on its way
    Row(
        "InvalidParameterException", _waiting(Reason.DRAINING, 10.0), "Unable to Start a service that is still Draining"
    ),
    Row("InvalidParameterException", _waiting(Reason.DRAINING, 10.0), "cannot be stopped while deployments are active"),
    Row("ServiceNotActiveException", _waiting(Reason.DRAINING, 5.0)),
    # Somebody was faster, or what we knew is old: look again
    Row("InvalidParameterException", _transient(Reason.CONFLICT), "Creation of service was not idempotent"),
    Row("InvalidParameterException", _transient(Reason.CONFLICT), "cannot be stopped while it is scaled above 0"),
    Row("InvalidParameterException", _transient(Reason.CONFLICT), "cannot be stopped while the primary deployment"),
    Row("ServiceNotFoundException", _transient(Reason.CONFLICT)),
    Row("ResourceNotFoundException", _transient(Reason.CONFLICT)),
    Row("ClientException", _transient(Reason.CONFLICT), "TaskDefinition is inactive"),
    Row("InvalidParameterException", _transient(Reason.CONFLICT), "TaskDefinition is inactive"),
    Row("UpdateInProgressException", _transient(Reason.CONFLICT)),
    Row("ConflictException", _transient(Reason.CONFLICT)),
    Row("InvalidParameterException", _transient(Reason.CONFLICT), "The referenced task was not found"),
    Row("TargetNotFoundException", _transient(Reason.CONFLICT)),
    # Roles and load balancers that were made a moment ago
    Row(
        "InvalidParameterException", _transient(Reason.REJECTED_BY_ECS), "verify that the ECS service role being passed"
    ),
    Row("InvalidParameterException", _transient(Reason.REJECTED_BY_ECS), "does not have an associated load balancer"),
    Row("InvalidParameterException", _transient(Reason.REJECTED_BY_ECS), "Unable to assume the service linked role"),
    # No room: somebody may add instances, or a task may end
    Row("InvalidParameterException", _waiting(Reason.NO_CAPACITY, 60.0), "No Container Instances were found"),
    Row("ClientException", _waiting(Reason.NO_CAPACITY, 60.0), "PROVISIONING"),
    # What only a human can mend
    Row(
        "ClientException",
        _stalled(Reason.REJECTED_BY_ECS, "check taskRoleArn and executionRoleArn"),
        "Role is not valid",
    ),
    Row("ClusterNotFoundException", _stalled(Reason.CLUSTER_NOT_FOUND, "create the cluster, or correct spec.cluster")),
    Row("NoSuchBucket", _stalled(Reason.SOURCE_UNREADABLE, "check the name of the bucket")),
    Row("QueueDoesNotExist", _stalled(Reason.NOT_CONFIGURED, _QUEUE)),
    Row("AWS.SimpleQueueService.NonExistentQueue", _stalled(Reason.NOT_CONFIGURED, _QUEUE)),
)

OWN_TROUBLE: Final = frozenset(
    {
        *("ServerException", "InternalFailure", "InternalError", "InternalServerError"),
        *("ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException"),
    }
)
"""Codes by which AWS says that it failed, whatever the HTTP status."""


def classify(error: ApiError, *, write: bool) -> ControllerError:
    """What a failed call means. `write` tells whether it would have changed something, so that a lost answer
    matters."""
    match error:
        case AnswerError():
            return _answered(error, write=write)
        case NoAnswerError(sent=True) if write:
            message = f"{error.operation} was sent and its answer is lost ({error.message})"
            return Ambiguous(message, reason=Reason.OUTCOME_UNKNOWN, advice=_OBSERVED)
        case NoAnswerError():
            advice = "check the network, the region and AWS_ENDPOINT_URL"
            return Transient(f"{error.operation}: {error.message}", reason=Reason.UNREACHABLE, advice=advice)
        case _:
            return ControllerError(str(error))


def _answered(error: AnswerError, *, write: bool) -> ControllerError:
    message = f"{error.operation} failed: {error.text.rstrip('.')} ({error.code}{_named(error)})"
    for row in TABLE:
        if row.code == error.code and row.text.lower() in error.text.lower():
            return row.make(message)
    if error.status >= 500 or error.code in OWN_TROUBLE:
        lost = Ambiguous(message, reason=Reason.OUTCOME_UNKNOWN, advice=_OBSERVED)
        return lost if write else Transient(message, reason=Reason.SERVER_ERROR)
    if error.status == 429:
        return Transient(message, reason=Reason.THROTTLED)
    if error.status == 403:
        return Denied(message, reason=Reason.ACCESS_DENIED, advice=_PERMISSION)
    return Stalled(message, reason=Reason.REJECTED_BY_ECS)


def _named(error: AnswerError) -> str:
    """The resources that a ConflictException names, such as the tasks that a client token has started. Source: ECS API,
    ConflictException."""
    resources = error.details.get("resourceIds") or ()
    return f": {', '.join(map(str, resources))}" if resources else ""
