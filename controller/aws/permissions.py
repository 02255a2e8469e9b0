"""What IAM has to allow: for each use that is made of AWS, the statements, narrowed as far as IAM lets them be.

A statement names the operations that it is for; an operation that nobody sends (see `operations`) is left out of the
policies, and one that no statement is for is refused by the generator, so that the policies are neither too narrow nor
too wide. Which resources and condition keys an action knows is from the Service Authorization Reference (ECS, read in
November 2026); what it leaves open stands at its row. Resources and conditions have placeholders in the form that
`envsubst` and Terraform's `templatefile` fill in. Neighbours: `operations` (what is sent), `policies` (writes
`deploy/iam/`), `app.grants` (asks IAM).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from string import Template
from typing import Any, Final, TypeAlias

from controller.core.ownership import OWNER


class Use(StrEnum):
    """Something that is done with AWS, and that may be allowed by itself."""

    OBSERVE = "observe"
    """Looking: all that `--once`, `import`, `fleet` and `mode: notify` need."""
    CONVERGE = "converge"
    """Services that the controller owns: create, change, delete."""
    ADOPT = "adopt"
    """`reconcile.adopt`: taking over services that have no owner."""
    RETIRE = "retire-revisions"
    """`reconcile.keepRevisions`: retiring old revisions that nothing uses, and looking everywhere for their users."""
    TASKS = "tasks"
    """Tasks that the controller starts itself: jobs and smoke tests."""
    INSTANCES = "instances"
    """What EC2 tells of instances: names of AMIs, which tell their driver, and addresses."""
    SOURCE_S3 = "source-s3"
    QUEUE = "queue"
    LEASE_DYNAMODB = "lease-dynamodb"
    LEASE_S3 = "lease-s3"
    JOURNAL_DYNAMODB = "journal-dynamodb"
    JOURNAL_S3 = "journal-s3"
    TARGETS = "targets"
    """Roles in other accounts."""
    SELF_CHECK = "self-check"
    """`controller check` and `check --iam`, which have IAM simulate the controller's own role."""


Condition: TypeAlias = Mapping[str, Mapping[str, str | Sequence[str]]]
Names: TypeAlias = Mapping[str, str | Sequence[str]]
"""Placeholder → what it stands for, or all that it stands for: a statement is for several clusters at once."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy."""

    sid: str
    use: Use
    operations: tuple[str, ...]
    """`service.Operation`, those that need it."""
    resources: tuple[str, ...] = ("*",)
    condition: Condition = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    """What the operations need beside their own actions; then nothing else is in the statement."""

    def granted(self, sent: Collection[str]) -> tuple[str, ...]:
        """The actions, in order, for those of its operations that are sent."""
        mine = [one for one in self.operations if one in sent]
        if self.actions:
            return self.actions if mine else ()
        return tuple(sorted({action for one in mine for action in actions_of(one)}))


def actions_of(operation: str) -> tuple[str, ...]:
    """The actions that IAM asks for when an operation is sent."""
    service, _, name = operation.partition(".")
    return _ACTIONS.get(operation, (f"{service}:{name}",))


_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "s3.ListObjectsV2": ("s3:ListBucket",),
    "s3.ListObjectVersions": ("s3:ListBucketVersions",),
    "s3.GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "sqs.DeleteMessageBatch": ("sqs:DeleteMessage",),
    "sns.PublishBatch": ("sns:Publish",),
    "sts.GetCallerIdentity": (),  # "No permissions are required": STS API, GetCallerIdentity
}
"""Where the action is not called as the operation is. Source: Service Authorization Reference."""

_ECS: Final = "arn:${partition}:ecs:${region}:${account}:"
_CLUSTER: Final = f"{_ECS}cluster/${{cluster}}"
_SERVICES: Final = f"{_ECS}service/${{cluster}}/*"
_TASKS: Final = f"{_ECS}task/${{cluster}}/*"
_INSTANCES: Final = f"{_ECS}container-instance/${{cluster}}/*"
_DEFINITIONS: Final = f"{_ECS}task-definition/*:*"
_ROLES: Final = "arn:${partition}:iam::${account}:role/"
_IN_CLUSTER: Final = {"ArnLike": {"ecs:cluster": _CLUSTER}}
_OWNED: Final = {"StringEquals": {f"aws:ResourceTag/{OWNER}": "${owner}"}}
_OWNERLESS: Final = {"Null": {f"aws:ResourceTag/{OWNER}": "true"}}
_TO_BE_OWNED: Final = {"StringEquals": {f"aws:RequestTag/{OWNER}": "${owner}"}}


def _bucket(name: str) -> str:
    return f"arn:${{partition}}:s3:::{name}"


def _table(name: str) -> str:
    return f"arn:${{partition}}:dynamodb:${{region}}:${{account}}:table/{name}"


STATEMENTS: Final[tuple[Statement, ...]] = (
    # ECS has no resource for these.
    Statement(
        "ReadDefinitionsAndScaling",
        Use.OBSERVE,
        (
            "ecs.DescribeTaskDefinition",
            "ecs.ListTaskDefinitions",
            "application-autoscaling.DescribeScalableTargets",
        ),
    ),
    Statement("ListInCluster", Use.OBSERVE, ("ecs.ListServices", "ecs.ListTasks"), condition=_IN_CLUSTER),
    Statement(
        "ReadCluster", Use.OBSERVE, ("ecs.DescribeClusters", "ecs.ListContainerInstances"), resources=(_CLUSTER,)
    ),
    Statement(
        "ReadCapacityProviders",
        Use.OBSERVE,
        ("ecs.DescribeCapacityProviders",),
        resources=(f"{_ECS}capacity-provider/*",),
    ),
    # No tags are asked for in what follows: a service of somebody else has to be seen to be left alone.
    Statement(
        "ReadServices",
        Use.OBSERVE,
        ("ecs.DescribeServices", "ecs.ListServiceDeployments"),
        resources=(_SERVICES,),
    ),
    Statement(
        "ReadServiceRevisions",
        Use.OBSERVE,
        ("ecs.DescribeServiceRevisions",),
        resources=(_SERVICES, f"{_ECS}service-revision/${{cluster}}/*"),
    ),
    Statement("ReadTasks", Use.OBSERVE, ("ecs.DescribeTasks",), resources=(_TASKS,)),
    Statement("ReadInstances", Use.OBSERVE, ("ecs.DescribeContainerInstances",), resources=(_INSTANCES,)),
    Statement(
        "CreateOwnedServices",
        Use.CONVERGE,
        ("ecs.CreateService",),
        resources=(_SERVICES,),
        condition={**_TO_BE_OWNED, **_IN_CLUSTER},
    ),
    Statement(
        "ChangeOwnedServices",
        Use.CONVERGE,
        ("ecs.UpdateService", "ecs.DeleteService"),
        resources=(_SERVICES,),
        condition=_OWNED,
    ),
    # The reference has a resource for it, the ECS guide says that there is none: `*` works either way.
    Statement("RegisterOwnedRevisions", Use.CONVERGE, ("ecs.RegisterTaskDefinition",), condition=_TO_BE_OWNED),
    Statement(
        "TagCreatedServices",
        Use.CONVERGE,
        ("ecs.CreateService",),
        resources=(_SERVICES,),
        condition={"StringEquals": {"ecs:CreateAction": "CreateService"}},
        actions=("ecs:TagResource",),
    ),
    Statement(
        "TagCreatedRevisions",
        Use.CONVERGE,
        ("ecs.RegisterTaskDefinition",),
        resources=(_DEFINITIONS,),
        condition={"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}},
        actions=("ecs:TagResource",),
    ),
    Statement(
        "TagOwnedServices",
        Use.CONVERGE,
        ("ecs.TagResource", "ecs.UntagResource"),
        resources=(_SERVICES,),
        condition=_OWNED,
    ),
    # A revision of somebody else that has the wanted content is used as it is, and gets our tags.
    Statement(
        "TagRevisions",
        Use.CONVERGE,
        ("ecs.TagResource",),
        resources=(_DEFINITIONS,),
        condition={"StringEqualsIfExists": {f"aws:ResourceTag/{OWNER}": "${owner}"}},
    ),
    # Asked for when a revision names a role. Source: ECS developer guide, "Passing a role".
    Statement(
        "PassTaskRoles",
        Use.CONVERGE,
        ("ecs.RegisterTaskDefinition", "ecs.RunTask"),
        resources=(f"{_ROLES}${{task_roles}}",),
        condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        actions=("iam:PassRole",),
    ),
    Statement(
        "AdoptServicesWithoutOwner",
        Use.ADOPT,
        ("ecs.UpdateService", "ecs.TagResource"),
        resources=(_SERVICES,),
        condition=_OWNERLESS,
    ),
    # DeregisterTaskDefinition cannot be narrowed at all; whoever uses a revision may be in any cluster.
    Statement(
        "RetireRevisions",
        Use.RETIRE,
        (
            *("ecs.DeregisterTaskDefinition", "ecs.ListClusters", "ecs.ListServices", "ecs.DescribeServices"),
            *("ecs.ListTasks", "ecs.DescribeTasks"),
        ),
    ),
    Statement("RunTasks", Use.TASKS, ("ecs.RunTask",), resources=(_DEFINITIONS,), condition=_IN_CLUSTER),
    Statement("StopTasks", Use.TASKS, ("ecs.StopTask",), resources=(_TASKS,), condition=_IN_CLUSTER),
    Statement(
        "TagTasks",
        Use.TASKS,
        ("ecs.RunTask",),
        resources=(_TASKS,),
        condition={"StringEquals": {"ecs:CreateAction": "RunTask"}},
        actions=("ecs:TagResource",),
    ),
    Statement(
        "MarkInstances",
        Use.TASKS,
        ("ecs.PutAttributes", "ecs.DeleteAttributes"),
        resources=(_INSTANCES,),
        condition=_IN_CLUSTER,
    ),
    Statement(
        "AskEc2",
        Use.INSTANCES,
        ("ec2.DescribeImages", "ec2.DescribeInstances"),
    ),
    Statement(
        "ListSource",
        Use.SOURCE_S3,
        ("s3.ListObjectsV2", "s3.ListObjectVersions"),
        resources=(_bucket("${source_bucket}"),),
        condition={"StringLike": {"s3:prefix": "${source_prefix}*"}},
    ),
    Statement(
        "ReadSource", Use.SOURCE_S3, ("s3.GetObject",), resources=(_bucket("${source_bucket}/${source_prefix}*"),)
    ),
    Statement(
        "ReceiveWakeUps",
        Use.QUEUE,
        ("sqs.ReceiveMessage", "sqs.DeleteMessageBatch"),
        resources=("arn:${partition}:sqs:${region}:${account}:${queue}",),
    ),
    Statement(
        "HoldLease",
        Use.LEASE_DYNAMODB,
        ("dynamodb.GetItem", "dynamodb.UpdateItem"),
        resources=(_table("${lease_table}"),),
        condition={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${owner}/*"}},
    ),
    # Without ListBucket S3 answers 403 for an object that is not there yet.
    Statement("FindLeaseInS3", Use.LEASE_S3, ("s3.ListObjectsV2",), resources=(_bucket("${lease_bucket}"),)),
    Statement(
        "HoldLeaseInS3",
        Use.LEASE_S3,
        ("s3.GetObject", "s3.PutObject"),
        resources=(_bucket("${lease_bucket}/${lease_prefix}${owner}/*"),),
    ),
    Statement(
        "KeepJournal",
        Use.JOURNAL_DYNAMODB,
        ("dynamodb.BatchWriteItem", "dynamodb.Query"),
        resources=(_table("${journal_table}"),),
    ),
    Statement(
        "FindJournalInS3",
        Use.JOURNAL_S3,
        ("s3.ListObjectsV2",),
        resources=(_bucket("${journal_bucket}"),),
        condition={"StringLike": {"s3:prefix": "${journal_prefix}*"}},
    ),
    Statement(
        "KeepJournalInS3",
        Use.JOURNAL_S3,
        ("s3.GetObject", "s3.PutObject"),
        resources=(_bucket("${journal_bucket}/${journal_prefix}*"),),
    ),
    Statement("AssumeTargetRoles", Use.TARGETS, ("sts.AssumeRole", "sts.GetCallerIdentity"), ("${target_roles}",)),
    Statement(
        "SimulateOwnRole", Use.SELF_CHECK, ("iam.SimulatePrincipalPolicy",), resources=(f"{_ROLES}${{own_role}}",)
    ),
)


def without_statement(sent: Iterable[str]) -> tuple[str, ...]:
    """Operations that are sent and that no statement is for: someone has to say how narrow theirs can be."""
    covered = {operation for statement in STATEMENTS for operation in statement.operations}
    return tuple(sorted(set(sent) - covered))


def statements(uses: Collection[Use], sent: Collection[str]) -> tuple[Statement, ...]:
    """The statements that some uses need, for what is sent."""
    return tuple(one for one in STATEMENTS if one.use in uses and one.granted(sent))


def policy(found: Iterable[Statement], sent: Collection[str], *, names: Names | None = None) -> dict[str, Any]:
    """A policy document of statements. Placeholders for which there is no name stay as they are."""
    return {"Version": "2012-10-17", "Statement": [_document(one, sent, names or {}) for one in found]}


def filled(text: str, names: Names) -> list[str]:
    """A resource or a condition's value for every name that its placeholders may have."""
    used = {name: _listed(names[name]) for name in Template(text).get_identifiers() if name in names}
    chosen = (dict(zip(used, values, strict=True)) for values in product(*used.values()))
    return list(dict.fromkeys(Template(text).safe_substitute(one) for one in chosen))


def conditions(one: Statement, names: Names) -> dict[str, dict[str, list[str]]]:
    """The condition of a statement, every value a list, filled in."""
    return {
        operator: {
            key: [text for value in _listed(values) for text in filled(value, names)] for key, values in keys.items()
        }
        for operator, keys in one.condition.items()
    }


def resources(one: Statement, names: Names) -> list[str]:
    """The resources of a statement, filled in."""
    return [text for resource in one.resources for text in filled(resource, names)]


def _document(one: Statement, sent: Collection[str], names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {"Sid": one.sid, "Effect": "Allow", "Action": _one_or_list(one.granted(sent))}
    found["Resource"] = _one_or_list(resources(one, names))
    if one.condition:
        found["Condition"] = {
            operator: {key: _one_or_list(values) for key, values in keys.items()}
            for operator, keys in conditions(one, names).items()
        }
    return found


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
