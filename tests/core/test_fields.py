"""The field table knows every member that a spec may write, and says of each what the rest of the house relies on."""

from pathlib import Path

import pytest
from botocore.loaders import Loader

from controller.core.fields import SHAPES
from controller.core.fields.kinds import Keyed, Ordered, Struct
from controller.core.fields.page import page
from controller.core.fields.service import (
    DEPLOYMENT_OUTPUT_ONLY,
    NO_STATE,
    OUTPUT_ONLY,
    SERVICE_MEMBERS,
    TASK_DEFINITION_OUTPUT_ONLY,
    WRITE_ONLY,
    Answered,
    Effect,
    Sent,
)

MODEL = Loader().load_service_model("ecs", "service-2")
REQUESTS = ("RegisterTaskDefinitionRequest", "CreateServiceRequest")


def reachable(root: str) -> set[str]:
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        shape = MODEL["shapes"][name]
        if name in seen:
            continue
        seen.add(name)
        waiting.extend(member["shape"] for member in shape.get("members", {}).values())
        waiting.extend(shape[part]["shape"] for part in ("member", "value") if part in shape)
    return {name for name in seen if MODEL["shapes"][name]["type"] == "structure"}


STRUCTURES = sorted({name for root in REQUESTS for name in reachable(root)} - {"HookDetails"})


@pytest.mark.parametrize("shape", STRUCTURES)
def test_every_member_of_botocores_shapes_has_a_row(shape: str) -> None:
    assert set(SHAPES[shape]) == set(MODEL["shapes"][shape]["members"])


def test_the_table_has_no_shape_that_botocore_does_not_know() -> None:
    assert set(SHAPES) == set(STRUCTURES)


@pytest.mark.parametrize("shape", STRUCTURES)
def test_rows_are_of_the_kind_that_the_model_has(shape: str) -> None:
    for name, row in SHAPES[shape].items():
        member = MODEL["shapes"][shape]["members"][name]["shape"]
        kind = MODEL["shapes"][member]["type"]
        match row:
            case Struct(shape=inner):
                assert (kind, member) == ("structure", inner), name
            case Keyed(shape=inner) | Ordered(shape=str(inner)):
                assert kind == "list", name
                assert MODEL["shapes"][member]["member"]["shape"] == inner, name
            case _:
                assert kind != "structure" or member == "HookDetails", name


@pytest.mark.parametrize("shape", STRUCTURES)
def test_keys_of_keyed_lists_are_members_of_what_they_tell_apart(shape: str) -> None:
    for row in SHAPES[shape].values():
        if isinstance(row, Keyed):
            members = set(SHAPES[row.shape])
            assert set(row.by) <= members
            assert row.value is None or row.value in members


def test_every_member_of_a_service_says_how_it_is_sent() -> None:
    assert set(SERVICE_MEMBERS) == set(MODEL["shapes"]["CreateServiceRequest"]["members"])


def test_what_updateservice_takes_is_what_botocore_says_it_takes() -> None:
    taken = set(MODEL["shapes"]["UpdateServiceRequest"]["members"])
    ours = {name for name, member in SERVICE_MEMBERS.items() if member.sent in (Sent.UPDATE, Sent.FORCED)}
    assert ours <= taken
    identity = {name for name, member in SERVICE_MEMBERS.items() if member.sent is Sent.IDENTITY}
    # `deploymentController` is taken by ECS, but only between controllers that we refuse to manage.
    assert taken - ours - identity - NO_STATE == {"deploymentController"}
    assert taken >= NO_STATE


def test_the_effect_of_a_change_is_what_botocore_says_of_each_member() -> None:
    """`triggers a new service deployment` or not, member by member, as AWS's own text has it."""
    texts = MODEL["shapes"]["UpdateServiceRequest"]["members"]
    deploys = {Effect.NEW_DEPLOYMENT, Effect.NEW_REVISION}
    for name, member in SERVICE_MEMBERS.items():
        text = texts.get(name, {}).get("documentation", "")
        if "doesn't trigger a new service deployment" in text:
            # Providers do not by themselves, but ECS takes them only with a forced deployment
            assert member.effect not in deploys, name
        elif "triggers a new service deployment" in text:
            assert member.effect in deploys, name
        elif name in texts:
            assert name in {"cluster", "deploymentController", "gatewayConnectors", "monitoring"}, name


def test_where_a_deployment_tells_what_the_service_does_not() -> None:
    """A member that ECS adds to its deployments is classified, or this fails."""
    ours = {name for name, member in SERVICE_MEMBERS.items() if member.answered is Answered.DEPLOYMENT}
    assert set(MODEL["shapes"]["Deployment"]["members"]) - DEPLOYMENT_OUTPUT_ONLY == ours
    service = set(MODEL["shapes"]["Service"]["members"])
    assert ours & service == set()
    nowhere = {name for name, member in SERVICE_MEMBERS.items() if member.answered is Answered.NOWHERE}
    assert nowhere & service == set()
    revision = set(MODEL["shapes"]["ServiceRevision"]["members"])
    assert set(WRITE_ONLY) <= revision, "what no service tells, its revision does"


@pytest.mark.parametrize(
    ("answer", "request_shape", "output_only"),
    [
        ("Service", "CreateServiceRequest", OUTPUT_ONLY),
        ("TaskDefinition", "RegisterTaskDefinitionRequest", TASK_DEFINITION_OUTPUT_ONLY),
    ],
)
def test_every_member_of_an_answer_is_asked_for_or_output_only(
    answer: str, request_shape: str, output_only: frozenset[str]
) -> None:
    members = set(MODEL["shapes"][answer]["members"])
    assert members - set(MODEL["shapes"][request_shape]["members"]) == output_only


def test_the_page_about_the_fields_is_current() -> None:
    found = (Path(__file__).parents[2] / "docs" / "fields.md").read_text(encoding="utf-8")
    assert found == page(), "run: make generate"
