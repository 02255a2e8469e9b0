"""What other tools have on disk → what is to be imported. No AWS is asked.

Read are the answers of `aws ecs describe-services`, `describe-task-definition` and of the writes, and the input of
`register-task-definition` and `create-service`, which is what ecspresso keeps in its two definition files; templates of
CloudFormation are `templates`' business. Values are read by AWS's own model, so that a number where ECS wants text
becomes text; what is no member of a request is a finding at its place. Texts with some tool's own placeholders in them
stay as they are. What is no ECS request (a Copilot manifest, a compose file, an ecspresso configuration) is refused by
name. Neighbours: `found` (what comes out), `document` (makes specs of it).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.core import nodes, scalars, yaml
from controller.core.compare import SERVICE, TASK_DEFINITION
from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.ecs.model import Structure, load
from controller.core.ecs.read import EcsReader
from controller.core.fields.service import OUTPUT_ONLY, SERVICE_MEMBERS, TASK_DEFINITION_OUTPUT_ONLY, Answered
from controller.core.importing.found import Found
from controller.core.importing.templates import Resource, resources
from controller.core.live import LiveService, Observation, Revision
from controller.core.nodes import Node, Scalar
from controller.core.quoting import quote

_RENDER: Final = "render templates and Jsonnet with the tool that they belong to first, as `ecspresso render` does"
_COPILOT: Final = ("a Copilot manifest", "give the template that `copilot svc package` prints, or what runs")
_COMPOSE: Final = ("a docker compose file", "give what runs instead: the output of `aws ecs describe-services`")
_ECSPRESSO: Final = ("an ecspresso configuration", "give the task definition and the service that it names")
_NOT_READ: Final = {"service_definition": _ECSPRESSO, "services": _COMPOSE, "http": _COPILOT, "type": _COPILOT}
"""Member by which a file of another kind is known → what it is, what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Which service is meant, as far as the user has said it."""

    cluster: str | None = None
    name: str | None = None

    def of(self, services: int) -> "Address":
        """The address of each of so many: one name cannot be several services'."""
        return self if services == 1 else Address(self.cluster)


@dataclass(frozen=True, slots=True)
class Exports:
    """What files hold, and what of them could not be taken over."""

    found: tuple[Found, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that a file holds, in the wire's form, and its place."""

    shape: str
    members: dict[str, Any]
    node: nodes.Mapping
    logical: str = ""
    """What a template calls it, so that other requests can refer to it."""
    arn: str = ""
    cluster: str = ""

    @property
    def file(self) -> str:
        return self.node.span.file

    @property
    def tags(self) -> dict[str, str]:
        return {str(tag.get("key")): str(tag.get("value", "")) for tag in self.members.get("tags", ())}


def exports(files: Mapping[str, bytes], address: Address) -> Exports:
    """Every service that the files describe; a task definition that no service is beside stands for itself."""
    diagnostics: list[Diagnostic] = []
    requests: list[_Request] = []
    for file, content in files.items():
        stream = yaml.read(file, content)
        templates, problems = resources(stream)
        diagnostics.extend(replace(one, hint=one.hint or _RENDER) for one in problems)
        for document in stream.documents:
            requests.extend(_requests(document.root, templates, diagnostics, readable=not problems))
    found = tuple(_matched(requests, address, diagnostics))
    return Exports(found, tuple(sorted(diagnostics, key=lambda one: one.at)))


# Files → requests
# --------------------------------------------------------------------------------------------------------------------


def _requests(
    root: Node, templates: list[Resource], diagnostics: list[Diagnostic], *, readable: bool
) -> Iterator[_Request]:
    if isinstance(root, nodes.Sequence):
        for item in root.items:
            yield from _requests(item, templates, diagnostics, readable=readable)
        return
    if not isinstance(root, nodes.Mapping):
        message = f"an ECS request is a mapping, not {scalars.kind(root)}"
        diagnostics.append(Diagnostic(Code.WRONG_TYPE, message, root.span))
        return
    mine = [one for one in templates if one.template is root]
    if mine:
        for one in mine:
            yield from _read(one.shape, one.properties, diagnostics, logical=one.logical)
        return
    task_definition, service, services = (root.get(name) for name in ("taskDefinition", "service", "services"))
    match task_definition, service, services:
        case nodes.Mapping(), _, _:
            yield from _read(TASK_DEFINITION, task_definition, diagnostics, tags=root.get("tags"))
        case _, nodes.Mapping(), _:
            yield from _read(SERVICE, service, diagnostics)
        case _, _, nodes.Sequence(items):
            for item in items:
                yield from _read(SERVICE, item, diagnostics)
        case _ if root.get("containerDefinitions") is not None:
            yield from _read(TASK_DEFINITION, root, diagnostics)
        case _ if _is_service(root):
            yield from _read(SERVICE, root, diagnostics)
        case _ if readable:
            diagnostics.append(_unknown(root))
        case _:
            pass


def _is_service(root: nodes.Mapping) -> bool:
    """Whether most of what a mapping says are members of a service."""
    known = sum(entry.key.text in SERVICE_MEMBERS or entry.key.text in OUTPUT_ONLY for entry in root.entries)
    return known * 2 > len(root.entries)


def _unknown(root: nodes.Mapping) -> Diagnostic:
    for name, (what, hint) in _NOT_READ.items():
        if root.entry(name):
            return Diagnostic(Code.UNKNOWN_KIND, f"this is {what}, which cannot be imported", root.span, hint=hint)
    names = ", ".join(entry.key.text for entry in root.entries[:4])
    message = f"this is no ECS request that is known here; it says {quote(names)}"
    hint = "give the output of `aws ecs describe-services` or `describe-task-definition`, or their input"
    return Diagnostic(Code.UNKNOWN_KIND, message, root.span, hint=hint)


def _read(
    shape: str, node: Node, diagnostics: list[Diagnostic], *, tags: Node | None = None, logical: str = ""
) -> Iterator[_Request]:
    """The request at a node, without what ECS adds to its answers."""
    if not isinstance(node, nodes.Mapping):
        diagnostics.append(Diagnostic(Code.WRONG_TYPE, f"a request is a mapping, not {scalars.kind(node)}", node.span))
        return
    output_only = TASK_DEFINITION_OUTPUT_ONLY if shape == TASK_DEFINITION else OUTPUT_ONLY
    entries = {entry.key.text: entry for entry in node.entries if entry.key.text not in output_only}
    if shape == SERVICE:
        entries = {**_of_the_primary_deployment(node), **entries}
    if isinstance(tags, nodes.Sequence) and "tags" not in entries:
        entries["tags"] = nodes.Entry(Scalar("tags", plain=False, span=tags.span), tags)
    reader = EcsReader(load())
    found = load().shapes[shape]
    assert isinstance(found, Structure)
    root = ("taskDefinition" if shape == TASK_DEFINITION else "service",)
    whole = nodes.Mapping(tuple(entries.values()), node.span)
    members = reader.structure(shape, whole, root, implied=found.required) or {}
    diagnostics.extend(replace(one, severity=Severity.WARNING) for one in reader.problems)
    yield _Request(
        shape, members, node, logical, arn=_text(node, "taskDefinitionArn"), cluster=_text(node, "clusterArn")
    )


def _of_the_primary_deployment(node: nodes.Mapping) -> dict[str, nodes.Entry]:
    """Members of a service that ECS answers on its deployments only."""
    deployments = node.get("deployments")
    if not isinstance(deployments, nodes.Sequence):
        return {}
    primary = next((one for one in deployments.items if _text(one, "status") == "PRIMARY"), None)
    if not isinstance(primary, nodes.Mapping):
        return {}
    names = (name for name, member in SERVICE_MEMBERS.items() if member.answered is Answered.DEPLOYMENT)
    found = ((name, primary.entry(name)) for name in names)
    return {name: entry for name, entry in found if entry is not None}


def _text(node: Node, name: str) -> str:
    found = node.get(name) if isinstance(node, nodes.Mapping) else None
    return found.text if isinstance(found, Scalar) else ""


# Requests → services
# --------------------------------------------------------------------------------------------------------------------


def _matched(requests: list[_Request], address: Address, diagnostics: list[Diagnostic]) -> Iterator[Found]:
    definitions = [one for one in requests if one.shape == TASK_DEFINITION]
    services = [one for one in requests if one.shape == SERVICE]
    if not services:
        for one in definitions:
            yield from _found(one, None, address.of(len(definitions)), diagnostics)
        return
    meant = services
    if address.name and len(services) > 1:
        meant = [one for one in services if _called(one) == address.name]
    if not meant:
        message = f"none of these services is called {address.name}"
        hint = f"there are {', '.join(map(_called, services))}"
        diagnostics.append(Diagnostic(Code.BAD_VALUE, message, services[0].node.span, hint=hint))
    for service in meant:
        definition = _definition(service, definitions)
        if definition is None:
            wanted = service.members.get("taskDefinition") or "which it does not name"
            message = f"the task definition of service {_called(service) or '(without a name)'} is not there: {wanted}"
            hint = "give it with one more --from: the output of `aws ecs describe-task-definition`"
            diagnostics.append(Diagnostic(Code.MISSING_FIELD, message, service.node.span, hint=hint))
        else:
            yield from _found(definition, service, address.of(len(meant)), diagnostics)


def _called(service: _Request) -> str:
    return str(service.members.get("serviceName") or service.logical)


def _definition(service: _Request, definitions: Iterable[_Request]) -> _Request | None:
    """The task definition that a service uses: by ARN, by family and revision, by family; the only one if it names
    none."""
    wanted = str(service.members.get("taskDefinition") or "")
    known = list(definitions)
    if not wanted:
        return known[0] if len(known) == 1 else None
    tail = wanted.rpartition("/")[2]
    family, _, revision = tail.partition(":")
    exact = [one for one in known if wanted in (one.arn, one.logical) or (one.arn and one.arn.endswith(f"/{tail}"))]
    alike = [one for one in known if one.members.get("family") == family and not (one.arn and revision)]
    return next(iter([*exact, *alike]), None)


def _found(
    definition: _Request, service: _Request | None, address: Address, diagnostics: list[Diagnostic]
) -> Iterator[Found]:
    name = address.name or (_called(service) if service else str(definition.members.get("family") or ""))
    said = (service.cluster or str(service.members.get("cluster") or "")) if service else ""
    cluster = address.cluster or said.rpartition("/")[2]
    node = (service or definition).node
    if not name or not cluster:
        missing = "which cluster it runs in" if name else "what the service is called"
        message = f"the file does not say {missing}"
        diagnostics.append(Diagnostic(Code.MISSING_FIELD, message, node.span, hint="write CLUSTER/NAME before --from"))
        return
    family = str(definition.members.get("family") or name)
    wire = {n: value for n, value in definition.members.items() if n != "tags"}
    revision = Revision({**wire, "family": family, "taskDefinitionArn": definition.arn or family}, definition.tags)
    live = LiveService({**service.members, "serviceName": name, "serviceArn": name}) if service else None
    files = dict.fromkeys([definition.file, *([service.file] if service else [])])
    yield Found(cluster, name, " and ".join(files), Observation(service=live, revision=revision), answered=False)
