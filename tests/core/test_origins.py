"""A report's address leads to the place in the file that the value comes from, and to no other."""

import json

import pytest

from controller.core import origins
from controller.core.fields import SHAPES
from controller.core.normalize import item_key, normalize
from controller.core.parse import parse
from controller.core.path import Item
from tests.core.marked import spec
from tests.core.test_parse_laws import SOURCES

TEXT = spec(
    """
    cluster: c
    taskDefinition:
      containerDefinitions:
      - name: train
        environment: {LR: 1e-3, "1": one}
        portMappings:
        - containerPort: 8080
          protocol: tcp
          name: web
        - {containerPort: 8080, protocol: udp}
        - {containerPort: 9090}
        linuxParameters: {devices: [{hostPath: /dev/a}, {hostPath: /dev/b, containerPath: /dev/c}]}
      - name: side
        command: [run, --fast, run]
        environment:
        - value: x
          name: LR
        - {name: "N", value: y}
        mountPoints: [{containerPath: /x, sourceVolume: v}]
        links: [train, other]
      placementConstraints:
      - {type: memberOf, expression: attribute:rack==r1}
      tags: [{key: a, value: 1}, {value: 2, key: b}]
    service:
      placementConstraints: [{type: distinctInstance}, {type: memberOf, expression: "attribute:zone   == a"}]
      tags: [{key: a, value: 1}]
    reconcile:
      dependsOn: []
    """
)
(WORKLOAD,) = parse({"f.yaml": TEXT.encode()}).workloads
TRAIN = ("spec", "taskDefinition", "containerDefinitions", Item("train"))
SIDE = ("spec", "taskDefinition", "containerDefinitions", Item("side"))


def line(text: str) -> str:
    """What stands at a place, to the end of its line."""
    at = WORKLOAD.origin(text)
    return TEXT.split("\n")[at.line - 1][at.column - 1 :]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TRAIN, "name: train"),
        ((*TRAIN, "name"), "name: train"),
        (SIDE, "name: side"),
        ((*SIDE, "command", 1), "--fast, run]"),
        ((*SIDE, "command", 9), "command: [run, --fast, run]"),
        # variables as a map and as a list
        ((*TRAIN, "environment", Item("LR")), 'LR: 1e-3, "1": one}'),
        ((*TRAIN, "environment", Item("LR"), "value"), 'LR: 1e-3, "1": one}'),
        ((*TRAIN, "environment", Item("1")), '"1": one}'),
        ((*SIDE, "environment", Item("LR"), "value"), "value: x"),
        ((*SIDE, "environment", Item("N"), "value"), "value: y}"),
        # keys of several members, some of them not written
        ((*TRAIN, "portMappings", Item("8080 tcp")), "containerPort: 8080"),
        ((*TRAIN, "portMappings", Item("8080 udp"), "protocol"), "protocol: udp}"),
        ((*TRAIN, "portMappings", Item("9090 tcp")), "{containerPort: 9090}"),
        ((*TRAIN, "portMappings", Item("9090")), "{containerPort: 9090}"),
        ((*TRAIN, "linuxParameters", "devices", Item("/dev/b /dev/c")), "{hostPath: /dev/b, containerPath: /dev/c}]}"),
        ((*SIDE, "mountPoints", Item("/x"), "readOnly"), "{containerPath: /x, sourceVolume: v}]"),
        ((*SIDE, "links", Item("other")), "other]"),
        # expressions in another spelling
        (
            ("spec", "taskDefinition", "placementConstraints", Item("memberOf attribute:rack == r1")),
            "{type: memberOf, expression: attribute:rack==r1}",
        ),
        (
            ("spec", "taskDefinition", "placementConstraints", Item("memberOf attribute:rack==r1")),
            "{type: memberOf, expression: attribute:rack==r1}",
        ),
        (
            ("spec", "service", "placementConstraints", Item("memberOf attribute:zone == a")),
            '{type: memberOf, expression: "attribute:zone   == a"}]',
        ),
        (
            ("spec", "service", "placementConstraints", Item("distinctInstance")),
            '{type: distinctInstance}, {type: memberOf, expression: "attribute:zone   == a"}]',
        ),
        (("spec", "taskDefinition", "tags", Item("b"), "value"), "value: 2, key: b}]"),
        (("spec", "service", "tags", Item("a"), "value"), "value: 1}]"),
        # what nobody has written is placed at what would hold it, not at something like it
        ((*TRAIN, "portMappings", Item("7070 tcp"), "name"), "portMappings:"),
        ((*TRAIN, "portMappings", Item("web")), "portMappings:"),
        ((*TRAIN, "healthCheck", "command"), "name: train"),
        (
            ("spec", "taskDefinition", "placementConstraints", Item("memberOf attribute:host == x")),
            "placementConstraints:",
        ),
        (("spec", "taskDefinition", "volumes", Item("v")), "taskDefinition:"),
        (("spec", "taskDefinition", "containerDefinitions", Item("gone"), "name"), "containerDefinitions:"),
        (("spec", "reconcile", "dependsOn", Item("x")), "dependsOn: []"),
        (("spec", "gaudi", "cards"), "spec:"),
        (("status",), "apiVersion: dl1.ecs/v1alpha1"),
        ((), "apiVersion: dl1.ecs/v1alpha1"),
    ],
)
def test_an_address_leads_to_its_place(path, text):
    assert line(path) == text


def paths(shape: str, value, path=()):
    """Every address that a report can give to a part of a request, with the part."""
    yield path, value
    for name, member in value.items():
        row = SHAPES[shape].get(name)
        inner = getattr(row, "shape", None)
        if isinstance(member, dict) and inner:
            yield from paths(inner, member, (*path, name))
        elif isinstance(member, list) and inner:
            for index, item in enumerate(member):
                key = Item(item_key(row, item)) if hasattr(row, "by") else index
                yield from paths(inner, item, (*path, name, key))
        else:
            yield (*path, name), member


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES.keys())
def test_every_value_of_a_request_stands_where_its_address_leads(text):
    """The line holds the value, or the name of the member that it is the value of."""
    (workload,) = parse({"f.yaml": text.encode()}).workloads
    lines = text.split("\n")
    tried = 0
    for member, shape, request in (
        ("taskDefinition", "RegisterTaskDefinitionRequest", workload.task_definition),
        ("service", "CreateServiceRequest", workload.service),
    ):
        for path, value in paths(shape, request):
            if isinstance(value, dict) or not path:
                continue
            at = workload.origin(("spec", member, *path))
            here = lines[at.line - 1][at.column - 1 :]
            name = (
                path[-2].key if path[-1] in ("value", "valueFrom", "name") and isinstance(path[-2], Item) else path[-1]
            )
            assert here.startswith((f"{path[-1]}:", f"{name}:")), (path, here)
            tried += 1
    assert tried > 4


def test_every_key_of_the_canonical_form_is_found():
    canonical = normalize("RegisterTaskDefinitionRequest", WORKLOAD.task_definition).members
    found = [
        WORKLOAD.origin((*TRAIN, "portMappings", Item(key)))
        for key in canonical["containerDefinitions"].by_key["train"]["portMappings"].by_key
    ]
    assert len(set(found)) == 3


def test_the_keys_of_a_list_are_made_once(monkeypatch):
    """Much may be said about a long list: a secret in each of 20 000 variables."""
    made = []
    original = origins.item_key
    monkeypatch.setattr(origins, "item_key", lambda row, member: made.append(1) or original(row, member))
    count = 500
    variables = json.dumps([{"name": f"V{number}", "value": ""} for number in range(count)])
    task = f"taskDefinition: {{containerDefinitions: [{{name: a, environment: {variables}}}]}}\n"
    (workload,) = parse({"f.yaml": spec(f"cluster: c\n{task}").encode()}).workloads
    path = ("spec", "taskDefinition", "containerDefinitions", Item("a"), "environment")
    places = [workload.origin((*path, Item(f"V{number}"))) for number in range(count)]
    assert places == sorted(set(places))
    assert len(made) == count + 1


def test_a_document_that_was_let_go_is_read_again_at_its_own_place():
    """Also the second of a file, and one whose neighbour is broken."""
    first, second = (text.strip("\n") for text in list(SOURCES.values())[:2])
    for before in (first, "kind: [not one of ours]"):
        text = f"{before}\n---\n{second}\n"
        workload = parse({"f.yaml": text.encode()}).workloads[-1]
        asked = [("spec",), ("metadata", "name"), ("spec", "taskDefinition", "containerDefinitions", 0, "image")]
        told = [workload.origin(path) for path in asked]
        workload.let_go()
        assert [workload.origin(path) for path in asked] == told
        assert all(at.line > before.count("\n") + 2 for at in told)
        lines = text.split("\n")
        assert lines[told[1].line - 1][told[1].column - 1 :].startswith("name:")
