"""The one table of errors, row by row against what ECS is known to answer (reference: ECS API, Terraform, hako)."""

import pytest
from botocore.loaders import Loader
from botocore.retries.standard import ThrottledRetryableChecker

from controller.aws.api import AnswerError, ApiError, NoAnswerError
from controller.aws.errors import OWN_TROUBLE, TABLE, THROTTLES, classify
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason

CLIENT, PARAMETER = "ClientException", "InvalidParameterException"

ROWS: list[tuple[str, str, type[ControllerError], Reason, str | None]] = [
    # code, text as ECS sends it, what it is, why, a part of the advice
    ("ThrottlingException", "Rate exceeded", Transient, Reason.THROTTLED, None),
    (
        *(CLIENT, "Too many concurrent attempts to create a new revision of the specified family."),
        *(Transient, Reason.CONFLICT, None),
    ),
    (PARAMETER, "Unable to Start a service that is still Draining.", Waiting, Reason.DRAINING, None),
    (PARAMETER, "Creation of service was not idempotent.", Transient, Reason.CONFLICT, None),
    ("ServiceNotActiveException", "Service was not ACTIVE.", Waiting, Reason.DRAINING, None),
    ("ServiceNotFoundException", "Service not found.", Transient, Reason.CONFLICT, None),
    ("ClusterNotFoundException", "Cluster not found.", Stalled, Reason.CLUSTER_NOT_FOUND, "create the cluster"),
    (PARAMETER, "The service cannot be stopped while it is scaled above 0.", Transient, Reason.CONFLICT, None),
    (
        *(PARAMETER, "The service cannot be stopped while the primary deployment is scaled above 0."),
        *(Transient, Reason.CONFLICT, None),
    ),
    (PARAMETER, "The service cannot be stopped while deployments are active.", Waiting, Reason.DRAINING, None),
    (
        *(PARAMETER, "Please verify that the ECS service role being passed has the proper permissions."),
        *(Transient, Reason.REJECTED_BY_ECS, None),
    ),
    (
        *(PARAMETER, "The target group with targetGroupArn x does not have an associated load balancer."),
        *(Transient, Reason.REJECTED_BY_ECS, None),
    ),
    (
        *(PARAMETER, "Unable to assume the service linked role. Please verify that the role exists."),
        *(Transient, Reason.REJECTED_BY_ECS, None),
    ),
    (PARAMETER, "…, you must force a new deployment.", Stalled, Reason.REJECTED_BY_ECS, None),
    (
        *(PARAMETER, "Availability Zone Rebalancing does not support maximumPercent <= 100 %."),
        *(Stalled, Reason.REJECTED_BY_ECS, None),
    ),
    (
        *(PARAMETER, "No launch type to fall back to for empty capacity provider strategy."),
        *(Stalled, Reason.REJECTED_BY_ECS, None),
    ),
    (
        *(PARAMETER, "Unable to update task definition on services with a CODE_DEPLOY deployment controller."),
        *(Stalled, Reason.REJECTED_BY_ECS, None),
    ),
    (PARAMETER, "The referenced task was not found.", Transient, Reason.CONFLICT, None),
    ("TargetNotFoundException", "The specified target wasn't found.", Transient, Reason.CONFLICT, None),
    ("AttributeLimitExceededException", "You can apply up to 10…", Stalled, Reason.LIMIT_EXCEEDED, "custom attributes"),
    (CLIENT, "TaskDefinition is inactive", Transient, Reason.CONFLICT, None),
    (PARAMETER, "TaskDefinition is inactive", Transient, Reason.CONFLICT, None),
    (CLIENT, "Role is not valid", Stalled, Reason.REJECTED_BY_ECS, "executionRoleArn"),
    (
        *("AccessDeniedException", "User: x is not authorized to perform: iam:PassRole on resource: y"),
        *(Denied, Reason.ACCESS_DENIED, "grant iam:PassRole"),
    ),
    (
        *("AccessDeniedException", "User: x is not authorized to perform: ecs:UpdateService on resource: y"),
        *(Denied, Reason.ACCESS_DENIED, "grant the action"),
    ),
    (PARAMETER, "No Container Instances were found in your cluster.", Waiting, Reason.NO_CAPACITY, None),
    (CLIENT, "You've reached the limit on tasks in PROVISIONING.", Waiting, Reason.NO_CAPACITY, None),
    ("ConflictException", "The request could not be processed.", Transient, Reason.CONFLICT, None),
    (
        *("LimitExceededException", "The maximum number of tags has been reached."),
        *(Stalled, Reason.LIMIT_EXCEEDED, "raise the quota"),
    ),
    ("UnsupportedFeatureException", "Not in this region.", Stalled, Reason.REJECTED_BY_ECS, None),
    ("PlatformUnknownException", "No such platform.", Stalled, Reason.REJECTED_BY_ECS, None),
    ("PlatformTaskDefinitionIncompatibilityException", "No.", Stalled, Reason.REJECTED_BY_ECS, None),
    ("NamespaceNotFoundException", "No such namespace.", Stalled, Reason.REJECTED_BY_ECS, None),
    ("BlockedException", "Your account was blocked.", Stalled, Reason.ACCESS_DENIED, "AWS Support"),
    ("ResourceNotFoundException", "The specified resource was not found.", Transient, Reason.CONFLICT, None),
    (
        *("ExpiredTokenException", "The security token included in the request is expired"),
        *(Denied, Reason.NO_CREDENTIALS, "sts get-caller-identity"),
    ),
    (
        *("UnrecognizedClientException", "The security token included in the request is invalid."),
        *(Denied, Reason.NO_CREDENTIALS, "sts get-caller-identity"),
    ),
    (
        *("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z"),
        *(Denied, Reason.NO_CREDENTIALS, "set the clock"),
    ),
    (
        *("InvalidSignatureException", "The request signature we calculated does not match the signature you provided"),
        *(Denied, Reason.NO_CREDENTIALS, "sts get-caller-identity"),
    ),
    (PARAMETER, "The container cpu must be positive.", Stalled, Reason.REJECTED_BY_ECS, None),
    (CLIENT, "Invalid 'essential' setting.", Stalled, Reason.REJECTED_BY_ECS, None),
]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(("code", "text", "kind", "reason", "advice"), ROWS, ids=[f"{r[0]}: {r[1][:40]}" for r in ROWS])
def test_a_row(
    code: str, text: str, kind: type[ControllerError], reason: Reason, advice: str | None, *, write: bool
) -> None:
    told = classify(AnswerError("UpdateService", code=code, message=text), write=write)
    assert (type(told), told.reason) == (kind, reason)
    assert (advice is None) == (told.advice is None)
    assert advice is None or advice in str(told.advice)
    assert str(told).startswith(f"UpdateService failed: {text.rstrip('.')} ({code})")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((code, 400) for code in sorted(OWN_TROUBLE)),
        *(("Unheard", status) for status in (500, 502, 503, 504)),
        ("RequestTimeoutException", 408),
    ],
)
def test_trouble_of_aws_is_retried_and_a_write_may_have_happened(code: str, status: int) -> None:
    error = AnswerError("CreateService", code=code, message="Service Unavailable", status=status)
    read, write = classify(error, write=False), classify(error, write=True)
    assert (type(read), read.reason) == (Transient, Reason.SERVER_ERROR)
    assert (type(write), write.reason) == (Ambiguous, Reason.OUTCOME_UNKNOWN)


@pytest.mark.parametrize(
    ("sent", "write", "kind", "reason"),
    [
        (True, True, Ambiguous, Reason.OUTCOME_UNKNOWN),
        (True, False, Transient, Reason.UNREACHABLE),
        (False, True, Transient, Reason.UNREACHABLE),
        (False, False, Transient, Reason.UNREACHABLE),
    ],
)
def test_no_answer(*, sent: bool, write: bool, kind: type[ControllerError], reason: Reason) -> None:
    told = classify(NoAnswerError("CreateService", "Read timeout", sent=sent), write=write)
    assert (type(told), told.reason) == (kind, reason)
    assert told.advice


@pytest.mark.parametrize("status", [429, 400])
def test_every_throttle_of_botocore_is_one_and_a_quota_is_not(status: int) -> None:
    codes = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
    kept = codes - {"LimitExceededException", "TransactionInProgressException"}
    assert kept <= set(THROTTLES)
    for code in kept:
        assert classify(AnswerError("X", code=code, message="", status=status), write=True).reason is Reason.THROTTLED
    assert classify(AnswerError("X", code="Unheard", message="", status=429), write=True).reason is Reason.THROTTLED


def test_a_refusal_without_a_known_code_is_one() -> None:
    told = classify(AnswerError("X", code="Unheard", message="No", status=403), write=False)
    assert (type(told), told.reason) == (Denied, Reason.ACCESS_DENIED)


def test_the_text_is_found_however_it_is_spelled() -> None:
    told = classify(AnswerError("X", code=CLIENT, message="TASKDEFINITION IS INACTIVE"), write=True)
    assert told.reason is Reason.CONFLICT


def test_what_is_no_known_kind_of_failure_is_an_error_all_the_same() -> None:
    assert type(classify(ApiError("X", "odd"), write=False)) is ControllerError


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    for number, row in enumerate(TABLE):
        for earlier in TABLE[:number]:
            assert not (earlier.code == row.code and earlier.text.lower() in row.text.lower()), row


def test_every_error_that_ecs_models_has_a_row_or_is_the_callers_fault() -> None:
    """An error that ECS adds is Stalled until somebody has thought about it; this test says that there is one."""
    shapes = Loader().load_service_model("ecs", "service-2")["shapes"]
    modelled = {name for name, shape in shapes.items() if shape.get("exception")}
    thought_of = {
        *("ClusterContainsCapacityProviderException", "ClusterContainsContainerInstancesException"),
        *("ClusterContainsServicesException", "ClusterContainsTasksException", "GatewayNotFoundException"),
        *("DaemonNotActiveException", "DaemonNotFoundException", "MissingVersionException"),
        *("NoUpdateAvailableException", "ResourceInUseException", "ServiceDeploymentNotFoundException"),
        *("TargetNotConnectedException", "TaskSetNotFoundException"),
    }
    """Of operations that the controller never calls."""
    tested = {code for code, *_ in ROWS}
    assert modelled <= {row.code for row in TABLE} | OWN_TROUBLE | tested | thought_of


def test_a_conflict_names_what_it_is_with() -> None:
    tasks = ["arn:aws:ecs:eu-west-1:123456789012:task/c/1", "arn:aws:ecs:eu-west-1:123456789012:task/c/2"]
    error = AnswerError("RunTask", code="ConflictException", message="Other.", details={"resourceIds": tasks})
    assert classify(error, write=True).message == f"RunTask failed: Other (ConflictException: {', '.join(tasks)})"
