"""Shapes of the ECS API: what a request may hold, as AWS's own model says.

Decides nothing; it only reads the data that stands beside it. Neighbours: `read` builds values by these shapes,
`schema` prints them, `controller.aws.model` writes the data.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure with named members. A `document` is any JSON; a `union` has exactly one member."""

    members: Mapping[str, str]
    required: tuple[str, ...] = ()
    document: bool = False
    union: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape."""

    of: str
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from text to one shape."""

    of: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text, or one of a closed set of words."""

    enum: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, or any. A whole number is at least bounded by the size that AWS's model gives it."""

    whole: bool
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


Shape: TypeAlias = Structure | ListOf | MapOf | Text | Number | Flag


@dataclass(frozen=True, slots=True)
class Model:
    """All shapes that the four requests need."""

    operations: Mapping[str, str]
    """Operation → name of its input shape."""
    shapes: Mapping[str, Shape]
    botocore: str
    """Version of botocore that the data was taken from."""


SHAPE_MARK: Final = "x-ecs-shape"


@dataclass(frozen=True, slots=True)
class EcsShape:
    """Marks a field of the spec whose value has a shape of the ECS API."""

    name: str

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        """A mark that `core.schema` replaces by the definition of the shape."""
        return {"type": "object", SHAPE_MARK: self.name}


@functools.cache
def load() -> Model:
    """The model. Reading it takes a few milliseconds, once."""
    data = json.loads(_text("model.json"))
    return Model(
        operations=data["operations"],
        shapes={name: _shape(shape) for name, shape in data["shapes"].items()},
        botocore=data["botocore"],
    )


@functools.cache
def documentation() -> Mapping[str, str]:
    """`Shape` and `Shape.member` → AWS's own words."""
    docs: Mapping[str, str] = json.loads(_text("docs.json"))
    return docs


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _shape(data: Mapping[str, Any]) -> Shape:
    match data["type"]:
        case "structure":
            required, document, union = data.get("required", ()), data.get("document", False), data.get("union", False)
            return Structure(data["members"], tuple(required), document=document, union=union)
        case "list":
            return ListOf(data["of"], data.get("min", 0), data.get("max"))
        case "map":
            return MapOf(data["of"])
        case "string":
            return Text(tuple(data.get("enum", ())), data.get("min", 0), data.get("max"))
        case "boolean":
            return Flag()
        case "integer" | "long" as size:
            most = 2 ** (31 if size == "integer" else 63) - 1
            return Number(whole=True, least=data.get("min", -most - 1), most=data.get("max", most))
        case _:
            return Number(whole=False, least=data.get("min"), most=data.get("max"))
