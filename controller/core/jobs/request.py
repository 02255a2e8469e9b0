"""Spec → the requests that run a job: RegisterTaskDefinition, and the RunTask of each rank exactly as it would be sent.

The task definition is completed as a service's is; every task gets a RunTask of its own, because each rank is told
something else. Neighbours: `core.render` (shared with services), `rendezvous` (what ranks are told), `identity` (what
they are called), `plan` (which of them to send).
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from controller.core.diagnostics import Code, Diagnostic
from controller.core.draft import Draft, Reason
from controller.core.gaudi.cards import CardSet
from controller.core.jobs.identity import TaskId, uid_of
from controller.core.jobs.rendezvous import Gang, Master
from controller.core.jobs.schedule import Cron
from controller.core.jobs.spec import JobSpec
from controller.core.normalize import digest, normalize
from controller.core.ownership import LABELS, ON_DELETE, OWNER, PREFIX, SOURCE, tag_value
from controller.core.render import Settings, drafted, synapseai_of
from controller.core.spec import OnDelete
from controller.core.workload import Key, Workload

JOB: Final = f"{PREFIX}job"
"""Tag of a task and of a revision: name of the job."""
LONGEST_OVERRIDES: Final = 8192
"""Characters of RunTask's `overrides` as JSON. Source: ECS service quotas."""
COMPLETION_INDEX: Final = "JOB_COMPLETION_INDEX"
"""Which of several completions this is, from 0. Source: Kubernetes, indexed Jobs."""
ROOT: Final = "runTask"


@dataclass(frozen=True, slots=True)
class RenderedJob:
    """A job as ECS requests."""

    workload: Workload
    register: dict[str, Any]
    """RegisterTaskDefinition."""
    create: dict[str, Any]
    """RunTask without what each task has for itself."""
    reasons: tuple[Reason, ...]
    digest: str
    """Name of everything that the spec asks for, also of what makes no new run."""
    content: str
    """Name of the content of the task definition."""
    owner: str
    container: str
    """Which container is told who it is."""
    gang: Gang
    cron: Cron | None = None
    zone: tzinfo | None = None
    """Of the schedule."""

    @property
    def key(self) -> Key:
        """Which job it is."""
        return self.workload.key

    @property
    def spec(self) -> JobSpec:
        """What it should be."""
        return self.workload.job_spec

    @property
    def cluster(self) -> str:
        """Name or ARN of the cluster, as the spec says it."""
        return self.spec.cluster

    @property
    def family(self) -> str:
        """Family of the task definition."""
        return str(self.register["family"])

    @property
    def root(self) -> str:
        """Member of the spec that `create` comes from."""
        return ROOT

    @property
    def tags(self) -> dict[str, str]:
        """All tags of a task."""
        return {tag["key"]: tag.get("value", "") for tag in self.create.get("tags", ())}

    @property
    def essential(self) -> tuple[str, ...]:
        """Containers that have to end with 0."""
        containers = self.register.get("containerDefinitions", ())
        return tuple(str(one["name"]) for one in containers if one.get("essential", True))

    def uid(self, scheduled: datetime | None = None) -> str:
        """The name of a run."""
        return uid_of(self.workload, owner=self.owner, scheduled=scheduled)

    def run_task(self, task: TaskId, revision: str, *, master: Master | None = None, index: int = 0) -> dict[str, Any]:
        """RunTask for one rank, on a revision (ARN or `family:number`). Ranks beyond 0 are told of the `master`;
        `index` counts the completions before this one."""
        request = copy.deepcopy(self.create)
        told = self.gang.environment(task.rank, master)
        if self.spec.completions > 1:
            told[COMPLETION_INDEX] = str(index)
        if told:
            request["overrides"] = _with_environment(request.get("overrides") or {}, self.container, told)
        constraints = [*request.get("placementConstraints", ()), *self.gang.constraints(master)]
        if constraints:
            request["placementConstraints"] = [one for at, one in enumerate(constraints) if one not in constraints[:at]]
        return {
            **request,
            "taskDefinition": revision,
            "count": 1,
            "group": request.get("group", f"job:{task.uid}"),
            "startedBy": task.started_by,
            "clientToken": task.client_token,
        }


@dataclass(frozen=True, slots=True)
class JobRendering:
    """What came of rendering: the requests, or why there are none."""

    rendered: RenderedJob | None
    diagnostics: tuple[Diagnostic, ...]


def render_job(workload: Workload, settings: Settings) -> JobRendering:
    """The requests of one job."""
    draft, spec = drafted(workload, settings), workload.job_spec
    container = draft.holder or _first_essential(draft)
    gang = _gang(draft, spec)
    _check_told(draft, container, gang)
    cron, zone = Cron.read(spec.schedule) if spec.schedule is not None else None, settings.zone(spec.time_zone)
    if zone is None:
        message = f"time zone `{spec.time_zone}` is not known"
        hint = "a name of the tz database, as Europe/Berlin"
        draft.problem(Code.BAD_VALUE, message, ("spec", "timeZone"), hint=hint)
    if draft.problems:
        return JobRendering(None, tuple(draft.problems))
    marks = {OWNER: settings.owner, JOB: workload.key.name}
    register_tags = {**_tags(draft.register.get("tags", ())), **marks}
    content = digest(dict(normalize("RegisterTaskDefinitionRequest", _without_tags(draft.register)).members))
    draft.register["tags"] = _listed(register_tags)
    create = _request(workload, marks)
    return JobRendering(
        RenderedJob(
            workload=workload,
            register=draft.register,
            create=create,
            reasons=tuple(draft.reasons),
            digest=digest({"uid": uid_of(workload, owner=settings.owner), "content": content, "spec": _text(spec)}),
            content=content,
            owner=settings.owner,
            container=container,
            gang=gang,
            cron=cron,
            zone=zone,
        ),
        (),
    )


def _request(workload: Workload, marks: Mapping[str, str]) -> dict[str, Any]:
    spec, written = workload.job_spec, copy.deepcopy(workload.run_task)
    tags = _tags(written.get("tags", ())) | {
        **{f"{LABELS}{key}": value for key, value in sorted(workload.document.metadata.labels.items())},
        **marks,
        SOURCE: tag_value(workload.file),
    }
    if spec.reconcile.on_delete is OnDelete.ORPHAN:
        tags[ON_DELETE] = "orphan"
    return {**dict(sorted(written.items())), "cluster": spec.cluster, "tags": _listed(tags)}


def _gang(draft: Draft, spec: JobSpec) -> Gang:
    gaudi = spec.gaudi
    version = synapseai_of(gaudi, draft.container(draft.holder)) if gaudi and draft.holder else None
    cards = len(CardSet.of(gaudi).cards) if gaudi else 1
    return Gang(spec.nodes, spec.master_port, cards, bool(gaudi and gaudi.efa), version)


def _first_essential(draft: Draft) -> str:
    containers = draft.register.get("containerDefinitions", ())
    return next((str(one.get("name")) for one in containers if one.get("essential", True)), "")


def _check_told(draft: Draft, container: str, gang: Gang) -> None:
    """A variable that each rank is told cannot be one for all."""
    told = gang.environment(1, Master("10.0.0.1"))
    containers = draft.register.get("containerDefinitions", ())
    for one in containers:
        for variable in one.get("environment", ()) if one.get("name") == container else ():
            if variable.get("name") in told and not str(variable["name"]).startswith("HCCL_OVER"):
                message = (
                    f"{variable['name']} is another one for each of the {gang.nodes} nodes; the controller sets it"
                )
                path = ("spec", "taskDefinition", "containerDefinitions")
                draft.problem(Code.CONTRADICTION, message, path, hint="remove it; the port is spec.masterPort")
    overrides = draft.workload.run_task.get("overrides") or {}
    size = len(json.dumps(_with_environment(overrides, container, told) if told else overrides))
    if size > LONGEST_OVERRIDES:
        message = f"runTask.overrides would have {size} characters, ECS takes {LONGEST_OVERRIDES}"
        draft.problem(Code.OUT_OF_RANGE, message, ("spec", "runTask", "overrides"))


def _with_environment(overrides: Mapping[str, Any], container: str, told: Mapping[str, str]) -> dict[str, Any]:
    """The overrides with more variables for one container."""
    written = overrides.get("containerOverrides", ())
    others = [one for one in written if one.get("name") != container]
    own: dict[str, Any] = next((one for one in written if one.get("name") == container), {})
    variables = {str(one.get("name")): one for one in own.get("environment", ())}
    variables |= {name: {"name": name, "value": value} for name, value in told.items()}
    mine = {**own, "name": container, "environment": list(variables.values())}
    return {**overrides, "containerOverrides": [*others, mine]}


def _text(spec: JobSpec) -> str:
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def _without_tags(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "tags"}


def _tags(found: Any) -> dict[str, str]:
    return {str(tag["key"]): str(tag.get("value", "")) for tag in found}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
