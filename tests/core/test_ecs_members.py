"""Every member of AWS's requests is accepted, read as what it is, and rendered unchanged.

The values come from botocore's own shapes, not from the model data that the parser reads.
"""

import json
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.model import Shape
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.core.ecs.read import ALSO_REQUIRED, NAMES
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Keyed
from controller.core.normalize import item_key
from controller.core.parse import parse
from controller.core.render import Settings, render

ECS = botocore.session.get_session().get_service_model("ecs")
REGISTER = ECS.operation_model("RegisterTaskDefinition").input_shape
CREATE = ECS.operation_model("CreateService").input_shape

REFUSED = {
    "taskDefinition": "the controller sets it, to the revision that it registers",
    "clientToken": "the controller sets it, so that a creation that was cut off is not done twice",
}
"""Members of CreateService that a spec may not have, with the reason."""
SAID_ELSEWHERE = {
    "cluster": "must be spec.cluster, which says which service is meant",
    "desiredCount": "is spec.replicas too; a DAEMON service has none",
}
"""Members of CreateService that have a twin in the spec and are tested where the two meet."""
COMPLETED = {
    "deploymentConfiguration": "percentages and the circuit breaker are always said",
    "tags": "the tags that say whose the service is",
}
"""Members of CreateService to which rendering adds."""

TEXTS = st.one_of(
    st.sampled_from(
        ["1.10", "no", "true", "null", "~", "1e-3", "0o17", "2026-12-01", "a: b", "- a", "#", "'", '"', ""]
    ),
    st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=8),
)
WORDS = st.text("abcAZ09-_", min_size=1, max_size=8)


def text(shape: Shape, owner: str, member: str) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    if (owner, member) in NAMES:
        return WORDS
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    return TEXTS.filter(lambda one: least <= len(one) and (most is None or len(one) <= most))


def number(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.type_name in ("double", "float"):
        return st.floats(-1e6, 1e6)
    bits = 63 if shape.type_name == "long" else 31
    return st.integers(shape.metadata.get("min", -(2**bits)), shape.metadata.get("max", 2**bits - 1))


def any_json() -> st.SearchStrategy[Any]:
    return st.dictionaries(WORDS, st.one_of(WORDS, st.integers(0, 9), st.booleans(), st.lists(WORDS, max_size=2)))


@st.composite
def structure(draw, shape: Shape, *, leave_out: frozenset[str] = frozenset(), every: bool = False) -> dict[str, Any]:
    """A value of a structure: what it needs and some of the rest, or `every` member."""
    known = [name for name in shape.members if name not in leave_out]
    if shape.is_tagged_union:
        chosen = [draw(st.sampled_from(known))]
    else:
        needed = {
            name for name in (*shape.required_members, *ALSO_REQUIRED.get(shape.name, ())) if name not in leave_out
        }
        chosen = known if every else sorted(needed | draw(st.sets(st.sampled_from(known), max_size=4)))
    return {name: draw(value(shape.members[name], shape.name, name, every=every)) for name in chosen}


def value(shape: Shape, owner: str, member: str, *, every: bool) -> st.SearchStrategy[Any]:
    match shape.type_name:
        case "structure" if shape.is_document_type:
            return any_json()
        case "structure":
            return structure(shape, every=every)
        case "list":
            row = SHAPES.get(owner, {}).get(member)
            key = (lambda one: item_key(row, one)) if isinstance(row, Keyed) else repr
            least = shape.metadata.get("min", 1 if every else 0)
            most = 1 if every else min(3, shape.metadata.get("max", 3))
            inner = value(shape.member, shape.name, "", every=every)
            return st.lists(inner, min_size=least, max_size=max(most, least), unique_by=key)
        case "map":
            return st.dictionaries(TEXTS, value(shape.value, shape.name, "", every=every), max_size=2)
        case "string":
            return text(shape, owner, member)
        case "boolean":
            return st.booleans()
        case _:
            return number(shape)


def document(task: Any, service: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dl1.ecs/v1alpha1",
        "kind": "DL1Service",
        "metadata": {"name": "bert"},
        "spec": {"cluster": "c", "taskDefinition": task, "service": service},
    }


def _typed(task: dict[str, Any]) -> dict[str, Any]:
    """A task definition of which every constraint says its type, as it is sent."""
    constraints = task.get("placementConstraints")
    if constraints is None:
        return task
    typed = [{"type": "memberOf", **one} if "expression" in one else one for one in constraints]
    return {**task, "placementConstraints": typed}


def check(task: dict[str, Any], service: dict[str, Any], content: str) -> None:
    parsed = parse({"f.yaml": content.encode()})
    assert parsed.diagnostics == ()
    (workload,) = parsed.workloads
    assert workload.task_definition == task
    assert workload.service == service
    rendering = render(workload, Settings())
    assert rendering.diagnostics == ()
    rendered = rendering.rendered
    assert rendered.register == {"family": "bert", **_typed(task)}
    for name, written in service.items():
        if name == "deploymentConfiguration":
            assert rendered.create[name] == {**rendered.create[name], **written}
        elif name == "tags":
            assert rendered.create[name][: len(written)] == [{"value": "", **tag} for tag in written]
        else:
            assert rendered.create[name] == written
    added = rendered.create.keys() - service.keys()
    assert added <= {
        *("cluster", "serviceName", "taskDefinition", "desiredCount", "clientToken", "tags"),
        *("deploymentConfiguration", "availabilityZoneRebalancing"),
    }
    for shape, request in ((REGISTER, rendered.register), (CREATE, rendered.create)):
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()


LEFT_OUT = frozenset(REFUSED) | frozenset(SAID_ELSEWHERE)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(structure(REGISTER), structure(CREATE, leave_out=LEFT_OUT), st.booleans())
def test_any_members_survive(task, service, as_json):
    content = document(task, service)
    if as_json:
        check(task, service, json.dumps(content, ensure_ascii=False))
    else:
        check(task, service, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW)
@given(structure(REGISTER, every=True), structure(CREATE, leave_out=LEFT_OUT, every=True))
def test_all_members_at_once_survive(task, service):
    assert task.keys() == REGISTER.members.keys()
    assert service.keys() == CREATE.members.keys() - LEFT_OUT
    check(task, service, json.dumps(document(task, service), ensure_ascii=False))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_in_words(name):
    content = document({"containerDefinitions": []}, {name: "x"})
    (found,) = parse({"f.yaml": json.dumps(content).encode()}).diagnostics
    assert str(found.code) == "contradiction"
    assert found.message.startswith(f"service.{name} is set by the controller")


def test_what_has_a_twin_may_agree_with_it():
    content = document({"containerDefinitions": []}, {"cluster": "c", "serviceName": "z", "desiredCount": 3})
    (workload,) = parse({"f.yaml": json.dumps(content).encode()}).workloads
    create = render(workload, Settings()).rendered.create
    assert {name: create[name] for name in ("cluster", "serviceName", "desiredCount")} == {
        "cluster": "c",
        "serviceName": "z",
        "desiredCount": 3,
    }
