"""Admission: what would be refused, would never run or could never roll, said before anything is sent.

Rules read the *rendered* requests, so that nothing a user or the renderer writes goes round them. A rule answers with
findings at the place in the spec that caused them; errors stop the workload, warnings are printed. Sources stand at
each rule. Neighbours: `render` makes the requests, `rollout` and `placement` have the arithmetic and the language.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from controller.core.changes import origin
from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Keyed
from controller.core.fields.service import is_daemon
from controller.core.gaudi import rules as gaudi_rules
from controller.core.gaudi.cards import DL1_INSTANCE_TYPE
from controller.core.gaudi.demand import DL1_CPU_UNITS, DL1_MEMORY_MIB
from controller.core.jobs.request import RenderedJob
from controller.core.jobs.rules import gang
from controller.core.normalize import item_key
from controller.core.ownership import FOREIGN_STACK, PREFIX
from controller.core.path import Item, Path
from controller.core.placeholders import placeholders
from controller.core.placement import MAX_LENGTH, And, Expression, ExpressionError, Facts, evaluate, parse, subjects
from controller.core.redact import SECRET_NAME
from controller.core.render import Rendered, Settings
from controller.core.rollout import Percentages
from controller.core.spec import Isolation

MOST_CONTAINERS: Final = 10
MOST_CONSTRAINTS: Final = 10
MOST_TAGS: Final = 50
"""Source: Amazon ECS service quotas."""

Subject: TypeAlias = Rendered | RenderedJob
Rule: TypeAlias = Callable[[Rendered], Iterator[Diagnostic]]
"""About services."""
AnyRule: TypeAlias = Callable[[Subject], Iterator[Diagnostic]]


def check(rendered: Subject, settings: Settings) -> tuple[Diagnostic, ...]:
    """Every finding about one workload, in the order of the file. `settings` are those that it was rendered with."""
    findings = [finding for rule in RULES for finding in rule(rendered)]
    if isinstance(rendered, Rendered):
        findings += [finding for rule in SERVICE_RULES for finding in rule(rendered)]
    else:
        findings += launch(rendered)
        findings += gang(rendered.workload, rendered.register.get("networkMode", "bridge"))
    return tuple(sorted((*findings, *gaudi(rendered, settings)), key=lambda finding: finding.at))


def _finding(
    rendered: Subject,
    path: Path,
    message: str,
    *,
    code: Code = Code.POLICY,
    hint: str | None = None,
    severity: Severity = Severity.ERROR,
) -> Diagnostic:
    return Diagnostic(code, message, origin(rendered, path), hint=hint, severity=severity)


def _containers(rendered: Subject) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for container in rendered.register.get("containerDefinitions", ()):
        yield ("taskDefinition", "containerDefinitions", Item(str(container.get("name")))), container


def containers(rendered: Subject) -> Iterator[Diagnostic]:
    """A task has one to ten containers and at least one that is essential. Source: API model, service quotas."""
    found = rendered.register.get("containerDefinitions", [])
    path: Path = ("taskDefinition", "containerDefinitions")
    if not found:
        yield _finding(rendered, path, "a task definition needs at least one container")
    elif not any(one.get("essential", True) for one in found):
        message = "no container is essential, so ECS refuses the task definition"
        yield _finding(rendered, path, message, hint="set essential: true on the one that does the work")
    if len(found) > MOST_CONTAINERS:
        yield _finding(rendered, path, f"{len(found)} containers, but a task definition takes {MOST_CONTAINERS}")


def memory(rendered: Subject) -> Iterator[Diagnostic]:
    """A container needs a memory limit, a reservation, or a task limit to live in. Source: API model, `memory`."""
    task = rendered.register.get("memory")
    for path, container in _containers(rendered):
        hard, soft = container.get("memory"), container.get("memoryReservation")
        if task is None and hard is None and soft is None:
            message = f"container `{container.get('name')}` has no memory and the task has none either"
            hint = "set memory or memoryReservation of the container, or memory of the task"
            yield _finding(rendered, path, message, hint=hint)
        if hard is not None and soft is not None and hard < soft:
            yield _finding(rendered, (*path, "memory"), f"memory {hard} is below memoryReservation {soft}")


def images(rendered: Subject) -> Iterator[Diagnostic]:
    """Every container names an image that docker can pull."""
    for path, container in _containers(rendered):
        image = str(container.get("image", ""))
        if not image:
            yield _finding(rendered, path, f"container `{container.get('name')}` has no image")


def ports(rendered: Subject) -> Iterator[Diagnostic]:
    """Under host networking a port is the host's; no two mappings of a task can have one. Source: API model,
    PortMapping."""
    mode = rendered.register.get("networkMode", "bridge")
    taken: Counter[tuple[int, str]] = Counter()
    for path, container in _containers(rendered):
        row = SHAPES["ContainerDefinition"]["portMappings"]
        for mapping in container.get("portMappings", ()):
            inside, outside = mapping.get("containerPort"), mapping.get("hostPort")
            at: Path = (*path, "portMappings", Item(item_key(row, mapping) if isinstance(row, Keyed) else ""))
            if mode in ("host", "awsvpc") and outside not in (None, 0, inside):
                message = f"hostPort {outside} differs from containerPort {inside}, which networkMode {mode} cannot do"
                yield _finding(rendered, at, message)
            port = inside if mode == "host" else outside
            if port:
                taken[int(port), mapping.get("protocol", "tcp")] += 1
                if taken[int(port), mapping.get("protocol", "tcp")] > 1:
                    yield _finding(
                        rendered, at, f"host port {port} is used twice in this task", code=Code.CONTRADICTION
                    )


def network(rendered: Subject) -> Iterator[Diagnostic]:
    """Awsvpc needs subnets and other modes take none; tasks in awsvpc hold no host ports. Source: API model."""
    mode = rendered.register.get("networkMode", "bridge")
    configured = "networkConfiguration" in rendered.create
    if mode == "awsvpc" and not configured:
        message = f"networkMode awsvpc needs {rendered.root}.networkConfiguration with subnets"
        yield _finding(rendered, ("taskDefinition", "networkMode"), message)
    if mode != "awsvpc" and configured:
        message = f"{rendered.root}.networkConfiguration is for networkMode awsvpc, but the mode is {mode}"
        yield _finding(rendered, (rendered.root, "networkConfiguration"), message)
    gaudi = rendered.workload.document.spec.gaudi
    if gaudi is not None and gaudi.isolation is Isolation.HOST_PORTS and mode not in ("host", "bridge"):
        message = f"networkMode {mode} holds no host ports, so isolation: hostPorts cannot keep tasks off one card"
        hint = "use networkMode host, or gaudi.isolation: none"
        yield _finding(rendered, ("taskDefinition", "networkMode"), message, code=Code.CONTRADICTION, hint=hint)


def constraints(rendered: Subject) -> Iterator[Diagnostic]:
    """Placement expressions must be expressions, and a Gaudi task must be allowed on a DL1. Source: cluster query
    language."""
    facts = Facts(attributes={"ecs.instance-type": DL1_INSTANCE_TYPE, "ecs.os-type": "linux"}, partial=True)
    both = [
        (("taskDefinition", "placementConstraints"), rendered.register.get("placementConstraints", ())),
        ((rendered.root, "placementConstraints"), rendered.create.get("placementConstraints", ())),
    ]
    for root, found in both:
        for constraint in found:
            expression = str(constraint.get("expression", ""))
            path: Path = (*root, Item(f"{constraint.get('type', '')} {expression}".strip()))
            if constraint.get("type") == "distinctInstance":
                if expression:
                    yield _finding(rendered, path, "distinctInstance takes no expression")
                continue
            if len(expression) > MAX_LENGTH:
                yield _finding(
                    rendered, path, f"the expression has {len(expression)} characters, ECS takes {MAX_LENGTH}"
                )
                continue
            try:
                parsed = parse(expression)
            except ExpressionError as error:
                message = f"`{expression}` is no placement expression: {error.reason} at character {error.column}"
                yield _finding(rendered, path, message)
                continue
            if _has_gaudi(rendered) and _excludes(parsed, facts):
                message = f"`{expression}` excludes {DL1_INSTANCE_TYPE}, but the task uses Gaudi cards"
                yield _finding(rendered, path, message, code=Code.CONTRADICTION)
    total = sum(len(found) for _, found in both)
    if total > MOST_CONSTRAINTS:
        message = f"{total} placement constraints in all, ECS takes {MOST_CONSTRAINTS}"
        yield _finding(rendered, ("taskDefinition", "placementConstraints"), message)


def _excludes(expression: Expression, facts: Facts) -> bool:
    """Whether an expression is certainly false there: of attributes that are not listed nothing is known."""
    known = {f"attribute:{name}" for name in facts.attributes}
    parts = expression.operands if isinstance(expression, And) else (expression,)
    return any(subjects(part) <= known and evaluate(part, facts) is False for part in parts)


def rollout(rendered: Rendered) -> Iterator[Diagnostic]:
    """A service must be able to roll. Source: ECS developer guide, minimumHealthyPercent and AZ rebalancing."""
    path: Path = ("service", "deploymentConfiguration")
    config = rendered.create["deploymentConfiguration"]
    percentages = Percentages(config["minimumHealthyPercent"], config["maximumPercent"])
    desired = rendered.create.get("desiredCount", 1)
    if not is_daemon(rendered.create) and not percentages.can_move(desired):
        message = (
            f"with minimumHealthyPercent {percentages.minimum} and maximumPercent {percentages.maximum} a deployment of"
            f" {desired} tasks may neither stop one ({percentages.lower(desired)} must stay) nor start one"
            f" (at most {percentages.upper(desired)})"
        )
        hint = "leave both out, or set minimumHealthyPercent: 0, maximumPercent: 100"
        yield _finding(rendered, path, message, code=Code.ROLLOUT_CANNOT_START, hint=hint)
    elif _has_gaudi(rendered) and desired and not percentages.stops_first(desired) and not is_daemon(rendered.create):
        message = (
            f"a rollout starts new tasks first, so it needs free cards for {percentages.upper(desired) - desired} more"
        )
        hint = "without spare instances it waits for ever; minimumHealthyPercent: 0 lets it stop a task first"
        yield _finding(rendered, path, message, code=Code.ROLLOUT_CANNOT_START, hint=hint, severity=Severity.WARNING)
    if rendered.create["availabilityZoneRebalancing"] == "ENABLED" and (
        percentages.maximum <= 100 or is_daemon(rendered.create)
    ):
        message = "availabilityZoneRebalancing ENABLED needs maximumPercent over 100 and no DAEMON scheduling"
        yield _finding(rendered, ("service", "availabilityZoneRebalancing"), message)


def scheduling(rendered: Rendered) -> Iterator[Diagnostic]:
    """What only ECS itself may deploy, on EC2 where there are cards. Source: API model, CreateService."""
    create = rendered.create
    kind = (create.get("deploymentController") or {}).get("type", "ECS")
    if kind != "ECS":
        message = f"deploymentController {kind} leaves the service to somebody else; this controller manages ECS's own"
        yield _finding(rendered, ("service", "deploymentController"), message)
    yield from launch(rendered)


def launch(rendered: Subject) -> Iterator[Diagnostic]:
    """Where tasks are launched: in one way, and where there are cards. Source: API model, CreateService, RunTask."""
    create, root = rendered.create, rendered.root
    if "launchType" in create and "capacityProviderStrategy" in create:
        message = "launchType and capacityProviderStrategy exclude each other"
        yield _finding(rendered, (root, "launchType"), message, code=Code.CONTRADICTION)
    if not _has_gaudi(rendered):
        return
    if create.get("launchType", "EC2") != "EC2":
        message = f"launchType {create['launchType']} has no Gaudi cards"
        yield _finding(rendered, (root, "launchType"), message, code=Code.CONTRADICTION)
    for item in create.get("capacityProviderStrategy", ()):
        if str(item.get("capacityProvider")) in ("FARGATE", "FARGATE_SPOT"):
            message = f"capacity provider {item['capacityProvider']} has no Gaudi cards"
            path: Path = (root, "capacityProviderStrategy", Item(str(item["capacityProvider"])))
            yield _finding(rendered, path, message, code=Code.CONTRADICTION)


def instance_size(rendered: Subject) -> Iterator[Diagnostic]:
    """A Gaudi task must fit a dl1.24xlarge, and ECS must not look for resources that DL1 does not have."""
    if not _has_gaudi(rendered):
        return
    register = rendered.register
    for name, limit in (("cpu", DL1_CPU_UNITS), ("memory", DL1_MEMORY_MIB - 1)):
        asked = str(register.get(name, ""))
        if asked.isdigit() and int(asked) > limit:
            message = f"task {name} {asked} is more than a {DL1_INSTANCE_TYPE} can give ({limit} at most)"
            yield _finding(rendered, ("taskDefinition", name), message, code=Code.OUT_OF_RANGE)
    if register.get("inferenceAccelerators"):
        message = "inferenceAccelerators are Elastic Inference's; a DL1 has none and the task is never placed"
        yield _finding(rendered, ("taskDefinition", "inferenceAccelerators"), message)
    for path, container in _containers(rendered):
        for requirement in container.get("resourceRequirements", ()):
            message = f"a DL1 registers no {requirement.get('type')} with ECS, so the task is never placed"
            hint = "remove resourceRequirements: `gaudi` says which cards the task uses"
            yield _finding(rendered, (*path, "resourceRequirements"), message, hint=hint)


def gaudi(rendered: Subject, settings: Settings) -> Iterator[Diagnostic]:
    """Everything that `core.gaudi` knows about a task with cards."""
    spec = rendered.workload.document.spec
    task = gaudi_rules.Task(
        rendered.register,
        rendered.create,
        spec.gaudi,
        port_base=settings.port_base,
        region=settings.region_of(rendered.workload),
        today=settings.today,
    )
    for one in gaudi_rules.check(task):
        path = (rendered.root, *one.path[1:]) if one.path[:1] == ("service",) else one.path
        yield _finding(rendered, path, one.message, code=one.code, hint=one.hint, severity=one.severity)


def controls(rendered: Subject) -> Iterator[Diagnostic]:
    """Kernel parameters of a namespace that is the host's are the host's. Source: API model, ContainerDefinition
    `systemControls`."""
    modes = {"ipcMode": ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue."), "networkMode": ("net.",)}
    for mode, names in modes.items():
        if rendered.register.get(mode) != "host":
            continue
        for path, container in _containers(rendered):
            for control in container.get("systemControls", ()):
                name = str(control.get("namespace", ""))
                if name.startswith(names):
                    message = f"{name} cannot be set for a container, because {mode} is host"
                    hint = f"set it on the instances, or another {mode}"
                    yield _finding(rendered, (*path, "systemControls", Item(name)), message, hint=hint)


def tags(rendered: Subject) -> Iterator[Diagnostic]:
    """Tags that are not the user's to write, and how many a service takes. Source: API model, CreateService `tags`."""
    written = rendered.workload.service or rendered.workload.run_task
    both = {"taskDefinition": rendered.workload.task_definition, rendered.root: written}
    for root, request in both.items():
        for key in (str(tag.get("key", "")) for tag in request.get("tags", ())):
            if key.startswith((PREFIX, "aws:")) or key in FOREIGN_STACK:
                owner = "this controller" if key.startswith(PREFIX) else "AWS"
                yield _finding(rendered, (root, "tags", Item(key)), f"tags of this prefix are written by {owner} only")
    if len(rendered.tags) > MOST_TAGS:
        yield _finding(rendered, (rendered.root, "tags"), f"{len(rendered.tags)} tags with ours, ECS takes {MOST_TAGS}")


def secrets(rendered: Subject) -> Iterator[Diagnostic]:
    """Secrets belong into `secrets`, where neither the task definition nor this controller shows them."""
    for path, container in _containers(rendered):
        for variable in container.get("environment", ()):
            name, value = str(variable.get("name", "")), str(variable.get("value", ""))
            if value and SECRET_NAME.search(name) and len(value) > 7 and not value.startswith("arn:"):
                message = f"{name} looks like a secret in plain text"
                hint = "move it to `secrets` with valueFrom an SSM parameter or a Secrets Manager ARN"
                yield _finding(
                    rendered, (*path, "environment", Item(name)), message, hint=hint, severity=Severity.WARNING
                )


def unfilled(rendered: Subject) -> Iterator[Diagnostic]:
    """Placeholders of `controller import`: ECS would take them, and the tasks would not start."""
    for path, message, hint in placeholders(rendered.register):
        yield _finding(rendered, path, message, code=Code.PLACEHOLDER, hint=hint)


def _has_gaudi(rendered: Subject) -> bool:
    return rendered.workload.document.spec.gaudi is not None


RULES: Final[tuple[AnyRule, ...]] = (
    *(containers, memory, images, ports, network, constraints),
    *(instance_size, controls, tags, secrets, unfilled),
)
SERVICE_RULES: Final[tuple[Rule, ...]] = (rollout, scheduling)
