"""The model data as shapes: what a shape allows, and that it is what botocore says."""

import botocore.session
import pytest
from botocore.model import Shape

from controller.core.ecs.model import Flag, ListOf, MapOf, Number, Structure, Text, _shape, documentation, load

ECS = botocore.session.get_session().get_service_model("ecs")


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ({"type": "integer"}, Number(whole=True, least=-(2**31), most=2**31 - 1)),
        ({"type": "integer", "min": 1, "max": 9}, Number(whole=True, least=1, most=9)),
        ({"type": "long"}, Number(whole=True, least=-(2**63), most=2**63 - 1)),
        ({"type": "double"}, Number(whole=False)),
        ({"type": "float", "min": 0}, Number(whole=False, least=0)),
        ({"type": "boolean"}, Flag()),
        ({"type": "string"}, Text()),
        ({"type": "string", "enum": ["a", "b"]}, Text(enum=("a", "b"))),
        ({"type": "string", "min": 1, "max": 2}, Text(least=1, most=2)),
        ({"type": "list", "of": "X"}, ListOf("X")),
        ({"type": "list", "of": "X", "min": 1, "max": 2}, ListOf("X", 1, 2)),
        ({"type": "map", "of": "X"}, MapOf("X")),
        ({"type": "structure", "members": {"a": "X"}}, Structure({"a": "X"})),
        (
            {"type": "structure", "members": {"a": "X"}, "required": ["a"], "union": True},
            Structure({"a": "X"}, ("a",), union=True),
        ),
        ({"type": "structure", "members": {}, "document": True}, Structure({}, document=True)),
    ],
)
def test_data_becomes_shapes(data, shape):
    assert _shape(data) == shape


def same(shape: Shape, seen: set[str]) -> None:
    """Our shape of this name is botocore's, and so are all below it."""
    ours = load().shapes[shape.name]
    if shape.name in seen:
        return
    seen.add(shape.name)
    match shape.type_name:
        case "structure":
            assert ours.members == {name: member.name for name, member in shape.members.items()}
            assert set(ours.required) == set(shape.required_members)
            assert (ours.document, ours.union) == (shape.is_document_type, shape.is_tagged_union)
            for member in shape.members.values():
                same(member, seen)
        case "list":
            limits = (shape.metadata.get("min", 0), shape.metadata.get("max"))
            assert (ours.of, ours.least, ours.most) == (shape.member.name, *limits)
            same(shape.member, seen)
        case "map":
            assert ours.of == shape.value.name
            same(shape.value, seen)
        case "string":
            assert ours.enum == tuple(shape.enum)
            assert (ours.least, ours.most) == (shape.metadata.get("min", 0), shape.metadata.get("max"))
        case "boolean":
            assert ours == Flag()
        case _:
            assert ours.whole == (shape.type_name in ("integer", "long"))


def test_the_model_is_botocores():
    seen: set[str] = set()
    for operation, shape in load().operations.items():
        assert ECS.operation_model(operation).input_shape.name == shape
        same(ECS.operation_model(operation).input_shape, seen)
    assert seen == load().shapes.keys(), "and nothing beside it"
    assert load().botocore == botocore.__version__


def test_words_are_about_what_there_is():
    shapes = load().shapes
    for name in documentation():
        shape, _, member = name.partition(".")
        assert not member or member in shapes[shape].members
