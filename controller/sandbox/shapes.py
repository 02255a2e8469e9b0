"""JSON against botocore's own ECS shapes: which members are unknown, missing, of the wrong type or outside an enum.

Decides nothing about meaning; the rooms do. The same walk checks what comes in and, in the tests, what goes out.
Source: botocore's ECS service model, loaded once. Neighbours: `validation` (inputs).
"""

import functools
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape


@functools.cache
def model() -> ServiceModel:
    """The model of ECS; loading takes about 0.1 s, once per process."""
    return ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")


@functools.cache
def operations() -> frozenset[str]:
    """The names of all ECS operations that botocore knows."""
    return frozenset(model().operation_names)


@functools.cache
def input_shape(operation: str) -> Shape | None:
    return model().operation_model(operation).input_shape


@functools.cache
def output_shape(operation: str) -> Shape | None:
    return model().operation_model(operation).output_shape


def problems(shape: Shape | None, value: Any, *, where: str = "") -> Iterator[str]:
    """One sentence for each place in which `value` (wire JSON, timestamps as numbers) does not fit `shape`."""
    if shape is None:
        if value:
            yield f"{where or 'the input'} must be empty"
        return
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, where)
    elif isinstance(shape, ListShape):
        if isinstance(value, list):
            for index, element in enumerate(value):
                yield from problems(shape.member, element, where=f"{where}[{index}]")
        else:
            yield f"{where} must be a list, got {type(value).__name__}"
    elif isinstance(shape, MapShape):
        if isinstance(value, dict):
            for key, member in value.items():
                yield from problems(shape.value, member, where=f"{where}.{key}")
        else:
            yield f"{where} must be an object, got {type(value).__name__}"
    else:
        yield from _scalar(shape, value, where)


def _structure(shape: StructureShape, value: Any, where: str) -> Iterator[str]:
    if shape.is_document_type:
        return
    if not isinstance(value, dict):
        yield f"{where or 'the input'} must be an object, got {type(value).__name__}"
        return
    prefix = f"{where}." if where else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{prefix}{name} is missing"
    for name, member in value.items():
        known = shape.members.get(name)
        if known is None:
            yield f"{prefix}{name} is unknown"
        else:
            yield from problems(known, member, where=f"{prefix}{name}")


def _scalar(shape: Shape, value: Any, where: str) -> Iterator[str]:
    match shape.type_name:
        case "string":
            fits = isinstance(value, str)
        case "boolean":
            fits = isinstance(value, bool)
        case "integer" | "long":
            fits = isinstance(value, int) and not isinstance(value, bool)
        case "float" | "double" | "timestamp":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            fits = True
    if not fits:
        yield f"{where} must be a {shape.type_name}, got {type(value).__name__}"
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        choices = f"[{', '.join(shape.enum)}]"
        yield f"Value '{value}' at '{where}' is invalid: Member must satisfy enum value set: {choices}"
