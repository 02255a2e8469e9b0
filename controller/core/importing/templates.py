"""The ECS resources of a CloudFormation template, as far as they are plain, as requests.

Properties are the API's members with a capital letter, so they are renamed by AWS's own model. What a template computes
(`!Sub`, `Fn::GetAtt`, a `Ref` of a parameter) is known to CloudFormation only: it is left out, with a finding at its
place; a reference to a task definition of the same template is followed. Neighbours: `exports`.
"""

from dataclasses import dataclass
from typing import Final

from controller.core import nodes
from controller.core.compare import SERVICE, TASK_DEFINITION
from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.ecs.model import ListOf, MapOf, Structure, load
from controller.core.nodes import Entry, Node, Scalar
from controller.core.path import show
from controller.core.yaml import Stream

_TYPES: Final = {"AWS::ECS::TaskDefinition": TASK_DEFINITION, "AWS::ECS::Service": SERVICE}
_IDENTITY: Final = (("cluster",), ("serviceName",))
"""What the user says where the template does not."""
_COMPUTED: Final = "Fn::"
_REFERENCE: Final = "Ref"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a template."""

    template: nodes.Mapping
    """The document that it stands in."""
    logical: str
    shape: str
    properties: nodes.Mapping
    """Its properties, spelled as the API spells them."""


def resources(stream: Stream) -> tuple[list[Resource], list[Diagnostic]]:
    """The ECS resources of all templates of a file; everything that is wrong with the file or not known."""
    tagged = {one.at for one in stream.diagnostics if one.code is Code.EXPLICIT_TAG}
    problems = [one for one in stream.diagnostics if one.code is not Code.EXPLICIT_TAG]
    found: list[Resource] = []
    for document in stream.documents:
        root = document.root
        all_of_them = root.get("Resources") if isinstance(root, nodes.Mapping) else None
        if not isinstance(root, nodes.Mapping) or not isinstance(all_of_them, nodes.Mapping):
            continue
        reader = _Reader(tagged, problems, frozenset(entry.key.text for entry in all_of_them.entries))
        for entry in all_of_them.entries:
            kind, properties = _member(entry.value, "Type"), _member(entry.value, "Properties")
            shape = _TYPES.get(kind.text) if isinstance(kind, Scalar) else None
            if shape is not None and isinstance(properties, nodes.Mapping):
                request = reader.spelled(shape, properties, (entry.key.text,))
                assert isinstance(request, nodes.Mapping)
                found.append(Resource(root, entry.key.text, shape, request))
        if not any(one.template is root for one in found):
            message = "the template has no ECS service and no task definition"
            problems.append(Diagnostic(Code.UNKNOWN_KIND, message, root.span))
    return found, problems


def _member(node: Node, name: str) -> Node | None:
    return node.get(name) if isinstance(node, nodes.Mapping) else None


@dataclass(slots=True)
class _Reader:
    tagged: set[Span]
    """Places of values with a tag (`!Ref`), whose text is not the value."""
    problems: list[Diagnostic]
    resources: frozenset[str]

    def spelled(self, name: str, node: Node, path: tuple[str, ...]) -> Node | None:
        """The value of a shape with the API's spelling; None where it is not known."""
        reference = self._reference(node)
        if reference is not None and path[1:] == ("taskDefinition",):
            return Scalar(reference, plain=False, span=node.span)
        if self._computed(node):
            if path[1:] in _IDENTITY:
                return None
            message = f"{show(path)} is computed by CloudFormation, so its value is not known here"
            hint = "import what runs instead (without --from), or fill it in"
            self.problems.append(Diagnostic(Code.BAD_VALUE, message, node.span, hint=hint, severity=Severity.WARNING))
            return None
        shape = load().shapes.get(name)
        match shape, node:
            case Structure(document=False, members=members), nodes.Mapping(entries):
                spelling = {member.lower(): member for member in members}
                named = [(spelling.get(one.key.text.lower(), one.key.text), one) for one in entries]
                return self._mapping(node, [(member, members.get(member, ""), one) for member, one in named], path)
            case MapOf(of=of), nodes.Mapping(entries):
                return self._mapping(node, [(one.key.text, of, one) for one in entries], path)
            case ListOf(of=of), nodes.Sequence(items):
                read = (self.spelled(of, item, path) for item in items)
                return nodes.Sequence(tuple(one for one in read if one is not None), node.span)
            case _:
                return node

    def _mapping(self, node: Node, members: list[tuple[str, str, Entry]], path: tuple[str, ...]) -> nodes.Mapping:
        """The members (name, shape, entry) whose values are known."""
        read = ((name, one, self.spelled(shape, one.value, (*path, name))) for name, shape, one in members)
        entries = [Entry(Scalar(name, plain=False, span=one.key.span), value) for name, one, value in read if value]
        return nodes.Mapping(tuple(entries), node.span)

    def _reference(self, node: Node) -> str | None:
        """The resource of this template that a value refers to."""
        match node:
            case Scalar(text=text) if node.span in self.tagged:
                name = text
            case nodes.Mapping(entries) if len(entries) == 1 and entries[0].key.text == _REFERENCE:
                value = entries[0].value
                name = value.text if isinstance(value, Scalar) else ""
            case _:
                return None
        return name if name in self.resources else None

    def _computed(self, node: Node) -> bool:
        if node.span in self.tagged:
            return True
        if not isinstance(node, nodes.Mapping) or len(node.entries) != 1:
            return False
        key = node.entries[0].key.text
        return key == _REFERENCE or key.startswith(_COMPUTED)
