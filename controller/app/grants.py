"""`controller check --iam`: which statements of IAM are missing here, for what the settings and the specs use.

IAM simulates the role that the controller has, action by action, with the resources and the condition keys that ECS
would hand it. A simulation knows no organisation's policies and no boundary of a session, so what it allows may still
be refused; where it may not be asked, nobody knows, and everything that is needed is told. Nothing is changed.
Neighbours: `aws.permissions` (the statements), `check` (whether the controller could work), `cli.check`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.app import compose
from controller.app.once import desired_of
from controller.aws import permissions
from controller.aws.api import Api, ApiError
from controller.aws.operations import declared
from controller.aws.permissions import Names, Statement, Use
from controller.aws.sessions import Identity, Session
from controller.core.jobs.spec import DL1Job
from controller.core.spec import DL1Service, Mode
from controller.core.workload import Workload, cluster_name
from controller.errors import ControllerError
from controller.settings import Settings
from controller.sources.uri import S3Location, locate

NOBODY: Final = "controller-check-no-such-thing"
"""A name that nothing has."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What is not allowed at one place."""

    place: str | None
    """The target; None for the controller's own account and region."""
    principal: str
    """The role or user whose policies count."""
    policy: Mapping[str, Any]
    """The missing statements as a policy, with no statement where nothing is missing."""
    unknown: str | None
    """Why IAM did not say; then the policy is all that is needed."""


async def grants(settings: Settings, *, also: Collection[Use] = ()) -> tuple[Grants, ...]:
    """What is missing everywhere. `also`: uses that neither settings nor specs tell of.

    Raises:
        ControllerError: the source cannot be read, or a place cannot be connected to.
    """
    async with compose.open_source(settings) as source:
        wanted = desired_of(await source.snapshot(), settings)
    found: list[Grants] = []
    for place in compose.places_of(settings):
        mine = wanted.of(place.name)
        clusters = {cluster_name(one) for one in place.settings.clusters} | {key.cluster for key in mine.workloads}
        if not clusters and place.target is None and settings.targets:
            continue
        uses = uses_of(place, [one.workload for one in mine.workloads.values()]) | set(also)
        async with compose.session(place) as session:
            found.append(await _grants(place, session, uses, sorted(clusters)))
    return tuple(found)


async def _grants(place: compose.Place, session: Session, uses: Collection[Use], clusters: Sequence[str]) -> Grants:
    identity = await session.identity()
    sent = declared()
    needed = permissions.statements(uses, sent)
    names = names_of(place.home, identity, session.region, clusters)
    unknown: str | None = None
    try:
        async with session.connect("iam", read_attempts=1) as iam:
            needed = await missing(iam, principal(identity.arn), needed, names)
    except (ApiError, ControllerError) as error:
        unknown = str(error)
    policy = permissions.policy(needed, sent, names=names)
    return Grants(place.name, principal(identity.arn), policy, unknown)


def uses_of(place: compose.Place, workloads: Iterable[Workload]) -> set[Use]:
    """What is done at a place, as far as settings and specs tell."""
    uses = {Use.OBSERVE}
    documents = [one.document for one in workloads]
    services = [one.spec.reconcile for one in documents if isinstance(one, DL1Service)]
    if not documents or any(one.spec.reconcile.mode is Mode.ENFORCE for one in documents):
        uses.add(Use.CONVERGE)
    if any(one.adopt for one in services):
        uses.add(Use.ADOPT)
    if any(one.keep_revisions is not None for one in services):
        uses.add(Use.RETIRE)
    settings = place.home
    if settings.smoke or any(isinstance(one, DL1Job) for one in documents):
        uses |= {Use.TASKS, Use.INSTANCES}
    if place.target is not None:
        return uses
    if isinstance(locate(settings.source), S3Location):
        uses.add(Use.SOURCE_S3)
    if settings.queue is not None:
        uses.add(Use.QUEUE)
    if settings.lease is not None:
        on_dynamodb = settings.lease.store.startswith("dynamodb:")
        uses.add(Use.LEASE_DYNAMODB if on_dynamodb else Use.LEASE_S3)
    kept = {"dynamodb": Use.JOURNAL_DYNAMODB, "s3": Use.JOURNAL_S3}.get(settings.journal.partition(":")[0])
    if kept is not None:
        uses.add(kept)
    if any(target.role_arn is not None for target in settings.targets):
        uses.add(Use.TARGETS)
    return uses


def names_of(settings: Settings, identity: Identity, region: str, clusters: Sequence[str]) -> dict[str, Any]:
    """What the placeholders of the statements stand for, as far as it is known."""
    names: dict[str, Any] = {
        "partition": identity.arn.split(":")[1],
        "region": region,
        "account": identity.account,
        "owner": settings.owner,
        "cluster": list(clusters) or ["*"],
        "task_roles": "*",
        "own_role": principal(identity.arn).partition(":role/")[2] or "*",
        "target_roles": [one.role_arn for one in settings.targets if one.role_arn is not None],
    }
    location = locate(settings.source)
    if isinstance(location, S3Location):
        names |= {"source_bucket": location.bucket, "source_prefix": location.prefix}
    if settings.queue is not None:
        names["queue"] = settings.queue.rpartition("/")[2]
    stores = (("lease", settings.lease.store if settings.lease is not None else ""), ("journal", settings.journal))
    for name, store in stores:
        kind, _, where = store.partition("://")
        if kind == "dynamodb":
            names[f"{name}_table"] = where
        elif kind == "s3":
            bucket, _, prefix = where.partition("/")
            names |= {f"{name}_bucket": bucket, f"{name}_prefix": f"{prefix.strip('/')}/" if prefix.strip("/") else ""}
    return names


async def missing(iam: Api, who: str, needed: Iterable[Statement], names: Names) -> tuple[Statement, ...]:
    """Of some statements those that IAM would not allow, narrowed to the operations that it would not.

    Raises:
        ApiError: IAM may not be asked.
    """
    sent = declared()
    found: list[Statement] = []
    for one in needed:
        refused = await _refused(iam, who, one, one.granted(sent), names)
        if not refused:
            continue
        if one.actions:
            found.append(one)
            continue
        lacking = tuple(name for name in one.operations if refused & set(permissions.actions_of(name)))
        found.append(replace(one, operations=lacking))
    return tuple(found)


async def _refused(iam: Api, who: str, one: Statement, actions: Sequence[str], names: Names) -> set[str]:
    """The actions that IAM would not allow on some resource of the statement."""
    resources = [_sample(text) for text in permissions.resources(one, names)]
    context = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [_sample(values[0])]}
        for operator, keys in permissions.conditions(one, names).items()
        if operator != "Null"
        for key, values in keys.items()
    ]
    params: dict[str, Any] = {"PolicySourceArn": who, "ActionNames": list(actions)}
    params |= {"ResourceArns": resources} if one.resources != ("*",) else {}
    params |= {"ContextEntries": context} if context else {}
    answer = await iam.call("SimulatePrincipalPolicy", params)
    decided: dict[str, list[str]] = {action: [] for action in actions}
    for result in answer.get("EvaluationResults", ()):
        each = [str(one["EvalResourceDecision"]) for one in result.get("ResourceSpecificResults", ())]
        decided.setdefault(str(result["EvalActionName"]), []).extend([str(result["EvalDecision"]), *each])
    return {action for action, said in decided.items() if not said or set(said) != {"allowed"}}


def _sample(text: str) -> str:
    """A name that a pattern covers: IAM simulates names."""
    return text.replace("*", NOBODY)


def principal(arn: str) -> str:
    """The role behind an assumed role: IAM simulates roles and users. Source: IAM API, SimulatePrincipalPolicy."""
    parts = arn.split(":")
    kind, _, rest = parts[-1].partition("/")
    if kind != "assumed-role":
        return arn
    return ":".join([*parts[:2], "iam", *parts[3:5], f"role/{rest.partition('/')[0]}"])
